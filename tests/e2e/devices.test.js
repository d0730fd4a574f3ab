// Devices: the certificate request comes from the device; it is checked, saved, sent, and its certificate collected without a key.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, rootOf, site } from './fixture.js';
import { run } from './judges.js';
import { collect, READY } from './pages/collect.js';
import { entry, faults, noEntry, pickAndSubmit } from './pages/components.js';
import { asksNoMore, describe, fault, formatsOnOffer, hasFault, paste, pick, recipe, REQUEST_FILE, standing, TYPE } from './pages/devices.js';
import { fillInForm, register } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const SUBJECT = '/C=US/O=Example Grid Operator/OU=Devices/CN=';
let root;
const { test, gateway, browser, folder, another, intercept } = site({
    gateway: { manual: true },
    async prepare() { root = await rootOf(gateway, folder); },
});

const devices = () => gateway.at('devices');

/** Makes a key and a certificate request as a device would; gives the request's path. */
async function csr(name, { subject = SUBJECT + name, form = 'PEM', bits = 2048, more = [] } = {}) {
    const path = join(folder, `${name}.${form.toLowerCase()}`);
    await run('openssl', 'req', '-new', '-newkey', `rsa:${bits}`, '-nodes', '-keyout', join(folder, `${name}.key`), '-utf8', '-subj', subject,
        '-outform', form, '-out', path, ...more);
    return path;
}

/** Approves the request `id`, and waits until the certificate is there. */
async function issue(id) {
    await gateway.requests('approve', id);
    for (;;) {
        const { state } = await (await fetch(new URL(`api/v1/requests/${id}`, gateway.url))).json();
        if (state === 'issued') return;
    }
}

/** OpenSSL reads the three files, finds the device's key in them, and follows the chain. */
async function judgeFiles(name, file) {
    const [pem, der, p7b] = [await file('pem'), await file('cer'), await file('p7b')];
    const leaf = join(folder, `${name}.leaf.pem`);
    await run('openssl', 'x509', '-inform', 'DER', '-in', der.path, '-out', leaf);
    const fromPem = await run('openssl', 'x509', '-in', pem.path);
    assert.equal(fromPem, await run('openssl', 'x509', '-in', leaf));
    assert.match(await run('openssl', 'storeutl', '-noout', '-certs', pem.path), /Total found: 3/);
    const inP7b = await run('openssl', 'pkcs7', '-inform', 'DER', '-in', p7b.path, '-print_certs');
    assert.equal(inP7b.match(/BEGIN CERTIFICATE/g).length, 3);
    assert.ok(inP7b.includes(fromPem.trim()));
    for (const purpose of ['sslclient', 'sslserver']) {
        assert.match(await run('openssl', 'verify', '-purpose', purpose, '-CAfile', root, '-untrusted', pem.path, leaf), /: OK/);
    }
    const key = await run('openssl', 'pkey', '-in', join(folder, `${name}.key`), '-pubout');
    assert.equal(await run('openssl', 'x509', '-in', leaf, '-noout', '-pubkey'), key);
    return leaf;
}

