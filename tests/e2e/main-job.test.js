// The whole job: register, reload while waiting, collect, download, and the file opens everywhere.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, rootOf, site } from './fixture.js';
import { judge, run } from './judges.js';
import { collectHere } from './pages/collect.js';
import { state } from './pages/components.js';
import { fillIn } from './pages/register.js';
import { goOnToCollect, transactionId } from './pages/submitted.js';
import { Recorder } from './proxy.js';
import { appearancesOf, secretsOf } from './secrets.js';

const { test, gateway, browser, folder, borrow } = site();

test('register, reload, collect, download; every keystore opens the file; no secret leaves', async () => {
    const recorder = await borrow(Recorder.start(gateway.url));
    const tab = await browser.tab();
    const commonName = 'Ada Example';
    await tab.open(recorder.url);
    await tab.press('Register');
    await tab.heading('Choose Certificate Type');
    await fillIn(tab, recorder.url, { name: commonName, passphrase: PASSPHRASE });
    await tab.press('Submit');
    await tab.heading('Certificate Request Submitted');
    const id = await transactionId(tab);
    assert.match(id, /^([0-9A-Z]{3}-){8}[0-9A-Z]{3}$/);
    await tab.text('Note the transaction ID of your request for later certificate retrieval:');
    await tab.text('You cannot collect your certificate without the transaction ID number.');
    const crossedWhileRegistering = await tab.crossed();

    await tab.reload();
    assert.equal(await transactionId(tab), id, 'a reload in the middle of waiting');
    await state(tab, 'Ready to collect');

    const [held] = (await tab.stores()).records;
    await requestAndKeyAreReadElsewhere(held);
    const crossedWhileWaiting = await tab.crossed();

    await goOnToCollect(tab);
    assert.equal(await tab.value('Transaction ID'), id, 'the browser knows the transaction ID');
    await collectHere(tab, PASSPHRASE);
    await tab.press('Download PKCS#12');
    const file = await browser.downloaded(/^Ada Example [0-9a-f]+ \d{4}-\d\d-\d\d Test\.p12$/);
    await judge({ pfx: file.path, passphrase: PASSPHRASE, commonName, root: await rootOf(gateway, folder) });

    const secrets = await secretsOf(file.path, PASSPHRASE);
    const crossedWhileCollecting = await tab.crossed();
    const crossed = [...crossedWhileRegistering, ...crossedWhileWaiting, ...crossedWhileCollecting];
    assert.ok(crossed.some(({ from, text }) => from === 'worker' && text.includes('Generated')));
    assert.ok(crossed.some(({ from, text }) => from === 'worker' && text.includes('Exported')));
    const fromWorker = crossed.filter(({ from }) => from === 'worker').map(({ text }) => text).join('\n');
    const toWorker = crossed.filter(({ from }) => from === 'page').map(({ text }) => text).join('\n');
    const stores = JSON.stringify(await tab.stores());
    const network = recorder.all();
    assert.ok(network.includes('POST /api/v1/requests'), 'the recorder heard the page');
    assert.ok(stores.includes('encrypted_private_key'), 'the stores were read');
    assert.deepEqual(appearancesOf(secrets, { network, stores, fromWorker }), []);
    assert.deepEqual(appearancesOf({ ...secrets, passphrase: undefined }, { toWorker }), []);
});

/** The CSR as sent verifies, and OpenSSL opens the stored key with the pickup passphrase. */
async function requestAndKeyAreReadElsewhere(held) {
    const request = join(folder, 'request.der');
    const key = join(folder, 'key.der');
    await writeFile(request, Buffer.from(held.certification_request, 'base64'));
    await writeFile(key, Buffer.from(held.encrypted_private_key, 'base64'));
    const verdict = await run('openssl', 'req', '-verify', '-inform', 'DER', '-in', request, '-noout', '-text');
    assert.match(verdict, /verify OK/);
    assert.match(verdict, /email:ada@example.com/);
    assert.match(verdict, /sha256WithRSAEncryption/);
    const clear = await run('openssl', 'pkcs8', '-inform', 'DER', '-in', key, '-passin', `pass:${PASSPHRASE}`);
    assert.match(clear, /BEGIN PRIVATE KEY/);
    await assert.rejects(run('openssl', 'pkcs8', '-inform', 'DER', '-in', key, '-passin', 'pass:correct-4-horse!'));
}

test('the search for secrets finds what is there', async () => {
    const prime = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex');
    const secrets = { passphrase: PASSPHRASE, 'a prime': prime };
    const hidden = {
        plain: `x${PASSPHRASE}x`,
        encoded: encodeURIComponent(PASSPHRASE),
        utf16: Buffer.from(PASSPHRASE, 'utf16le'),
        base64: Buffer.concat([Buffer.from('xy'), prime]).toString('base64'),
        json: JSON.stringify({ key: Buffer.concat([Buffer.from('xyz'), Buffer.from(PASSPHRASE)]).toString('base64') }),
        hex: prime.toString('hex'),
        raw: Buffer.concat([Buffer.from('x'), prime]),
    };
    const found = new Set(appearancesOf(secrets, hidden).map((text) => text.split(' in ')[1]));
    assert.deepEqual([...found].sort(), Object.keys(hidden).sort());
});

test('sizes 3072 and 4096 are made and certified', async () => {
    for (const size of ['3072', '4096']) {
        const tab = await browser.tab();
        await fillIn(tab, gateway.url, { name: `Size ${size}`, passphrase: PASSPHRASE });
        await tab.choose(`RSA ${size}`);
        await tab.press('Submit');
        await tab.heading('Certificate Request Submitted');
        await state(tab, 'Ready to collect');
        const held = (await tab.stores()).records.find((record) => record.application.common_name === `Size ${size}`);
        await writeFile(join(folder, 'request.der'), Buffer.from(held.certification_request, 'base64'));
        const text = await run('openssl', 'req', '-verify', '-inform', 'DER', '-in', join(folder, 'request.der'), '-noout', '-text');
        assert.match(text, new RegExp(`Public-Key: \\(${size} bit\\)`));
    }
});
