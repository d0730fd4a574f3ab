// The Inspector tells what is in the files of other programs and of Keyside itself, and nothing of them leaves the browser.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { collect, READY } from './pages/collect.js';
import { state } from './pages/components.js';
import { asksForPassphrase, found, goToRequest, isMarkedWrong, pick } from './pages/inspector.js';
import { register } from './pages/register.js';
import { eventually } from './neighbours.js';

const WRONG = 'correct-4-horse!';
/** A request for a file of the inspector's program; or of the service worker's, for whose update a browser looks when it likes. */
const PROGRAM = /^GET \/(service-worker|inspector-[0-9a-f]{16}(_bg)?)\.(js|wasm)$/;
let proxy;
const { test, browser, folder, intercept } = site({
    needs: 'one engine',
    async prepare() {
        proxy = await intercept();
        await makeFiles();
    },
});

const at = (name) => join(folder, name);
const openssl = (...parameters) => run('openssl', ...parameters);

/** Key, certificate, request and chain of a CA that this site does not know, in the files of several programs. */
async function makeFiles() {
    const subject = (name) => ['-subj', `/O=Elsewhere/CN=${name}`];
    await openssl('req', '-x509', '-newkey', 'rsa:2048', '-noenc', '-keyout', at('root.key'), '-out', at('root.pem'), '-days', '30',
        ...subject('Other Root'), '-addext', 'keyUsage = critical, keyCertSign');
    await openssl('req', '-new', '-newkey', 'rsa:2048', '-noenc', '-keyout', at('clear.key'), '-out', at('request.csr'), ...subject('Bo Example'));
    await openssl('x509', '-req', '-in', at('request.csr'), '-CA', at('root.pem'), '-CAkey', at('root.key'), '-days', '30', '-out', at('leaf.pem'));
    const pkcs12 = ['pkcs12', '-export', '-inkey', at('clear.key'), '-in', at('leaf.pem'), '-certfile', at('root.pem'), '-name', 'Bo Example',
        '-passout', `pass:${PASSPHRASE}`];
    await openssl(...pkcs12, '-out', at('openssl.p12'));
    await openssl(...pkcs12, '-legacy', '-out', at('legacy.p12'));
    await run('keytool', '-importkeystore', '-noprompt', '-srcstoretype', 'PKCS12', '-srckeystore', at('openssl.p12'), '-srcstorepass', PASSPHRASE,
        '-deststoretype', 'PKCS12', '-destkeystore', at('java.p12'), '-deststorepass', PASSPHRASE);
    await mkdir(at('nss'));
    const database = ['-d', `sql:${at('nss')}`];
    await run('certutil', '-N', ...database, '--empty-password');
    await run('pk12util', '-i', at('openssl.p12'), ...database, '-W', PASSPHRASE);
    await run('pk12util', '-o', at('nss.p12'), '-n', 'Bo Example', ...database, '-W', PASSPHRASE);
    await openssl('crl2pkcs7', '-nocrl', '-certfile', at('leaf.pem'), '-certfile', at('root.pem'), '-outform', 'DER', '-out', at('chain.p7b'));
    await openssl('pkcs8', '-topk8', '-in', at('clear.key'), '-passout', `pass:${PASSPHRASE}`, '-out', at('locked.key'));
    await openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', at('ec.key'), '-out', at('curve.cer'),
        '-outform', 'DER', '-days', '30', ...subject('Curved'));
    await writeFile(at('rubbish.bin'), Buffer.alloc(3000, 0xa5));
}

/** A tab with the Inspector, which has all that it needs of the network. */
async function open() {
    const tab = await browser.tab();
    let isAnswered = false;
    proxy.onAnswer = ({ url }) => void (isAnswered ||= url === '/api/v1/ca');
    await tab.open(proxy.at('inspect'));
    await tab.heading('Inspector');
    await tab.kept();
    await eventually(() => isAnswered, () => 'the page asks for the CA');
    return tab;
}