test('a pasted request is checked, sent, approved after a reload, and collected in all three formats', async () => {
    const tab = await browser.tab(gateway.url);
    await tab.navigate('Devices');
    await tab.heading('Certificate request of a device');
    await tab.text('This browser holds no requests for devices yet.');
    await tab.accessible();
    const text = await readFile(await csr('rig-1', { more: ['-addext', 'subjectAltName=DNS:rig-1.example.com,IP:192.0.2.1'] }), 'utf8');
    await paste(tab, text);
    await tab.text('What the certificate request says');
    await tab.text('Fits the public key');
    await tab.text('RSA, 2048 bits');
    await tab.text('DNS:rig-1.example.com, IP:192.0.2.1');
    assert.equal(await tab.value('Device Name'), 'rig-1', 'the name is taken from the request');
    await describe(tab, undefined, { format: 'P7B' });
    await tab.accessible();
    await tab.press('Submit');
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    await standing(tab, 'rig-1', 'Waiting for approval');
    await tab.accessible();
    const listed = await gateway.requests('list');
    assert.match(listed, /\tdevices\trig-1\tops@example.com\t+RIG DNS:rig-1.example.com IP:192.0.2.1 \(p7b\)\t/);

    await tab.reload();
    await standing(tab, 'rig-1', 'Waiting for approval');
    assert.ok((await entry(tab, 'rig-1')).includes(id));
    await issue(id);
    await standing(tab, 'rig-1', 'Ready to collect');
    const order = await formatsOnOffer(tab);
    assert.deepEqual(order, ['P7B', 'PEM', 'DER'], 'the wanted one first');
    for (const format of order) {
        await tab.press(`Collect as ${format} the certificate of rig-1`);
        await tab.text(format === 'DER' ? '.cer”' : `.${format.toLowerCase()}”`);
    }
    await standing(tab, 'rig-1', 'Ready to download');
    await tab.accessible();
    const leaf = await judgeFiles('rig-1', (extension) => browser.downloaded(new RegExp(`^rig-1 [0-9a-f]+ \\d{4}-\\d\\d-\\d\\d Test\\.${extension}$`)));
    assert.match(await run('openssl', 'x509', '-in', leaf, '-noout', '-ext', 'subjectAltName'), /DNS:rig-1.example.com, IP Address:192.0.2.1/);
});

test('a subject in an old string type is shown as text, accepted, and certified in a string type of today', { needs: 'two engines' }, async () => {
    const settings = join(folder, 'nombstr.cnf');
    await writeFile(settings, '[req]\ndistinguished_name = name\nstring_mask = nombstr\n[name]\n');
    const path = await csr('rig_1', { more: ['-config', settings] });
    assert.match(await run('openssl', 'asn1parse', '-in', path), /T61STRING +:rig_1/);
    const tab = await browser.tab(devices());
    await pick(tab, path);
    await tab.text('Fits the public key');
    await tab.text('CN=rig_1,OU=Devices,O=Example Grid Operator,C=US');
    assert.equal(await tab.value('Device Name'), 'rig_1');
    await describe(tab, undefined);
    // Submit waits for a file that is still being read.
    await pickAndSubmit(tab, REQUEST_FILE, await readFile(path));
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    await issue(id);
    await tab.press('Collect as PEM the certificate of rig_1');
    const { path: certificate } = await browser.downloaded(/^rig_1 [0-9a-f]+ \S+ Test\.pem$/);
    assert.match(await run('openssl', 'asn1parse', '-in', certificate), /UTF8STRING +:rig_1/);
});

test('a DER file is picked; the gateway is down at Submit, and the request goes out when it is back', async () => {
    const tab = await browser.tab(devices());
    await pick(tab, await csr('dpg-1', { form: 'DER' }));
    await tab.text('Fits the public key');
    assert.match(await tab.value('Certificate request (CSR)'), /^-----BEGIN CERTIFICATE REQUEST-----/);
    await describe(tab, undefined, { type: 'Data Processing Gateway (DPG)', format: 'DER' });
    tab.expectFailedRequests();
    await gateway.kill();
    await tab.press('Submit');
    await tab.heading('The request is saved, and not sent yet');
    await standing(tab, 'dpg-1', 'Not sent yet');
    await tab.accessible();
    await gateway.restart();
    await standing(tab, 'dpg-1', 'Waiting for approval');
    const id = (await entry(tab, 'dpg-1')).match(/([0-9A-Z]{3}-){8}[0-9A-Z]{3}/)[0];
    await gateway.requests('reject', id, '--reason', 'no such device');
    await standing(tab, 'dpg-1', 'Rejected');
    await tab.text('no such device');
    await tab.accessible();

    await tab.press('Remove the request of dpg-1');
    await tab.text('Remove the request of dpg-1 from this browser?');
    await tab.accessible();
    await tab.press('Keep it');
    await asksNoMore(tab);
    await tab.press('Remove the request of dpg-1');
    await tab.press('Yes, remove it');
    await noEntry(tab, 'dpg-1');
});

