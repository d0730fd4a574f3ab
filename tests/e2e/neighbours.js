// The programs that an organisation has beside the gateway, on loopback: a mail server, and CFSSL with its CA.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setInterval } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { required } from './gateway.js';
import { run } from './judges.js';

/** How long anything may take, in milliseconds: a bound for what hangs, not a measure. */
const PATIENCE = 120_000;
const POLL_INTERVAL = 50;

/** Waits until `happened` gives something; gives it. What cannot be waited on is asked for again and again. `what` says what has failed. */
export async function eventually(happened, what) {
    const until = Date.now() + PATIENCE;
    for await (const _ of setInterval(POLL_INTERVAL)) {
        const value = await happened();
        if (value) return value;
        if (Date.now() > until) throw new Error(`it did not happen: ${await what()}`);
    }
}

/** Ends a process, and waits until it is gone. */
async function end(child) {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
}

/** Prints a message as JSON. Its decoding is Python's, not ours. */
const READ_MAIL = `
import email, email.policy, json, sys
with open(sys.argv[1], "rb") as file:
    recipient = file.readline().decode().strip()
    message = email.message_from_binary_file(file, policy=email.policy.default)
print(json.dumps({"recipient": recipient, "to": message["To"], "subject": message["Subject"], "text": message.get_content()}))
`;

/** A mail server that nobody here wrote (aiosmtpd), with what it has taken in a folder. */
export class MailServer {
    static async start() {
        const server = new MailServer();
        server.folder = await mkdtemp(join(tmpdir(), 'keyside-mail-'));
        await writeFile(join(server.folder, 'mood'), 'take');
        const script = fileURLToPath(new URL('../../gateway/tests/gateway/mail_server.py', import.meta.url));
        server.child = spawn(required('KEYSIDE_PYTHON'), [script, server.folder, '0', 'plain'], { stdio: ['ignore', 'pipe', 'pipe'] });
        let said = '';
        server.child.stderr.on('data', (chunk) => (said += chunk));
        for await (const line of createInterface({ input: server.child.stdout })) {
            server.port = line;
            break;
        }
        if (!server.port) throw new Error(`the mail server did not start:\n${said}`);
        return server;
    }

    /** The configuration's table for it. */
    get table() {
        const smtp = { host: '127.0.0.1', port: Number(this.port), security: 'none' };
        return { from: 'Keyside <no-reply@example.com>', retry_after_seconds: 1, smtp };
    }

    /** The mails to this address that were taken, in this order, as { recipient, to, subject, text }. */
    async taken(recipient) {
        const folder = join(this.folder, 'taken');
        const count = (await readdir(folder)).length;
        const names = Array.from({ length: count }, (_, number) => join(folder, `${number}.eml`));
        const mails = await Promise.all(names.map(async (name) => JSON.parse(await run(required('KEYSIDE_PYTHON'), '-c', READ_MAIL, name))));
        return mails.filter((mail) => mail.recipient === recipient);
    }

    /** Waits for a mail to this address with this text in its subject. */
    async mail(recipient, subject) {
        return eventually(async () => (await this.taken(recipient)).find((mail) => mail.subject.includes(subject)),
            async () => `a mail “${subject}” among those to ${recipient}: ${(await this.taken(recipient)).map((mail) => mail.subject).join(', ')}`);
    }

    async stop() {
        await end(this.child);
        await rm(this.folder, { recursive: true, force: true });
    }
}

/** A real CFSSL server with a CA of its own. */
export class Cfssl {
    static async start() {
        const cfssl = new Cfssl();
        cfssl.folder = await mkdtemp(join(tmpdir(), 'keyside-cfssl-'));
        cfssl.root = join(cfssl.folder, 'ca.pem');
        const key = '00112233445566778899aabbccddeeff';
        await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-config', '/dev/null', '-days', '3650',
            '-subj', '/C=US/O=Example Grid Operator/CN=CFSSL CA', '-addext', 'basicConstraints=critical,CA:TRUE',
            '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', join(cfssl.folder, 'ca-key.pem'), '-out', cfssl.root);
        const profile = {
            usages: ['digital signature', 'key encipherment', 'client auth', 'email protection'], expiry: '17520h', backdate: '5m',
            auth_key: 'gateway', ClientProvidesSerialNumbers: true,
        };
        await writeFile(join(cfssl.folder, 'config.json'), JSON.stringify({
            auth_keys: { gateway: { type: 'standard', key } },
            signing: { default: { usages: ['code signing'], expiry: '1h', auth_key: 'gateway' }, profiles: { person: profile } },
        }));
        await writeFile(join(cfssl.folder, 'key'), `${key}\n`, { mode: 0o600 });
        cfssl.log = join(cfssl.folder, 'log');
        // CFSSL takes port 0 for its default. This one was free a moment ago.
        const free = createServer().listen(0, '127.0.0.1');
        await once(free, 'listening');
        cfssl.port = free.address().port;
        await new Promise((closed) => free.close(closed));
        await cfssl.resume();
        return cfssl;
    }

    /** Starts it, and waits until it listens. */
    async resume() {
        const log = await open(this.log, 'a');
        this.child = spawn('cfssl', ['serve', '-address', '127.0.0.1', '-port', String(this.port), '-ca', 'ca.pem', '-ca-key', 'ca-key.pem',
            '-config', 'config.json'], { cwd: this.folder, stdio: ['ignore', log.fd, log.fd] });
        await log.close();
        const listens = () => new Promise((resolve) => {
            const socket = connect(this.port, '127.0.0.1');
            socket.on('connect', () => resolve(true)).on('error', () => resolve(false)).on('connect', () => socket.destroy());
        });
        await eventually(listens, () => 'CFSSL listens');
    }

    /** Kills it. */
    async suspend() {
        await end(this.child);
    }

    /** The configuration's table for it. */
    get table() {
        const embedded = { root_subject: null, root_validity_days: null, issuing_subject: null, issuing_validity_days: null };
        return {
            ...embedded, engine: 'cfssl', url: `http://127.0.0.1:${this.port}`, key_file: join(this.folder, 'key'), profile: 'person',
            device_profile: 'person', timeout_seconds: 5, retry_after_seconds: 1,
        };
    }

    /** How many certificates it has signed, as its log has it. */
    async signed() {
        return (await readFile(this.log, 'utf8')).match(/signed certificate with serial number/g)?.length ?? 0;
    }

    async stop() {
        await this.suspend();
        await rm(this.folder, { recursive: true, force: true });
    }
}
