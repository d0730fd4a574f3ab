// Files as the programs of the field write them, where a person meets them: each is read, or named with what to do.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { site } from './fixture.js';
import { openRestore, pickAndSubmit } from './pages/components.js';
import { paste, pick as pickRequest } from './pages/devices.js';
import { found, pick } from './pages/inspector.js';

const FIELD = fileURLToPath(new URL('../vectors/field/', import.meta.url));
/** The passphrase of these files. */
const PASSPHRASE = 'Correct-4-horse';
const at = (name) => join(FIELD, name);
const { test, gateway, browser } = site({ needs: 'two engines' });

test('the Inspector reads each file, or names it with the command that converts it', async () => {
    const tab = await browser.tab(gateway.at('inspect'));
    await tab.heading('Inspector');
    for (const [name, text, headings] of [
        ['pem04-utf16le.pem', 'CN=Ada Example,O=Example,C=US', ['Certificate']],
        ['pem06-literal-n.txt', 'CN=Ada Example,O=Example,C=US', ['Certificate']],
        ['pem07-der-trailing-newline.cer', 'Bytes that do not belong to it: 2.', ['Certificate']],
        ['crt01-negative-serial.pem', '-07:5B:CD:15', ['Certificate']],
        ['crt02b-bmp-subject.pem', 'CN=Jörg Müller,O=Beispiel GmbH,C=DE', ['Certificate']],
        ['csr01-no-attributes.pem', 'The request leaves its attributes out.', ['Certificate request']],
        ['csr21-pss.pem', 'RSASSA-PSS; fits the key', ['Certificate request']],
        ['csr33-san-utf8-dns.pem', 'rig-1.example.com', ['Certificate request']],
        ['pfx02-base64.txt', 'Part of it is locked', ['PKCS#12 file']],
        ['pfx15-1M-mac.p12', 'Windows opens files with at most 600,000 of them.', ['PKCS#12 file']],
        ['t02.jks', 'keytool -importkeystore', ['Java keystore (JKS)']],
        ['key01-openssh.key', 'ssh-keygen -p -m PKCS8', ['Private key of OpenSSH']],
    ]) {
        await pick(tab, at(name));
        await tab.text(`In “${name}”`);
        await tab.text(text);
        assert.deepEqual(await found(tab), headings, name);
    }
    await tab.accessible();
});

test('a request is read on Devices whatever stands around it', async () => {
    const tab = await browser.tab(gateway.at('devices'));
    for (const name of ['csr06-utf16le-bom.txt', 'csr07-cisco-terminal.txt', 'csr17-quoted-mail.txt', 'csr17b-em-dash.txt', 'csr30-76-columns.pem',
        'csr18b-der-trailing-newline.csr', 't10b-forge-csr-order.pem']) {
        await paste(tab, '');
        await tab.noText('What the certificate request says');
        await pickRequest(tab, at(name));
        await tab.text('What the certificate request says');
        await tab.text('CN=rig-1');
    }
    await tab.accessible();
});

test('a backup is restored that Notepad saved as UTF-16, or that stands in a mail', async () => {
    const tab = await browser.tab(gateway.url);
    await openRestore(tab);
    for (const name of ['backup-utf16.txt', 'backup-leading-text.txt']) {
        await tab.pick('Backup file', at(name));
        await tab.text('The backup of the request of');
    }
    await tab.accessible();
});

test('of a PKCS#12 file of several years, opened while it is being read, one certificate is chosen to be renewed', async () => {
    const tab = await browser.tab(gateway.at('renew'));
    await tab.type('Passphrase of the file', PASSPHRASE);
    await pickAndSubmit(tab, 'PKCS#12 file', await readFile(at('pfx08-two-keys.p12')));
    await tab.text('Which certificate do you want to renew?');
    const ends = await tab.evaluate(() => [...document.querySelectorAll('input[name=certificate]')].map((radio) => radio.checked));
    assert.deepEqual(ends, [true, false], 'the one that ends last');
    await tab.accessible();
});