test('what is wrong with a request is told before anything is sent, and nothing typed is lost', { needs: 'one engine' }, async () => {
    const tab = await browser.tab(devices());
    await tab.press('Submit');
    assert.deepEqual(await faults(tab), [
        'Choose the Device Type.',
        'Enter the Device Name, as it stands in the certificate request.',
        'Enter your e-mail address.',
        'Paste the certificate request here, or choose its file.',
    ]);
    await tab.accessible();
    await tab.press('Choose the Device Type.');
    assert.ok(await tab.focusIsOnOptionsOf('Device Type'));
    await describe(tab, 'bad-1');
    const good = await readFile(await csr('bad-1'), 'utf8');

    const der = Buffer.from(good.replace(/-----.*-----|\s/g, ''), 'base64');
    der[der.length - 1] ^= 1;
    const damaged = join(folder, 'damaged.der');
    await writeFile(damaged, der);
    await pick(tab, damaged);
    await fault(tab, /The signature of the certificate request is wrong/);
    await tab.text('Does not prove that');
    await pick(tab, await csr('bad-1', { bits: 1024 }));
    await fault(tab, /The key has 1024 bits. Make one with 2048 or 3072 or 4096 bits/);
    await pick(tab, await csr('bad-1', { subject: '/C=US/O=Other/OU=Devices/CN=bad-2' }));
    await fault(tab, /“O=Other” instead of “O=Example Grid Operator”; “CN=bad-2” instead of “CN=bad-1”/);
    await tab.text('CN=bad-1,OU=Devices,O=Example Grid Operator,C=US');
    await tab.accessible();
    await pick(tab, join(folder, 'root.cer'));
    await fault(tab, /This is not a certificate request, or it is damaged/);
    await pick(tab, root);
    await fault(tab, /This is a certificate, not a certificate request/);
    await pick(tab, join(folder, 'bad-1.key'));
    await fault(tab, /This has a private key. It must not leave the device/);
    await paste(tab, 'nonsense');
    await fault(tab, /This is not a certificate request, or it is damaged/);
    await tab.press('Submit');
    await faults(tab);
    assert.equal(await tab.value('Certificate request (CSR)'), 'nonsense');
    assert.equal(await tab.value('Device Name'), 'bad-1');
    await tab.accessible();

    await run('openssl', 'req', '-new', '-key', join(folder, 'bad-1.key'), '-out', join(folder, 'challenge.pem'), '-config', await challenge());
    await pick(tab, join(folder, 'challenge.pem'));
    await tab.text('It has a challenge password.');
    assert.equal(await hasFault(tab), false, 'a warning, no fault');
    await tab.accessible();
    assert.ok(!(await gateway.requests('list')).includes('bad-1'), 'nothing was sent');
});

/** An OpenSSL configuration that puts a challenge password into requests. */
async function challenge() {
    const path = join(folder, 'challenge.cnf');
    await writeFile(path, [
        '[req]', 'prompt = no', 'distinguished_name = dn', 'attributes = attributes',
        '[dn]', 'C = US', 'O = Example Grid Operator', 'OU = Devices', 'CN = bad-1',
        '[attributes]', 'challengePassword = secret', '',
    ].join('\n'));
    return path;
}

