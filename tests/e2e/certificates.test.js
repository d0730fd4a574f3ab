// My Certificates: what this browser holds, and what can be done with it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';

const PASSPHRASE = 'Correct-4-horse!';
const NEW_PASSPHRASE = 'Another-5-donkeys!';
let gateway, browser;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    browser = await Browser.start();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

const listed = (name) => [...document.querySelectorAll('.requests li')].find((item) => item.innerText.includes(name))?.innerText;

test(`${kind}: a certificate is listed with its particulars; its passphrase is changed; a reminder is saved`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Long Life', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.press('Collect the certificate');
    await tab.heading('Collect');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^Long Life [0-9a-f]+ \S+ Test\.p12$/);
    const serial = path.match(/Long Life ([0-9a-f]+)/)[1];

    await tab.page.click('nav a[href$="/certificates"]');
    await tab.heading('My Certificates');
    const item = await tab.until(listed, 'Long Life');
    assert.ok(item.replaceAll(':', '').toLowerCase().includes(serial), item);
    assert.match(item, /: 7\d\d days left/);
    await tab.accessible();
    await tab.press('Details of the request of Long Life');
    await tab.heading('Certificate');
    await tab.text('Downloaded from here');
    await tab.text(`Long Life ${serial}`);
    for (const [button, extension, ...read] of [
        ['Certificate as DER', 'cer', 'x509', '-inform', 'DER', '-noout', '-subject'],
        ['With its chain as PEM', 'pem', 'x509', '-noout', '-subject'],
        ['With its chain as P7B', 'p7b', 'pkcs7', '-inform', 'DER', '-print_certs'],
    ]) {
        await tab.press(button);
        const file = await browser.downloaded(new RegExp(`^Long Life ${serial} \\S+ Test\\.${extension}$`));
        assert.match(await run('openssl', ...read, '-in', file.path), /CN ?= ?Long Life/);
    }
    await tab.press('Save a reminder for your calendar');
    const reminder = (await browser.downloaded(/^Long Life .*\.ics$/)).bytes.toString();
    assert.match(reminder, /^BEGIN:VCALENDAR\r\n(.*\r\n)*SUMMARY:Renew the certificate of Long Life\r\n/);

    await tab.unfold();
    await tab.press('Change the passphrase');
    await tab.until(() => document.querySelectorAll('#error-summary li').length === 2);
    await tab.accessible();
    await tab.type('Present passphrase', 'wrong');
    await tab.type('New passphrase', NEW_PASSPHRASE);
    await tab.type('New passphrase once more', NEW_PASSPHRASE);
    await tab.press('Change the passphrase');
    await tab.text('The present passphrase is wrong.');
    assert.equal(await tab.value('New passphrase'), NEW_PASSPHRASE, 'nothing typed is lost');
    await tab.type('Present passphrase', PASSPHRASE);
    await tab.press('Change the passphrase');
    await tab.text('The passphrase is changed.');
    await tab.accessible();
    assert.deepEqual(tab.console, []);

    await tab.collect(gateway.url, id, PASSPHRASE);
    await tab.heading('The passphrase is wrong');
    await tab.collect(gateway.url, id, NEW_PASSPHRASE);
    await tab.heading('Your certificate is ready');
    await tab.page.close();
});

test(`${kind}: removing asks twice, and other tabs notice`, async () => {
    const tab = await browser.tab();
    await tab.register(gateway.url, { name: 'Short Life', passphrase: PASSPHRASE });
    const other = await browser.tab(new URL('certificates', gateway.url).href);
    await other.until(listed, 'Short Life');
    await tab.page.bringToFront();
    await tab.press('Change the passphrase, or remove this request');
    await tab.see('#remove');
    await tab.page.evaluate(() => { document.querySelector('#remove').parentElement.open = true; });
    await tab.press('Remove');
    await tab.heading('Certificate Request Submitted');
    await tab.until(() => document.activeElement.id === 'remove-question');
    await tab.accessible();
    await tab.press('Keep it');
    await tab.until(() => !document.querySelector('#remove-question'));
    assert.ok((await tab.stores()).records.some((record) => record.application.common_name === 'Short Life'));
    await tab.press('Remove');
    await tab.press('Yes, remove it for good');
    await tab.heading('My Certificates');
    assert.ok(!(await tab.stores()).records.some((record) => record.application.common_name === 'Short Life'));
    await other.page.bringToFront();
    await other.until((name) => !document.querySelector('.requests')?.innerText.includes(name), 'Short Life');
    assert.deepEqual(tab.console, []);
    await tab.page.close();
    await other.page.close();
});
