// Renewal: the next certificate, asked for with the current one.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

import { Gateway } from './gateway.js';
import { NEW_PASSPHRASE, PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { collect, collectHere, READY, savedName } from './pages/collect.js';
import { codes, faults, state } from './pages/components.js';
import { formIsBack, register } from './pages/register.js';
import { goOnToCollect, transactionId } from './pages/submitted.js';

/** Certificates that can be renewed from their first day on, those of people for the same key too. */
const config = ({ certificate_types: types }) => ({
    certificate_types: types.map((type) => ({
        ...type, validity_days: 60, ...(type.renewal && { renewal: { window_days: 60, same_key: true } }),
    })),
});
const { test, gateway, browser, another, borrow } = site({ gateway: { manual: true, config } });

/** Registers and collects; leaves the tab on the request's page. Gives the certificate's serial number. */
async function certified(tab, name) {
    const id = await register(tab, gateway.url, { name, passphrase: PASSPHRASE });
    return collected(tab, id, PASSPHRASE);
}

/** The address of all that can be done with the request that the tab shows. */
const requestPage = async (tab) => (await tab.url()).href.replace('/submitted/', '/requests/');

/** Approves the request that the tab shows, collects and downloads it, and goes back to it; gives the file. */
async function collected(tab, id, passphrase) {
    const page = await requestPage(tab);
    await gateway.requests('approve', id);
    await goOnToCollect(tab);
    await collectHere(tab, passphrase);
    await tab.press('Download PKCS#12');
    const shown = await savedName(tab);
    const file = await browser.downloaded(new RegExp(`^${shown.replace(/[.()]/g, '.')}$`));
    await tab.open(page);
    await tab.heading('Certificate');
    return { ...file, serial: shown.match(/ ([0-9a-f]{8,}) /)[1] };
}

const info = (file, passphrase) => run('openssl', 'pkcs12', '-info', '-nodes', '-in', file.path, '-passin', `pass:${passphrase}`);

// The first, since in a session without a folder WebKitGTK keeps no files any more once the site's last window was closed.
test('the gateway is down when a renewal is sent; it is saved, and goes out when it is back', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    await certified(tab, 'Patient');
    await tab.press('Renew the certificate');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    // The worker for the new key comes from what is kept.
    await tab.kept();
    tab.expectFailedRequests();
    await gateway.kill();
    await tab.press('Renew');
    await tab.heading('Certificate Request Saved');
    await tab.accessible();
    await gateway.restart();
    const id = await transactionId(tab);
    await gateway.requests('reject', id, '--reason', 'Not any more');
    await tab.text('Not any more');
});

test('a certificate is renewed with a new key; old and new are told apart', async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'Renewing');
    await tab.press('Renew the certificate');
    await tab.heading('Renew');
    await tab.text('The current certificate');
    await tab.accessible();
    await tab.press('Renew');
    await faults(tab);
    await tab.accessible();
    await tab.type('Pickup Passphrase', 'wrong');
    await tab.press('Renew');
    assert.match((await faults(tab)).join(), /would be too weak/);
    await tab.type('Pickup Passphrase', 'Wrong-4-horse!!');
    await tab.press('Renew');
    await tab.heading('The passphrase is wrong');
    await tab.accessible();
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.choose('RSA 4096');
    await tab.press('Renew');
    await tab.heading('Making your key pair');
    await tab.press('Cancel');
    await formIsBack(tab);
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE, 'nothing typed is lost');
    await tab.choose('RSA 2048');
    await tab.press('Renew');
    await tab.heading('Certificate Request Submitted');
    await tab.text('the certificate with serial number');
    await tab.accessible();
    const listed = await gateway.requests('list');
    assert.match(listed, new RegExp(`Renewing\tada@example.com\t\t${old.serial}\t`));

    const renewed = await collected(tab, await transactionId(tab), PASSPHRASE);
    assert.notEqual(renewed.serial, old.serial);
    assert.notEqual(renewed.path, old.path);
    const [before, now] = [await info(old, PASSPHRASE), await info(renewed, PASSPHRASE)];
    assert.match(before, /friendlyName: Renewing\n/);
    assert.match(now, /friendlyName: Renewing \(until \d{4}-\d\d-\d\d\)\n/);
    const key = (text) => text.match(/-----BEGIN PRIVATE KEY-----[^-]+/)[0];
    assert.notEqual(key(before), key(now));

    await tab.navigate('My Certificates');
    await tab.text('Renews the certificate that ends on');
    const serials = await codes(tab, 4);
    assert.ok(serials.includes(old.serial) && serials.includes(renewed.serial), serials.join());
    await tab.accessible();
});