test('a refusal of the gateway is shown with its reason, and the request can be mended', { needs: 'one engine' }, async () => {
    const interceptor = await intercept();
    const refusal = {
        type: '/problems/device-name-differs', title: 'The device has another name', status: 422, detail: 'They must be the same.',
    };
    const refuse = { status: 422, type: 'application/problem+json', body: JSON.stringify(refusal) };
    // The page has an older configuration than the gateway: the gateway has the last word.
    interceptor.rules = [({ method }) => (method === 'POST' ? refuse : undefined)];
    const tab = await browser.tab(interceptor.at('devices'));
    tab.expectFailedRequests();
    await pick(tab, await csr('iccp-1'));
    await tab.text('Fits the public key');
    await describe(tab, undefined, { type: 'Inter-Control Center Communications Protocol (ICCP)' });
    await tab.press('Submit');
    await tab.heading('The request was refused');
    await tab.text('They must be the same.');
    await standing(tab, 'iccp-1', 'Refused');
    await tab.accessible();
    assert.equal(await tab.value('Device Name'), 'iccp-1', 'nothing typed is lost');
    interceptor.rules = [];
    await tab.type('Email Address', 'others@example.com');
    await tab.press('Submit');
    await tab.heading('Certificate Request Submitted');
    await standing(tab, 'iccp-1', 'Waiting for approval');
    assert.match(await gateway.requests('list'), /\ticcp-1\tothers@example.com\t+ICCP \(pem\)\t/);
    await pick(tab, join(folder, 'iccp-1.pem'));
    await tab.text('Fits the public key');
    await tab.press('Submit');
    await tab.heading('This certificate request was sent before');
    await tab.accessible();
    // With other details, it is corrected while it waits.
    await pick(tab, join(folder, 'iccp-1.pem'));
    await tab.text('Fits the public key');
    await tab.choose('P7B');
    await tab.press('Submit');
    await tab.heading('The certificate request was corrected');
    await tab.accessible();
    const list = await gateway.requests('list');
    assert.equal(list.match(/\ticcp-1\t/g).length, 1);
    assert.match(list, /\ticcp-1\tothers@example.com\t+ICCP \(p7b\)\t/);
});

