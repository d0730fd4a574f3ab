// A real gateway on a port that the system chooses, with its data in a temporary folder.
import { spawn, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const binary = required('KEYSIDE_GATEWAY');
const page = required('KEYSIDE_PAGE');

export function required(name) {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: \`cargo xtask test\` and \`cargo xtask bench\` set it`);
    return value;
}

/** A test asks again and again until something is so, from one address: more often than users may. */
const UNLIMITED = [
    ['calls_per_minute_and_address = 600', 'calls_per_minute_and_address = 1000000'],
    ['calls_per_minute_and_request = 120', 'calls_per_minute_and_request = 1000000'],
];

export class Gateway {
    /**
     * Starts a gateway; with `manual`, requests wait until `approve` or `reject`; with `check`, there is a connection check. Each
     * pair of `changes` is replaced in the annotated example of the configuration, and each of its tables that `tables` has gets that
     * content in place of its own. `folder` has the page.
     */
    static async start({ manual = false, check = false, changes = [], tables = {}, folder = page } = {}) {
        const gateway = new Gateway();
        gateway.folder = folder;
        gateway.data = await mkdtemp(join(tmpdir(), 'keyside-e2e-'));
        gateway.options = [...(manual ? ['--manual-approval'] : []), ...(check ? ['--tls-listen', '127.0.0.1:0'] : [])];
        gateway.lines = check ? 2 : 1;
        let { stdout: text } = await run(binary, ['config', 'example']);
        for (const [from, to] of [...UNLIMITED, ...changes]) {
            if (!text.includes(from)) throw new Error(`the example has no “${from}”`);
            text = text.replaceAll(from, to);
        }
        for (const [name, content] of Object.entries(tables)) {
            const [before, rest] = text.split(`\n[${name}]\n`);
            if (rest === undefined) throw new Error(`the example has no table ${name}`);
            const next = rest.search(/^\[/m);
            text = `${before}\n[${name}]\n${content}${next < 0 ? '' : rest.slice(next)}`;
        }
        const config = join(gateway.data, 'keyside.toml');
        await writeFile(config, text);
        gateway.options.push('--config', config);
        await gateway.listen('127.0.0.1:0');
        return gateway;
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
            if (urls.length === this.lines) break;
        }
        [this.url, this.checkUrl] = urls;
        if (!this.url) throw new Error(`the gateway did not start:\n${this.log}`);
        this.address = new URL(this.url).host;
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
        if (this.child.exitCode === null && this.child.signalCode === null) {
            const gone = once(this.child, 'exit');
            this.child.kill('SIGTERM');
            await gone;
        }
        await rm(this.data, { recursive: true, force: true });
    }
}
