// The officers' console: a person is authorised, registers by the link, is approved, and collects; all of it in browsers.
import assert from 'node:assert/strict';

import { PASSPHRASE, site } from './fixture.js';
import { collect, offersDownload } from './pages/collect.js';
import { state } from './pages/components.js';
import { canDecide, fillInAuthorisation, hasNoScripts, invite, registrationLink, row, shownCode, signIn, signOut } from './pages/console.js';
import { fillInForm, register, TYPE, typeCode } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const { test, gateway, browser } = site({ gateway: { manual: true }, needs: 'one engine' });

test('from the authorisation to the certificate', async () => {
    const officer = await browser.tab();
    const link = await invite(gateway, 'uaa', 'Una Example', '--company', 'Example Power');
    await signIn(officer, link);
    await officer.accessible();

    await officer.navigate('Authorisations');
    await officer.press('Authorise a person');
    await officer.heading('Authorise a person');
    await officer.accessible();
    await fillInAuthorisation(officer, { name: 'Ada Example 01', email: 'ada@example.com' });
    await officer.choose('I tell the code myself');
    await officer.press('Authorise');
    await officer.heading('The one-time code');
    const lost = await shownCode(officer);
    await officer.press('To the authorisation');
    await officer.heading('Ada Example 01');
    await officer.text('Open');
    await officer.accessible();
    const invitation = await registrationLink(officer);
    await officer.press('New code…');
    await officer.heading('Make a new code');
    await officer.accessible();
    await officer.choose('I tell the code myself');
    await officer.press('Make a new code');
    await officer.heading('The one-time code');
    const code = await shownCode(officer);
    assert.notEqual(code, lost);

    const user = await browser.tab();
    await user.open(invitation);
    await user.text(TYPE);
    await user.heading('Certificate Request');
    assert.equal(await user.value('Common Name'), 'Ada Example 01');
    assert.equal(await user.value('Email Address'), 'ada@example.com');
    await typeCode(user, code);
    await fillInForm(user, { email: null, passphrase: PASSPHRASE });
    await user.press('Submit');
    const id = await transactionId(user);
    const other = await browser.tab();
    const stranger = await register(other, gateway.url, { name: 'Ada Exemple 01', passphrase: PASSPHRASE });

    // The User Access Administrator sees the request of the company's own person, and no button to approve it.
    await officer.front();
    await officer.navigate('Requests');
    assert.match(await row(officer, id), /Ada Example 01[^]*Authorised[^]*Pending/);
    assert.ok(!(await officer.shown()).includes(stranger));
    await officer.press('Ada Example 01');
    await officer.heading('Ada Example 01');
    assert.equal(await canDecide(officer), false);
    await signOut(officer);
    await officer.accessible();
    await officer.open(gateway.at('console/requests'));
    await officer.heading('Sign in');
    officer.expectFailedRequests();
    await officer.open(link);
    await officer.heading('This link does not work');

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
    await other.front();
    await state(other, 'Rejected');

    await approver.front();
    await approver.navigate('Requests');
    await approver.press('Ada Example 01');
    await approver.text('made with the key above');
    await approver.accessible();
    await approver.press('Approve…');
    await approver.heading('Approve the request');
    await approver.accessible();
    await approver.press('Approve the request');
    await approver.text('approved by Abe Example (Approver)');
    await user.front();
    await state(user, 'Ready to collect');
    await collect(user, gateway.url, id, PASSPHRASE);
    await offersDownload(user);

    await approver.front();
    await approver.open(gateway.at(`console/requests/${id}`));
    await approver.press('Revoke…');
    await approver.heading('Revoke the certificate');
    await approver.accessible();
    await approver.choose('Another certificate has taken its place (superseded)');
    await approver.press('Revoke the certificate');
    await approver.text('revoked by Abe Example (Approver) – superseded');

    for (const [name, heading] of [['Authorisations', 'Authorisations'], ['Officers', 'Officers'], ['Audit log', 'Audit log']]) {
        await approver.navigate(name);
        await approver.heading(heading);
        await approver.accessible();
    }
    assert.match(await gateway.audit('verify'), /The audit log is whole/);
});

test('by the keyboard alone, and without any script', async () => {
    const link = await invite(gateway, 'approver', 'Kay Example');
    const tab = await browser.tab();
    await tab.turnScriptsOff();
    await tab.open(link);
    await tab.tabTo('Sign in');
    await tab.key('Enter');
    await tab.heading('Requests');
    assert.ok(await hasNoScripts(tab));
    await tab.tabTo('Audit log');
    await tab.key('Enter');
    await tab.heading('Audit log');
});
