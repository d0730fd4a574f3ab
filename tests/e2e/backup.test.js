// A backup goes on where the browser cannot: in another browser, and for OpenSSL alone; and the other kinds of file.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { otherKind } from './browser.js';
import { NEW_PASSPHRASE, PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { collect, collectHere, READY } from './pages/collect.js';
import { faults, openRestore, pickAndSubmit, pickBackup, state } from './pages/components.js';
import { register } from './pages/register.js';
import { goOnToCollect } from './pages/submitted.js';

const { test, gateway, browser, folder, another } = site({ gateway: { manual: true } });

test(`a request that waits is backed up, restored in ${otherKind}, and collected there, also without the gateway`, async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Backed Up', passphrase: PASSPHRASE });
    await tab.press('Save a backup of the request of Backed Up');
    const waiting = await browser.downloaded(/^Backed Up Test\.backup\.txt$/);
    await tab.text('Saved as “Backed Up Test.backup.txt”.');
    assert.match(await run('openssl', 'req', '-in', waiting.path, '-verify', '-noout'), /verify OK/);
    assert.match(await run('openssl', 'pkcs8', '-in', waiting.path, '-passin', `pass:${PASSPHRASE}`), /BEGIN PRIVATE KEY/);
    assert.ok(waiting.bytes.includes(id));

    const elsewhere = await another({ as: otherKind });
    const other = await elsewhere.tab(gateway.url);
    await pickBackup(other, waiting.path);
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
    await other.open(gateway.at('collect'));
    await other.text('The request of Backed Up, made on');
    await other.type('Pickup Passphrase', PASSPHRASE);
    await other.holds('Transaction ID', id);
    await other.press('Collect');
    await other.heading(READY);
    await other.press('Save a backup of the request of Backed Up');
    const collected = await elsewhere.downloaded(/^Backed Up [0-9a-f]+ \d{4}-\d\d-\d\d Test\.backup\.txt$/);
    assert.match(await run('openssl', 'x509', '-in', collected.path, '-noout', '-subject'), /Backed Up/);
    await other.kept();
    for (const each of [tab, other]) each.expectFailedRequests();
    await gateway.kill();
    await collect(other, gateway.url, id, PASSPHRASE);
    await other.heading(READY);
    await other.text('Not compared');
    await gateway.restart();

    // The backup with the certificate completes what is in the first profile, and the gateway is not needed any more.
    await tab.open(gateway.at('collect'));
    await pickBackup(tab, collected.path);
    await tab.text('The backup of the request of Backed Up, made on');
    await gateway.kill();
    await tab.type('Passphrase of the backup', PASSPHRASE);
    await tab.press('Restore');
    await tab.text('Completed. What was missing here was added from the backup.');
    await tab.text('Not compared');
    await collectHere(tab, PASSPHRASE);
    await gateway.restart();
});

test('Restore that is pressed while the file is being read is done once it has been read', async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'In Haste', passphrase: PASSPHRASE });
    await tab.press('Save a backup of the request of In Haste');
    const { bytes } = await browser.downloaded(/^In Haste Test\.backup\.txt$/);
    await tab.open(gateway.url);
    await openRestore(tab);
    await tab.type('Passphrase of the backup', PASSPHRASE);
    await pickAndSubmit(tab, 'Backup file', 'Dear reader,');
    await tab.text('This file is not a backup.');
    await pickAndSubmit(tab, 'Backup file', bytes);
    await tab.text('Already here.');
});

test('a file that is no backup, or a damaged one, is refused with the reason', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Damaged', passphrase: PASSPHRASE });
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
    await openRestore(tab);
    for (const [name, contents, text] of cases) {
        const path = join(folder, name);
        await writeFile(path, contents);
        await tab.pick('Backup file', path);
        await tab.text(text);
        await tab.accessible();
    }
    assert.deepEqual((await tab.stores()).records, before);
});

test('the certificate is collected into every kind of file on offer', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Many Files', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    for (const [label, button, name, told] of [
        ['PKCS#12, Compatible', 'Download PKCS#12', /^Many Files [0-9a-f]+ \S+ Test\.p12$/, /pbeWithSHA1And3-KeyTripleDES-CBC/],
        ['PEM', 'Download PEM', /^Many Files [0-9a-f]+ \S+ Test\.pem$/, /BEGIN PUBLIC KEY/],
    ]) {
        await tab.open(gateway.at('collect'));
        await tab.type('Transaction ID', id);
        await tab.choose(label);
        await collectHere(tab, PASSPHRASE);
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
});

test('a file with a passphrase of its own opens with that one alone', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Own Passphrase', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await goOnToCollect(tab);
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.choose('Give the file a passphrase of its own');
    await tab.type('Passphrase of the file', 'short');
    await tab.press('Collect');
    await faults(tab, 2);
    await tab.accessible();
    await tab.type('Passphrase of the file', NEW_PASSPHRASE);
    await tab.type('Passphrase of the file once more', NEW_PASSPHRASE);
    await tab.press('Collect');
    await tab.heading(READY);
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^Own Passphrase [0-9a-f]+ \S+ Test\.p12$/);
    const open = (passphrase) => run('openssl', 'pkcs12', '-info', '-noout', '-in', path, '-passin', `pass:${passphrase}`);
    assert.match(await open(NEW_PASSPHRASE), /MAC: sha256/);
    await assert.rejects(open(PASSPHRASE));
});
