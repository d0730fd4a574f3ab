// My Certificates: what this browser holds, and what can be done with it.
import assert from 'node:assert/strict';

import { NEW_PASSPHRASE, PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { collect, collectHere, READY } from './pages/collect.js';
import { entry, faults, noEntry } from './pages/components.js';
import { register } from './pages/register.js';
import { asksBeforeRemoving, asksNoMore, goOnToCollect, openRemove, showsRequest } from './pages/submitted.js';

const { test, gateway, browser, another } = site({ gateway: { manual: true } });

test('a certificate is listed with its particulars; its passphrase is changed; a reminder is saved', async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Long Life', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await goOnToCollect(tab);
    await collectHere(tab, PASSPHRASE);
    await tab.press('Download PKCS#12');
    const { path } = await browser.downloaded(/^Long Life [0-9a-f]+ \S+ Test\.p12$/);
    const serial = path.match(/Long Life ([0-9a-f]+)/)[1];

    await tab.navigate('My Certificates');
    await tab.heading('My Certificates');
    const item = await entry(tab, 'Long Life');
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
    await faults(tab, 2);
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

    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading('The passphrase is wrong');
    await collect(tab, gateway.url, id, NEW_PASSPHRASE);
    await tab.heading(READY);
});

test('removing asks twice, and other tabs notice', async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Short Life', passphrase: PASSPHRASE });
    const other = await browser.tab(gateway.at('certificates'));
    await entry(other, 'Short Life');
    await tab.front();
    await tab.press('Change the passphrase, or remove this request');
    await openRemove(tab);
    await tab.press('Remove');
    await tab.heading('Certificate Request Submitted');
    await asksBeforeRemoving(tab);
    await tab.accessible();
    await tab.press('Keep it');
    await asksNoMore(tab);
    assert.ok((await tab.stores()).records.some((record) => record.application.common_name === 'Short Life'));
    await tab.press('Remove');
    await tab.press('Yes, remove it for good');
    await tab.heading('My Certificates');
    assert.ok(!(await tab.stores()).records.some((record) => record.application.common_name === 'Short Life'));
    await other.front();
    await noEntry(other, 'Short Life');
    await tab.close();
});

test('who begins a second request is told of the one that waits', { needs: 'one engine' }, async () => {
    const tab = await (await another()).tab(gateway.at('register/participants'));
    await tab.heading('Certificate Request');
    await tab.noText('already waits for approval');
    const id = await register(tab, gateway.url, { name: 'Twice Example', passphrase: PASSPHRASE });
    await tab.open(gateway.at('register/participants'));
    await tab.text('A request of yours already waits for approval: Twice Example.');
    await tab.accessible();
    await tab.press('Twice Example');
    await showsRequest(tab, id);
    // A rejected one does not wait.
    await gateway.requests('reject', id, '--reason', 'It came twice.');
    await tab.heading('Certificate Request Rejected');
    await tab.open(gateway.at('register/participants'));
    await tab.heading('Certificate Request');
    await tab.noText('already waits for approval');
});
