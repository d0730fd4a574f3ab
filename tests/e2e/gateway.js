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
    if (!value) throw new Error(`${name} is not set: run these tests with \`cargo xtask test --only e2e\``);
    return value;
}

export class Gateway {
    /**
     * Starts a gateway; with `manual`, requests wait until `approve` or `reject`. Each pair of `changes` is replaced in the
     * annotated example of the configuration.
     */
    static async start({ manual = false, changes = [] } = {}) {
        const gateway = new Gateway();
        gateway.data = await mkdtemp(join(tmpdir(), 'keyside-e2e-'));
        gateway.manual = manual;
        if (changes.length > 0) {
            let { stdout: text } = await run(binary, ['config', 'example']);
            for (const [from, to] of changes) {
                if (!text.includes(from)) throw new Error(`the example has no “${from}”`);
                text = text.replaceAll(from, to);
            }
            gateway.config = ['--config', join(gateway.data, 'keyside.toml')];
            await writeFile(gateway.config[1], text);
        }
        await gateway.listen('127.0.0.1:0');
        return gateway;
    }

    async listen(address) {
        const manual = this.manual ? ['--manual-approval'] : [];
        const child = spawn(binary, ['serve', '--listen', address, '--data', this.data, '--page', page, ...manual, ...(this.config ?? [])], {
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        this.child = child;
        this.log = '';
        child.stderr.on('data', (chunk) => (this.log += chunk));
        for await (const line of createInterface({ input: child.stdout })) {
            this.url = line.match(/http:\/\/[^ ]+/)?.[0];
            if (this.url) break;
        }
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

    async requests(...command) {
        const { stdout } = await run(binary, ['requests', ...command, '--data', this.data]);
        return stdout;
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
