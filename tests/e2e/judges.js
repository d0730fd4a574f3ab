// The independent judges of a downloaded PKCS#12 file.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { required } from './gateway.js';

const execute = promisify(execFile);

/** Runs a program; gives what it printed, both ways. */
export async function run(program, ...parameters) {
    const { stdout, stderr } = await execute(program, parameters, { encoding: 'utf8', maxBuffer: 1 << 24 });
    return stdout + stderr;
}

/**
 * Every judge opens `pfx` and finds what should be in it. `root` is the CA's root as a PEM file; so many `certificates` there are, the user's and
 * the root among them.
 */
export async function judge({ pfx, passphrase, commonName, root, certificates = 3 }) {
    const folder = await mkdtemp(join(tmpdir(), 'keyside-judges-'));
    const at = (name) => join(folder, name);
    try {
        await openssl({ pfx, passphrase, commonName, root, at });
        await nss({ pfx, passphrase, commonName, at });
        const gnutls = await run('certtool', '--p12-info', '--inder', '--infile', pfx, '--password', passphrase);
        assert.match(gnutls, /BEGIN ENCRYPTED PRIVATE KEY|BEGIN PRIVATE KEY|BEGIN RSA PRIVATE KEY/);
        assert.equal(gnutls.match(/BEGIN CERTIFICATE/g)?.length, certificates);
        const java = await run('keytool', '-list', '-v', '-storetype', 'PKCS12', '-keystore', pfx, '-storepass', passphrase);
        assert.match(java, new RegExp(`Alias name: ${commonName}`, 'i'));
        assert.match(java, new RegExp(`Certificate chain length: ${certificates}`));
        await python({ pfx, passphrase, commonName, certificates, at });
        await handshake({ pfx, passphrase, root, commonName, at });
    } finally {
        await rm(folder, { recursive: true, force: true });
    }
}

async function openssl({ pfx, passphrase, commonName, root, at }) {
    const pass = ['-passin', `pass:${passphrase}`];
    const info = await run('openssl', 'pkcs12', '-info', '-in', pfx, ...pass, '-noout');
    assert.match(info, /MAC: sha256, Iteration 600000/);
    assert.match(info, /PBES2, PBKDF2, AES-256-CBC, Iteration 300000, PRF hmacWithSHA256/);
    const leaf = at('leaf.pem');
    await run('openssl', 'pkcs12', '-in', pfx, ...pass, '-clcerts', '-nokeys', '-out', leaf);
    await run('openssl', 'pkcs12', '-in', pfx, ...pass, '-cacerts', '-nokeys', '-out', at('chain.pem'));
    assert.match(await run('openssl', 'verify', '-purpose', 'sslclient', '-CAfile', root, '-untrusted', at('chain.pem'), leaf), /: OK/);
    assert.match(await run('openssl', 'x509', '-in', leaf, '-noout', '-subject', '-nameopt', 'RFC2253,utf8,-esc_msb'), new RegExp(`CN=${commonName}`));
}

async function nss({ pfx, passphrase, commonName, at }) {
    await writeFile(at('password'), `${passphrase}\n`);
    const listed = await run('pk12util', '-l', pfx, '-w', at('password'));
    assert.match(listed, new RegExp(`Friendly Name: ${commonName}`));
    const database = `sql:${at('')}`;
    await run('certutil', '-N', '-d', database, '--empty-password');
    await run('pk12util', '-i', pfx, '-d', database, '-w', at('password'));
    assert.match(await run('certutil', '-L', '-d', database), new RegExp(`^${commonName} +u,u,u`, 'm'));
}

async function python({ pfx, passphrase, commonName, certificates, at }) {
    const script = at('judge.py');
    await writeFile(script, `
import sys
from cryptography.hazmat.primitives.serialization import pkcs12
bundle = pkcs12.load_pkcs12(open(sys.argv[1], "rb").read(), sys.argv[2].encode())
assert bundle.key.public_key() == bundle.cert.certificate.public_key()
assert bundle.cert.friendly_name.decode() == sys.argv[3], bundle.cert.friendly_name
assert 1 + len(bundle.additional_certs) == int(sys.argv[4])
`);
    await run(required('KEYSIDE_PYTHON'), script, pfx, passphrase, commonName, String(certificates));
}

/** curl shows the certificate to a TLS server that insists on one. */
async function handshake({ pfx, passphrase, root, commonName, at }) {
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('server.key'), '-out', at('server.pem'),
        '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost');
    const server = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-cert', at('server.pem'), '-key', at('server.key'),
        '-CAfile', root, '-Verify', '3', '-verify_return_error', '-www'], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
        let port;
        for await (const line of createInterface({ input: server.stdout })) {
            port = line.match(/^ACCEPT .*:(\d+)$/)?.[1];
            if (port) break;
        }
        const url = `https://localhost:${port}/`;
        const common = ['--silent', '--show-error', '--max-time', '30', '--cacert', at('server.pem'), url];
        const page = await run('curl', '--cert-type', 'P12', '--cert', `${pfx.replaceAll(':', '\\:')}:${passphrase}`, ...common);
        assert.match(page, new RegExp(`Subject: .*CN ?= ?${commonName}`));
        await assert.rejects(run('curl', ...common), 'the server takes nobody without a certificate');
    } finally {
        const gone = once(server, 'exit');
        server.kill();
        await gone;
    }
}