/** Runs a line of a recipe in a shell, as a person would; `input` is what is typed. */
async function shell(command, cwd, input) {
    const child = spawn('sh', ['-c', command], { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
    let told = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (told += chunk));
    child.stdin.end(input);
    const [status] = await once(child, 'close');
    assert.equal(status, 0, `${command}\n${told}`);
    return told;
}

test('the recipes for OpenSSL and keytool are run as they stand, and what they make is accepted', { needs: 'one engine' }, async () => {
    const name = "O'Brien/RIG+7, \"7\" $(id)";
    const tab = await browser.tab(devices());
    await tab.unfold();
    await tab.text('Enter the Device Name above');
    await describe(tab, name, { format: 'P7B' });
    await recipe(tab, 'openssl', 'RIG\\+7');
    await tab.accessible();
    const stem = 'O-Brien-RIG-7---7----id';

    const [withOpenssl, withKeytool] = [join(folder, 'openssl'), join(folder, 'keytool')];
    await mkdir(withOpenssl);
    await mkdir(withKeytool);
    await shell(await recipe(tab, 'openssl'), withOpenssl);
    await shell(await recipe(tab, 'keytool-key'), withKeytool, 'changeit\nchangeit\n');
    await shell(await recipe(tab, 'keytool-request'), withKeytool, 'changeit\n');
    const importing = await recipe(tab, 'keytool-import');
    for (const [at, further] of [[withOpenssl, false], [withKeytool, true]]) {
        await pick(tab, join(at, `${stem}.csr`));
        await tab.text('Fits the public key');
        assert.equal(await hasFault(tab), false);
        await tab.press('Submit');
        await tab.heading('Certificate Request Submitted');
        const id = await transactionId(tab);
        if (further) {
            await issue(id);
            const answer = await (await fetch(new URL(`api/v1/requests/${id}/certificate`, gateway.url), {
                headers: { accept: 'application/pkcs7-mime' },
            })).arrayBuffer();
            await writeFile(join(at, 'answer.p7c'), Buffer.from(answer));
            await tab.type('Transaction ID', id);
            await tab.press('Collect');
            await tab.heading("The device's certificate is ready");
            await tab.press(`Download P7B the certificate of ${name}`);
            const file = await browser.downloaded(/^O'Brien.*\.p7b$/);
            await writeFile(join(at, `${stem}.p7b`), file.bytes);
            await shell(importing, at, 'changeit\nyes\n');
            const listed = await run('keytool', '-list', '-v', '-keystore', join(at, `${stem}.p12`), '-storepass', 'changeit');
            assert.match(listed, /Certificate chain length: 3/);
        } else {
            await describe(tab, name);
        }
    }
});

test('a device\'s certificate is collected in another profile by the transaction ID alone', async () => {
    const tab = await browser.tab(devices());
    await pick(tab, await csr('rig-9'));
    await tab.text('Fits the public key');
    await describe(tab, undefined, { format: 'DER' });
    await tab.press('Submit');
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    await tab.close();

    const elsewhere = await another();
    const other = await elsewhere.tab();
    await collect(other, gateway.url, id, PASSPHRASE);
    await other.heading('This is the request of a device');
    await other.accessible();
    await other.press('Collect it on Devices');
    await other.heading('Collect by transaction ID');
    assert.equal(await other.value('Transaction ID'), id);
    await other.press('Collect');
    await other.heading('The request is waiting for approval');
    await other.accessible();
    await issue(id);
    await other.press('Collect');
    await other.heading("The device's certificate is ready");
    await other.accessible();
    for (const format of ['DER', 'PEM', 'P7B']) await other.press(`Download ${format} the certificate of rig-9`);
    await judgeFiles('rig-9', (extension) => elsewhere.downloaded(new RegExp(`^rig-9 [0-9a-f]+ \\S+ Test\\.${extension}$`)));

    const person = await register(other, gateway.url, { name: 'Ada Example', passphrase: PASSPHRASE });
    other.expectFailedRequests();
    for (const [typed, title] of [
        [person, 'This is not the request of a device'],
        ['nonsense', 'This is not a transaction ID'],
        ['000-000-000-000-000-000-000-000-011', 'No request has this transaction ID'],
    ]) {
        await other.open(devices());
        await other.type('Transaction ID', typed);
        await other.press('Collect');
        await other.heading(title);
        await other.accessible();
    }
});

test('a key for a device is made here, against the advice, and collected as a person\'s', { needs: 'one engine' }, async () => {
    const tab = await browser.tab(gateway.at('register'));
    await tab.text('For a RIG, a DPG or an ICCP server');
    await tab.open(devices());
    await tab.unfold();
    await tab.text('a key that is made there never travels');
    await tab.accessible();
    await tab.press('Make the key here: Devices');
    await tab.heading('Certificate Request');
    await tab.type('Device Name', 'rig-here');
    await fillInForm(tab, { email: 'ops@example.com', passphrase: PASSPHRASE });
    await tab.press('Submit');
    assert.deepEqual(await faults(tab), ['Choose the Device Type.']);
    await tab.accessible();
    await tab.choose(TYPE);
    await tab.press('Submit');
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    await tab.text('Remote Intelligent Gateway (RIG)');
    await tab.accessible();
    assert.match(await gateway.requests('list'), /\trig-here\tops@example.com\t+RIG \(pem\)\t/);
    await issue(id);
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^rig-here [0-9a-f]+ \S+ Test\.p12$/);
    const leaf = join(folder, 'rig-here.pem');
    await run('openssl', 'pkcs12', '-in', path, '-passin', `pass:${PASSPHRASE}`, '-clcerts', '-nokeys', '-out', leaf);
    assert.match(await run('openssl', 'x509', '-in', leaf, '-noout', '-ext', 'extendedKeyUsage'), /Client Authentication, TLS Web Server Authentication/);
});

test('a request is described, pasted and sent by the keyboard alone', { needs: 'one engine' }, async () => {
    const tab = await browser.tab(devices());
    const text = await readFile(await csr('rig-keys'), 'utf8');
    await tab.heading('Certificate request of a device');
    await tab.tabTo(TYPE);
    await tab.key(' ');
    await tab.tabTo('Device Name');
    await tab.keys('rig-keys');
    await tab.tabTo('Email Address');
    await tab.keys('ops@example.com');
    await tab.tabTo('How to make the certificate request on the device');
    await tab.key('Enter');
    await recipe(tab, 'openssl');
    await tab.tabTo('Certificate request (CSR)');
    await paste(tab, text);
    await tab.tabTo('Submit');
    await tab.key('Enter');
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    await issue(id);
    await standing(tab, 'rig-keys', 'Ready to collect');
    await tab.tabTo('Collect as PEM the certificate of rig-keys');
    await tab.key('Enter');
    await browser.downloaded(/^rig-keys .*\.pem$/);
});
