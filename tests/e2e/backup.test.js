// A backup goes on where the browser cannot: in another browser, and for OpenSSL alone; and the other kinds of file.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Browser, kind, otherKind } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';

const PASSPHRASE = 'Correct-4-horse!';
let gateway, browser, elsewhere, folder;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    browser = await Browser.start();
    elsewhere = await Browser.start({ as: otherKind });
    folder = await mkdtemp(join(tmpdir(), 'keyside-backup-'));
});

after(async () => {
    await browser?.stop();
    await elsewhere?.stop();
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
});

/** Opens the panel on this page and picks `path`. */
async function pick(tab, path) {
    await tab.see('details.restore');
    await tab.page.click('details.restore:not([open]) > summary');
    const field = await tab.field('Backup file');
    await field.uploadFile(path);
}

test(`${kind}: a request that waits is backed up, restored in ${otherKind}, and collected there, also without the gateway`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Backed Up', passphrase: PASSPHRASE });
    await tab.press('Save a backup of the request of Backed Up');
    const waiting = await browser.downloaded(/^Backed Up Test\.backup\.txt$/);
    await tab.text('Saved as “Backed Up Test.backup.txt”.');
    assert.match(await run('openssl', 'req', '-in', waiting.path, '-verify', '-noout'), /verify OK/);
    assert.match(await run('openssl', 'pkcs8', '-in', waiting.path, '-passin', `pass:${PASSPHRASE}`), /BEGIN PRIVATE KEY/);
    assert.ok(waiting.bytes.includes(id));

    const other = await elsewhere.tab(gateway.url);
    await pick(other, waiting.path);
    await other.text('The backup of the request of Backed Up, made on');
    await other.accessible();
    await other.type('Passphrase of the backup', 'correct-4-horse!');
    await other.press('Restore');
    await other.text('The passphrase is wrong.');
    assert.deepEqual((await other.stores()).records, []);
    await other.type('Passphrase of the backup', PASSPHRASE);
    await other.press('Restore');
    await other.text('Restored. The request and its key are in this browser now.');
    await other.text('Waiting for approval');
    await other.accessible();
    // As JSON: the two browsers' protocols differ in how they hand on what is undefined.
    const held = async (tab) => JSON.parse(JSON.stringify((await tab.stores()).records));
    assert.deepEqual(await held(other), await held(tab));

    await other.type('Passphrase of the backup', PASSPHRASE);
    await other.press('Restore');
    await other.text('Already here.');

    await gateway.requests('approve', id);
    await other.text('Ready to collect');
    await other.open(new URL('collect', gateway.url).href);
    await other.text('The request of Backed Up, made on');
    await other.type('Pickup Passphrase', PASSPHRASE);
    await other.until((id) => document.querySelector('#collect-id').value === id, id);
    await other.press('Collect');
    await other.heading('Your certificate is ready');
    await other.press('Save a backup of the request of Backed Up');
    const collected = await elsewhere.downloaded(/^Backed Up [0-9a-f]+ \d{4}-\d\d-\d\d Test\.backup\.txt$/);
    assert.match(await run('openssl', 'x509', '-in', collected.path, '-noout', '-subject'), /Backed Up/);
    await other.kept();
    await gateway.kill();
    await other.collect(gateway.url, id, PASSPHRASE);
    await other.heading('Your certificate is ready');
    await gateway.restart();

    // The backup with the certificate completes what is in the first profile, and the gateway is not needed any more.
    await tab.open(new URL('collect', gateway.url).href);
    await pick(tab, collected.path);
    await tab.text('The backup of the request of Backed Up, made on');
    await gateway.kill();
    await tab.type('Passphrase of the backup', PASSPHRASE);
    await tab.press('Restore');
    await tab.text('Completed. What was missing here was added from the backup.');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await tab.heading('Your certificate is ready');
    await gateway.restart();
    await tab.page.close();
    await other.page.close();
});