test('the same key is kept, under another passphrase, by the keyboard alone', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'Same Key');
    await tab.tabTo('Renew the certificate');
    await tab.key('Enter');
    await tab.heading('Renew');
    await tab.tabTo('Pickup Passphrase');
    await tab.keys(PASSPHRASE);
    await tab.tabTo('Keep the same key');
    await tab.key(' ');
    await tab.tabTo('Give the new key another passphrase');
    await tab.key(' ');
    await tab.tabTo('Passphrase of the new key');
    await tab.keys(NEW_PASSPHRASE);
    await tab.tabTo('Passphrase of the new key once more');
    await tab.keys(NEW_PASSPHRASE);
    await tab.key('Enter');
    await tab.heading('Certificate Request Submitted');
    const renewed = await collected(tab, await transactionId(tab), NEW_PASSPHRASE);
    assert.notEqual(renewed.serial, old.serial);
    const modulus = async (file, passphrase) => (await run('openssl', 'pkcs12', '-in', file.path, '-passin', `pass:${passphrase}`,
        '-clcerts', '-nokeys')).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/)[0];
    assert.notEqual(await modulus(old, PASSPHRASE), await modulus(renewed, NEW_PASSPHRASE));
    const key = (text) => text.match(/-----BEGIN PRIVATE KEY-----[^-]+/)[0];
    assert.equal(key(await info(old, PASSPHRASE)), key(await info(renewed, NEW_PASSPHRASE)));
    const { records } = await tab.stores();
    assert.equal(records.filter((record) => record.application.common_name === 'Same Key').length, 2);
});

test('a certificate that comes in a .p12 file is renewed in a browser that has never seen it', async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'From a File');
    await tab.close();
    const elsewhere = await another();
    const other = await elsewhere.tab(gateway.at('certificates'));
    await other.press('Renew a certificate that you have in a .p12 file');
    await other.heading('Renew');
    await other.accessible();
    await other.press('Open');
    await other.heading('Pick the file first');
    await other.pick('PKCS#12 file', fileURLToPath(import.meta.url));
    await other.type('Passphrase of the file', PASSPHRASE);
    await other.press('Open');
    await other.heading('There is no certificate to renew in this file');
    await other.accessible();
    await other.pick('PKCS#12 file', old.path);
    await other.type('Passphrase of the file', 'wrong');
    await other.press('Open');
    await other.heading('The passphrase does not open this file');
    await other.accessible();
    await other.type('Passphrase of the file', PASSPHRASE);
    await other.press('Open');
    await other.text('The current certificate');
    assert.equal(await other.value('Pickup Passphrase'), PASSPHRASE, 'it need not be typed twice');
    await other.accessible();
    await other.press('Renew');
    await other.heading('Certificate Request Submitted');
    assert.match(await gateway.requests('list'), new RegExp(`From a File\\tada@example.com\\t\\t${old.serial}\\t`));
    const id = await transactionId(other);
    await gateway.requests('approve', id);
    await state(other, 'Ready to collect');
    await collect(other, gateway.url, id, PASSPHRASE);
    await other.heading(READY);
});

test('before the window opens the page says from when on; a revoked certificate is refused with the reason', { needs: 'one engine' }, async () => {
    const early = await borrow(Gateway.start({ manual: true }));
    const tab = await browser.tab();
    const id = await register(tab, early.url, { name: 'Too Early', passphrase: PASSPHRASE });
    await early.requests('approve', id);
    await state(tab, 'Ready to collect');
    const page = await requestPage(tab);
    await collect(tab, early.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.open(page);
    await tab.text('It can be renewed from');
    await tab.open(page.replace('/requests/', '/renew/'));
    await tab.heading('It is too early to renew this certificate');
    await tab.accessible();

    const revoked = await register(tab, gateway.url, { name: 'Revoked', passphrase: PASSPHRASE });
    await collected(tab, revoked, PASSPHRASE);
    await gateway.requests('revoke', revoked, '--reason', 'key-compromise');
    tab.expectFailedRequests();
    await tab.press('Renew the certificate');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Renew');
    await tab.text('A revoked certificate is not renewed');
    await tab.text('This request cannot be accepted: register again');
    await tab.accessible();
});
