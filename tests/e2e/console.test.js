// The officers' console: a person is authorised, registers by the link, is approved, and collects; all of it in browsers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { fillInAuthorisation, invite, row, signIn } from './officers.js';

const PASSPHRASE = 'Correct-4-horse!';
const TYPE = 'Participants & External Users';
let gateway, browser;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    browser = await Browser.start();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

test(`${kind}: from the authorisation to the certificate`, async () => {
    const officer = await browser.tab();
    const link = await invite(gateway, 'uaa', 'Una Example', '--company', 'Example Power');
    await signIn(officer, link);
    await officer.accessible();

    await officer.navigate('Authorisations');
    await officer.press('Authorise a person');
    await officer.heading('Authorise a person');
    await officer.accessible();
    await fillInAuthorisation(officer, { name: 'Ada Example 01', email: 'ada@example.com' });
    await officer.press('Authorise');
    await officer.heading('Ada Example 01');
    await officer.text('Open');
    await officer.accessible();
    const register = await officer.until(() => document.querySelector('.card a[href*="/register/"]')?.href);

    const user = await browser.tab();
    await user.open(register);
    await user.heading('Certificate Request');
    await user.text(TYPE);
    assert.equal(await user.value('Common Name'), 'Ada Example 01');
    assert.equal(await user.value('Email Address'), 'ada@example.com');
    await user.type('Pickup Passphrase', PASSPHRASE);
    await user.type('Pickup Passphrase Confirmation', PASSPHRASE);
    await user.press('Submit');
    const id = await user.transactionId();
    const other = await browser.tab();
    const stranger = await other.register(gateway.url, { name: 'Ada Exemple 01', passphrase: PASSPHRASE });

    // The User Access Administrator sees the request of the company's own person, and no button to approve it.
    await officer.page.bringToFront();
    await officer.navigate('Requests');
    assert.match(await row(officer, id), /Ada Example 01[^]*Authorised[^]*Pending/);
    assert.ok(!(await officer.page.evaluate(() => document.body.innerText)).includes(stranger));
    await officer.press('Ada Example 01');
    await officer.heading('Ada Example 01');
    assert.equal(await officer.page.$('main .button'), null);
    const signOut = await officer.awaited(() => document.querySelector('header button'));
    await signOut.asElement().click();
    await officer.heading('Sign in');
    await officer.accessible();
    await officer.open(new URL('console/requests', gateway.url).href);
    await officer.heading('Sign in');
    await officer.open(link);
    await officer.heading('This link does not work');
    // An answer of 404 shows on the console of Chromium, as it should.
    officer.console.length = 0;

    const approver = officer;
    await signIn(approver, await invite(gateway, 'approver', 'Abe Example'));
    assert.match(await row(approver, id), /Authorised/);
    assert.match(await row(approver, stranger), /Not authorised/);
    await approver.accessible();
    await approver.press('Ada Exemple 01');
    await approver.text('No authorisation matches');
    assert.match(await row(approver, 'Common Name'), /Ada Exemple 01[^]*Ada Example 01[^]*differs/);
    assert.match(await row(approver, 'Email Address'), /the same/);
    await approver.accessible();
    await approver.press('Reject…');
    await approver.heading('Reject the request');
    await approver.accessible();
    await approver.type('Reason', 'Take the Common Name that the notification gives.');
    await approver.press('Reject the request');
    await approver.text('Rejected because: Take the Common Name that the notification gives.');
    await other.page.bringToFront();
    await other.state('Rejected');

    await approver.page.bringToFront();
    await approver.navigate('Requests');
    await approver.press('Ada Example 01');
    await approver.text('made with the key above');
    await approver.accessible();
    await approver.press('Approve…');
    await approver.heading('Approve the request');
    await approver.accessible();
    await approver.press('Approve the request');
    await approver.text('approved by Abe Example (Approver)');
    await user.page.bringToFront();
    await user.state('Ready to collect');
    await user.collect(gateway.url, id, PASSPHRASE);
    await user.until(() => [...document.querySelectorAll('main a, main button')].some((element) => /Download/.test(element.textContent)));

    await approver.page.bringToFront();
    await approver.open(new URL(`console/requests/${id}`, gateway.url).href);
    await approver.press('Revoke…');
    await approver.heading('Revoke the certificate');
    await approver.accessible();
    await approver.page.click('#superseded');
    await approver.press('Revoke the certificate');
    await approver.text('revoked by Abe Example (Approver) – superseded');

    for (const [name, heading] of [['Authorisations', 'Authorisations'], ['Officers', 'Officers'], ['Audit log', 'Audit log']]) {
        await approver.navigate(name);
        await approver.heading(heading);
        await approver.accessible();
    }
    assert.match(await gateway.audit('verify'), /The audit log is whole/);
    assert.deepEqual(approver.console, []);
    assert.deepEqual(user.console, []);
    for (const tab of [approver, user, other]) await tab.page.close();
});

test(`${kind}: by the keyboard alone, and without any script`, async () => {
    const link = await invite(gateway, 'approver', 'Kay Example');
    const tab = await browser.tab();
    await tab.page.setJavaScriptEnabled?.(false).catch(() => undefined);
    await tab.open(link);
    await tab.tabTo('Sign in');
    await Promise.all([tab.page.waitForNavigation(), tab.page.keyboard.press('Enter')]);
    await tab.heading('Requests');
    assert.equal(await tab.page.evaluate(() => document.scripts.length), 0);
    await tab.tabTo('Audit log');
    await Promise.all([tab.page.waitForNavigation(), tab.page.keyboard.press('Enter')]);
    await tab.heading('Audit log');
    await tab.page.close();
});
