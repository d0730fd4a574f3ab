// Renewal: the next certificate, asked for with the current one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';

const PASSPHRASE = 'Correct-4-horse!';
const NEW_PASSPHRASE = 'Another-5-donkeys!';
let gateway, browser;

before(async () => {
    gateway = await Gateway.start({
        manual: true,
        // Certificates that can be renewed from their first day on; those of one type for the same key too.
        changes: [
            ['validity_days = 730', 'validity_days = 60'],
            ['window_days = 90, same_key = false', 'window_days = 60, same_key = true'],
        ],
    });
    browser = await Browser.start();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

/** Registers and collects; leaves the tab on the request's page. Gives the certificate's serial number. */
async function certified(tab, name) {
    const id = await tab.register(gateway.url, { name, passphrase: PASSPHRASE });
    return collected(tab, id, PASSPHRASE);
}

/** The address of all that can be done with the request that the tab shows. */
const requestPage = (tab) => tab.page.url().replace('/submitted/', '/requests/');

/** Approves the request that the tab shows, collects and downloads it, and goes back to it; gives the file. */
async function collected(tab, id, passphrase) {
    const page = requestPage(tab);
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.press('Collect the certificate');
    await tab.heading('Collect');
    await tab.type('Pickup Passphrase', passphrase);
    await tab.press('Collect');
    await tab.heading('Your certificate is ready');
    await tab.press('Download PKCS#12');
    const shown = await tab.until(() => document.querySelector('main .message .quiet')?.textContent);
    const file = await browser.downloaded(new RegExp(`^${shown.replace(/[.()]/g, '.')}$`));
    await tab.open(page);
    await tab.heading('Certificate');
    return { ...file, serial: shown.match(/ ([0-9a-f]{8,}) /)[1] };
}

const info = (file, passphrase) => run('openssl', 'pkcs12', '-info', '-nodes', '-in', file.path, '-passin', `pass:${passphrase}`);

test(`${kind}: a certificate is renewed with a new key; old and new are told apart`, async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'Renewing');
    await tab.press('Renew the certificate');
    await tab.heading('Renew');
    await tab.text('The current certificate');
    await tab.accessible();
    await tab.press('Renew');
    await tab.until(() => document.activeElement.id === 'error-summary');
    await tab.accessible();
    await tab.type('Pickup Passphrase', 'wrong');
    await tab.press('Renew');
    await tab.until(() => document.activeElement.id === 'error-summary' && document.activeElement.innerText.includes('would be too weak'));
    await tab.type('Pickup Passphrase', 'Wrong-4-horse!!');
    await tab.press('Renew');
    await tab.heading('The passphrase is wrong');
    await tab.accessible();
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await (await tab.field('RSA 4096')).click();
    await tab.press('Renew');
    await tab.heading('Making your key pair');
    await tab.press('Cancel');
    await tab.until(() => document.querySelector('#submit').checkVisibility());
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE, 'nothing typed is lost');
    await (await tab.field('RSA 2048')).click();
    await tab.press('Renew');
    await tab.heading('Certificate Request Submitted');
    await tab.text('the certificate with serial number');
    await tab.accessible();
    const listed = await gateway.requests('list');
    assert.match(listed, new RegExp(`Renewing\tada@example.com\t\t${old.serial}\t`));

    const renewed = await collected(tab, await tab.transactionId(), PASSPHRASE);
    assert.notEqual(renewed.serial, old.serial);
    assert.notEqual(renewed.path, old.path);
    const [before, now] = [await info(old, PASSPHRASE), await info(renewed, PASSPHRASE)];
    assert.match(before, /friendlyName: Renewing\n/);
    assert.match(now, /friendlyName: Renewing \(until \d{4}-\d\d-\d\d\)\n/);
    const key = (text) => text.match(/-----BEGIN PRIVATE KEY-----[^-]+/)[0];
    assert.notEqual(key(before), key(now));

    await tab.navigate('My Certificates');
    await tab.text('Renews the certificate that ends on');
    const serials = await tab.until(() => {
        const shown = [...document.querySelectorAll('.requests .code')].map((code) => code.textContent.replaceAll(':', '').toLowerCase());
        return shown.length >= 4 && shown;
    });
    assert.ok(serials.includes(old.serial) && serials.includes(renewed.serial), serials.join());
    await tab.accessible();
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});

