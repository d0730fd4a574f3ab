// A real gateway on a port that the system chooses, with its data in a temporary folder.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { parse, stringify } from 'smol-toml';

const run = promisify(execFile);
const binary = required('KEYSIDE_GATEWAY');
const page = required('KEYSIDE_PAGE');

export function required(name) {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: \`cargo xtask test\` and \`cargo xtask bench\` set it`);
    return value;
}

/** A test asks again and again until something is so, from one address: more often than users may. */
const UNLIMITED = { limits: { calls_per_minute_and_address: 1_000_000, calls_per_minute_and_request: 1_000_000 } };

/** A folder with the CA that the gateways of a run have in common: making one takes a second. Without it each makes its own. */
const COMMON_CA = process.env.KEYSIDE_COMMON_CA;

/** Merges `changes` into `table` as RFC 7396 has it: tables are merged, null removes a key, all else is replaced. */
function merge(table, changes) {
    const isTable = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
    for (const [key, value] of Object.entries(changes)) {
        if (value === null) delete table[key];
        else table[key] = isTable(value) ? merge(isTable(table[key]) ? table[key] : {}, value) : value;
    }
    return table;
}

/** Makes the CA in the folder `ca` the common one, unless another file's gateway was quicker. */
async function share(ca) {
    const copy = `${COMMON_CA}.${process.pid}`;
    await cp(ca, copy, { recursive: true });
    await rename(copy, COMMON_CA).catch(() => rm(copy, { recursive: true }));
}

export class Gateway {
    /**
     * A gateway, not started yet; with `manual`, requests wait until `approve` or `reject`; with `check`, there is a connection check. `config` is
     * merged into the annotated example of the configuration, or is a function that gives what to merge for the example. `folder` has the
     * page.
     */
    constructor({ manual = false, check = false, config = {}, folder = page } = {}) {
        Object.assign(this, { manual, check, config, folder });
    }

    static async start(options) {
        const gateway = new Gateway(options);
        await gateway.start();
        return gateway;
    }

    async start() {
        this.data = await mkdtemp(join(tmpdir(), 'keyside-e2e-'));
        const example = parse((await run(binary, ['config', 'example'])).stdout);
        const changes = typeof this.config === 'function' ? this.config(example) : this.config;
        const file = join(this.data, 'keyside.toml');
        await writeFile(file, stringify(merge(merge(example, UNLIMITED), changes)));
        this.options = ['--config', file];
        if (this.manual) this.options.push('--manual-approval');
        if (this.check) this.options.push('--tls-listen', '127.0.0.1:0');
        const ca = join(this.data, 'ca');
        const shares = COMMON_CA && !changes.ca;
        const taken = shares && await cp(COMMON_CA, ca, { recursive: true }).then(() => true, () => false);
        await this.listen('127.0.0.1:0');
        if (shares && !taken) await share(ca);
    }

    async listen(address) {
        const child = spawn(binary, ['serve', '--listen', address, '--data', this.data, '--page', this.folder, ...this.options], {
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        this.child = child;
        this.log = '';
        child.stderr.on('data', (chunk) => (this.log += chunk));
        const urls = [];
        for await (const line of createInterface({ input: child.stdout })) {
            urls.push(line.match(/https?:\/\/[^ ]+/)?.[0]);
            if (urls.length === (this.check ? 2 : 1)) break;
        }
        [this.url, this.checkUrl] = urls;
        if (!this.url) throw new Error(`the gateway did not start:\n${this.log}`);
        this.address = new URL(this.url).host;
    }

    /** The address of a page. */
    at(path) {
        return new URL(path, this.url).href;
    }

    get alive() {
        return this.child?.exitCode === null && this.child.signalCode === null;
    }

    /** Ends the process at once, as a power cut would. */
    async kill() {
        const gone = once(this.child, 'exit');
        this.child.kill('SIGKILL');
        await gone;
    }

    /** Starts it again on the same address with the same data. */
    restart() {
        return this.listen(this.address);
    }

    async command(...command) {
        const { stdout } = await run(binary, [...command, '--data', this.data]);
        return stdout;
    }

    requests(...command) {
        return this.command('requests', ...command);
    }

    officer(...command) {
        return this.command('officer', ...command);
    }

    audit(...command) {
        return this.command('audit', ...command);
    }

    async stop() {
        if (this.alive) {
            const gone = once(this.child, 'exit');
            this.child.kill('SIGTERM');
            await gone;
        }
        if (this.data) await rm(this.data, { recursive: true, force: true });
    }
}