test(`${kind}: Restore that is pressed while the file is being read is done once it has been read`, async () => {
    const tab = await browser.tab();
    await tab.register(gateway.url, { name: 'In Haste', passphrase: PASSPHRASE });
    await tab.press('Save a backup of the request of In Haste');
    const { bytes } = await browser.downloaded(/^In Haste Test\.backup\.txt$/);
    await tab.open(gateway.url);
    await tab.see('details.restore');
    await tab.page.click('details.restore > summary');
    await tab.type('Passphrase of the backup', PASSPHRASE);
    // In one task: the file cannot have been read in between.
    const pickAndPress = (text) => tab.page.evaluate((text) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], 'backup.txt', { type: 'text/plain' }));
        const field = document.querySelector('#restore-file');
        field.files = transfer.files;
        field.dispatchEvent(new Event('change', { bubbles: true }));
        field.form.requestSubmit();
    }, text);
    await pickAndPress('Dear reader,');
    await tab.text('This file is not a backup.');
    await pickAndPress(bytes.toString());
    await tab.text('Already here.');
    await tab.page.close();
});

test(`${kind}: a file that is no backup, or a damaged one, is refused with the reason`, async () => {
    const tab = await browser.tab();
    await tab.register(gateway.url, { name: 'Damaged', passphrase: PASSPHRASE });
    await tab.press('Save a backup of the request of Damaged');
    const { bytes } = await browser.downloaded(/^Damaged Test\.backup\.txt$/);
    await tab.open(gateway.url);
    const cases = [
        ['foreign.txt', 'Dear reader,\n', 'This file is not a backup.'],
        ['changed.txt', bytes.toString().replace('Common Name: Damaged', 'Common Name: Mended'), 'its checksum does not fit'],
        ['cut.txt', bytes.subarray(0, bytes.length / 2), 'its end is missing'],
        ['huge.txt', Buffer.alloc(2 << 20, 0x41), 'This file is not a backup.'],
    ];
    const before = (await tab.stores()).records;
    await tab.see('details.restore');
    await tab.page.click('details.restore > summary');
    for (const [name, contents, text] of cases) {
        const path = join(folder, name);
        await writeFile(path, contents);
        await (await tab.field('Backup file')).uploadFile(path);
        await tab.text(text);
        await tab.accessible();
    }
    assert.deepEqual((await tab.stores()).records, before);
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});

test(`${kind}: the certificate is collected into every kind of file on offer`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Many Files', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    for (const [label, button, name, told] of [
        ['PKCS#12, Compatible', 'Download PKCS#12', /^Many Files [0-9a-f]+ \S+ Test\.p12$/, /pbeWithSHA1And3-KeyTripleDES-CBC/],
        ['PEM', 'Download PEM', /^Many Files [0-9a-f]+ \S+ Test\.pem$/, /BEGIN PUBLIC KEY/],
    ]) {
        await tab.open(new URL('collect', gateway.url).href);
        await tab.type('Transaction ID', id);
        await tab.type('Pickup Passphrase', PASSPHRASE);
        await (await tab.field(label)).click();
        await tab.press('Collect');
        await tab.heading('Your certificate is ready');
        await tab.accessible();
        await tab.press(button);
        const { path } = await browser.downloaded(name);
        const passphrase = `pass:${PASSPHRASE}`;
        const opened = name.test('Many Files 0 x Test.pem')
            ? await run('openssl', 'pkey', '-in', path, '-passin', passphrase, '-pubout')
            : await run('openssl', 'pkcs12', '-legacy', '-info', '-noout', '-in', path, '-passin', passphrase);
        assert.match(opened, told);
        if (label === 'PEM') assert.equal((await readFile(path, 'utf8')).match(/BEGIN CERTIFICATE/g).length, 3);
    }
    await tab.page.close();
});

test(`${kind}: a file with a passphrase of its own opens with that one alone`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Own Passphrase', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.press('Collect the certificate');
    await tab.heading('Collect');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await (await tab.field('Give the file a passphrase of its own')).click();
    await tab.type('Passphrase of the file', 'short');
    await tab.press('Collect');
    await tab.until(() => document.querySelectorAll('#error-summary li').length === 2);
    await tab.accessible();
    await tab.type('Passphrase of the file', 'Another-5-donkeys!');
    await tab.type('Passphrase of the file once more', 'Another-5-donkeys!');
    await tab.press('Collect');
    await tab.heading('Your certificate is ready');
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^Own Passphrase [0-9a-f]+ \S+ Test\.p12$/);
    const open = (passphrase) => run('openssl', 'pkcs12', '-info', '-noout', '-in', path, '-passin', `pass:${passphrase}`);
    assert.match(await open('Another-5-donkeys!'), /MAC: sha256/);
    await assert.rejects(open(PASSPHRASE));
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});