test(`${kind}: the same key is kept, under another passphrase, by the keyboard alone`, async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'Same Key');
    await tab.tabTo('Renew the certificate');
    await tab.page.keyboard.press('Enter');
    await tab.heading('Renew');
    await tab.tabTo('Pickup Passphrase');
    await tab.page.keyboard.type(PASSPHRASE);
    await tab.tabTo('Keep the same key');
    await tab.page.keyboard.press(' ');
    await tab.tabTo('Give the new key another passphrase');
    await tab.page.keyboard.press(' ');
    await tab.tabTo('Passphrase of the new key');
    await tab.page.keyboard.type(NEW_PASSPHRASE);
    await tab.tabTo('Passphrase of the new key once more');
    await tab.page.keyboard.type(NEW_PASSPHRASE);
    await tab.page.keyboard.press('Enter');
    await tab.heading('Certificate Request Submitted');
    const renewed = await collected(tab, await tab.transactionId(), NEW_PASSPHRASE);
    assert.notEqual(renewed.serial, old.serial);
    const modulus = async (file, passphrase) => (await run('openssl', 'pkcs12', '-in', file.path, '-passin', `pass:${passphrase}`,
        '-clcerts', '-nokeys')).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/)[0];
    assert.notEqual(await modulus(old, PASSPHRASE), await modulus(renewed, NEW_PASSPHRASE));
    const key = (text) => text.match(/-----BEGIN PRIVATE KEY-----[^-]+/)[0];
    assert.equal(key(await info(old, PASSPHRASE)), key(await info(renewed, NEW_PASSPHRASE)));
    const { records } = await tab.stores();
    assert.equal(records.filter((record) => record.application.common_name === 'Same Key').length, 2);
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});

test(`${kind}: a certificate that comes in a .p12 file is renewed in a browser that has never seen it`, async () => {
    const tab = await browser.tab();
    const old = await certified(tab, 'From a File');
    await tab.page.close();
    const elsewhere = await Browser.start();
    const other = await elsewhere.tab(new URL('certificates', gateway.url).href);
    await other.press('Renew a certificate that you have in a .p12 file');
    await other.heading('Renew');
    await other.accessible();
    await other.press('Open');
    await other.heading('Pick the file first');
    await (await other.field('PKCS#12 file')).uploadFile(fileURLToPath(import.meta.url));
    await other.type('Passphrase of the file', PASSPHRASE);
    await other.press('Open');
    await other.heading('There is no certificate to renew in this file');
    await other.accessible();
    await (await other.field('PKCS#12 file')).uploadFile(old.path);
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
    const id = await other.transactionId();
    await gateway.requests('approve', id);
    await other.state('Ready to collect');
    await other.collect(gateway.url, id, PASSPHRASE);
    await other.heading('Your certificate is ready');
    assert.deepEqual(other.console, []);
    await elsewhere.stop();
});

test(`${kind}: the gateway is down when a renewal is sent; it is saved, and goes out when it is back`, async () => {
    const tab = await browser.tab();
    await certified(tab, 'Patient');
    await tab.press('Renew the certificate');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await gateway.kill();
    await tab.press('Renew');
    await tab.heading('Certificate Request Saved');
    await tab.accessible();
    await gateway.restart();
    const id = await tab.transactionId();
    await gateway.requests('reject', id, '--reason', 'Not any more');
    await tab.text('Not any more');
    await tab.page.close();
});

test(`${kind}: before the window opens the page says from when on; a revoked certificate is refused with the reason`, async () => {
    const early = await Gateway.start({ manual: true });
    const tab = await browser.tab();
    const id = await tab.register(early.url, { name: 'Too Early', passphrase: PASSPHRASE });
    await early.requests('approve', id);
    await tab.state('Ready to collect');
    const page = requestPage(tab);
    await tab.collect(early.url, id, PASSPHRASE);
    await tab.heading('Your certificate is ready');
    await tab.open(page);
    await tab.text('It can be renewed from');
    await tab.open(page.replace('/requests/', '/renew/'));
    await tab.heading('It is too early to renew this certificate');
    await tab.accessible();
    await early.stop();

    const revoked = await tab.register(gateway.url, { name: 'Revoked', passphrase: PASSPHRASE });
    await collected(tab, revoked, PASSPHRASE);
    await gateway.requests('revoke', revoked, '--reason', 'key-compromise');
    await tab.press('Renew the certificate');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Renew');
    await tab.text('A revoked certificate is not renewed');
    await tab.text('This request cannot be accepted: register again');
    await tab.accessible();
    await tab.page.close();
});