for (const [name, told] of [
    ['openssl.p12', 'Current programs: Windows 10 (1709)'],
    ['legacy.p12', 'RC2 with 40 bits'],
    ['java.p12', 'AES-256'],
    ['nss.p12', 'AES-128'],
]) {
    test(`${name} is described, opened with its passphrase alone, and nothing crosses the network`, { needs: 'network events' }, async () => {
        const tab = await open();
        proxy.requests.length = 0;
        const asked = tab.watchRequests();
        await pick(tab, at(name));
        await tab.text(`In “${name}”, one thing was found.`);
        await tab.text(told);
        assert.deepEqual(await found(tab), ['PKCS#12 file']);
        await tab.accessible();

        await tab.type('Passphrase of the file', WRONG);
        await tab.key('Enter');
        await tab.text('The passphrase is wrong.');
        assert.ok(await isMarkedWrong(tab, 'Passphrase of the file'));
        assert.equal(await tab.value('Passphrase of the file'), WRONG);
        assert.deepEqual(await found(tab), ['PKCS#12 file'], 'what was told stays');
        await tab.accessible();

        await tab.type('Passphrase of the file', PASSPHRASE);
        await tab.press('Open');
        await tab.text('The key fits');
        await tab.text(`In “${name}”, 4 things were found.`);
        assert.deepEqual((await found(tab)).sort(), ['Certificate', 'Certificate of a certification authority', 'PKCS#12 file', 'Private key']);
        await tab.text('CN=Bo Example,O=Elsewhere');
        await tab.text('RSA, 2048 bits');
        await tab.text('Not issued by this site\'s CA');
        assert.equal(await asksForPassphrase(tab), false);
        await tab.accessible();

        // Its own program, which is asked for anew for each worker, is all that crosses: no body, no parameters.
        assert.deepEqual(proxy.requests.filter((request) => !PROGRAM.test(request)), []);
        const elsewhere = asked.map((request) => request.replace(proxy.url, '/'));
        assert.deepEqual(elsewhere.filter((request) => !PROGRAM.test(request)), []);
    });
}

test('a file collected here is recognised: this site\'s CA, the key in this browser', async () => {
    const tab = await browser.tab();
    const id = await register(tab, proxy.url, { name: 'Ada Example', passphrase: PASSPHRASE });
    await state(tab, 'Ready to collect');
    await collect(tab, proxy.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^Ada Example [0-9a-f]+ \S+ Test\.p12$/);
    await tab.navigate('Inspector');
    await tab.heading('Inspector');
    await pick(tab, path);
    await tab.text('Locked: what is in it is shown once you enter its passphrase.');
    await tab.type('Passphrase of the file', PASSPHRASE);
    await tab.press('Open');
    await tab.text('Issued by this site\'s CA');
    await tab.text('The key fits');
    await tab.text('logging in to web servers');
    await tab.accessible();
    await goToRequest(tab, 2);
    await tab.heading('Certificate Request Submitted');
    await tab.press('Save a backup of the request of Ada Example');
    const backup = await browser.downloaded(/^Ada Example .*\.backup\.txt$/);
    await tab.navigate('Inspector');
    await pick(tab, backup.path);
    await tab.text('The backup of the request of Ada Example. Restore it on Home or on Collect.');
    await tab.accessible();
});

test('certificates, requests, keys and chains are told apart, and rubbish is refused with the kinds that are known', async () => {
    const tab = await open();
    for (const [name, text, headings] of [
        ['clear.key', 'Whoever has this file has the key.', ['Private key']],
        ['request.csr', 'RSA with SHA-256; fits the key', ['Certificate request']],
        ['chain.p7b', 'CN=Other Root,O=Elsewhere', ['PKCS#7 file', 'Certificate', 'Certificate of a certification authority']],
        ['curve.cer', 'elliptic curve, P-256', ['Certificate of a certification authority']],
        ['locked.key', 'AES-256, PBKDF2 (SHA-256) with 2048 iterations; not opened', ['Private key']],
        ['rubbish.bin', 'The Inspector knows certificates (.cer, .crt, .pem, .der)', []],
    ]) {
        await pick(tab, at(name));
        await tab.text(text);
        assert.deepEqual(await found(tab), headings, name);
        await tab.accessible();
    }
    await pick(tab, at('locked.key'));
    await tab.type('Passphrase of the file', PASSPHRASE);
    await tab.press('Open');
    await tab.text('the passphrase opens it');
    await writeFile(at('huge.bin'), Buffer.alloc(2 << 20, 0x41));
    await pick(tab, at('huge.bin'));
    await tab.text('This file is too large.');
    assert.deepEqual(await found(tab), []);
});

test('the Inspector is worked with the keyboard', async () => {
    const tab = await open();
    await tab.tabTo('File');
    assert.ok(await tab.hasFocus('File'));
    await pick(tab, at('openssl.p12'));
    await tab.text('Locked: what is in it');
    await tab.tabTo('Passphrase of the file');
    await tab.keys(PASSPHRASE);
    await tab.tabTo('Open');
    await tab.key('Enter');
    await tab.text('The key fits');
});
