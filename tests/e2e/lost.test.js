// Lost: a revocation is asked for, and a replacement quotes the old transaction ID.
import assert from 'node:assert/strict';

import { PASSPHRASE, site } from './fixture.js';
import { collect } from './pages/collect.js';
import { state } from './pages/components.js';
import { fillInForm, register, TYPE } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const { test, gateway, browser } = site({ gateway: { manual: true } });

test('a forgotten passphrase leads to a revocation and to a replacement', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Forgetful', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    await collect(tab, gateway.url, id, 'Forgotten-4-ever!');
    await tab.heading('The passphrase is wrong');
    await tab.press('When it is lost: what to do');
    await tab.heading('When something is lost');
    assert.equal(await tab.value('Transaction ID'), id);
    await tab.text("Questions? Ask your company's User Access Administrator (UAA).");
    await tab.accessible();
    await tab.press('Ask for the revocation');
    await tab.heading('Choose a reason first');
    await tab.accessible();
    await tab.choose('I have another certificate in its place');
    await tab.press('Ask for the revocation');
    await tab.heading('The revocation is asked for');
    await tab.accessible();
    assert.match(await gateway.requests('list'), /asked for: superseded/);
    await gateway.requests('revoke', id, '--reason', 'superseded');
    await tab.press('Ask for the revocation');
    await tab.heading('The certificate is revoked');

    await tab.press('Register for a replacement');
    await tab.heading('Choose Certificate Type');
    await tab.press(TYPE);
    await tab.text('This replaces the request with the transaction ID');
    await tab.accessible();
    await fillInForm(tab, { name: 'Forgetful', passphrase: PASSPHRASE });
    await tab.press('Submit');
    const replacement = await transactionId(tab);
    await tab.text('the request ' + id);
    const line = (await gateway.requests('list')).split('\n').find((line) => line.startsWith(replacement));
    assert.ok(line.includes(`\t${id}\t`), line);
});

test('what cannot be asked for is told, by the keyboard alone', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const pending = await register(tab, gateway.url, { name: 'Not Yet', passphrase: PASSPHRASE });
    await tab.open(gateway.at('lost'));
    tab.expectFailedRequests();
    const asked = async (id, title) => {
        await tab.focus('Transaction ID');
        await tab.keys(id);
        await tab.tabTo('Ask for the revocation');
        await tab.key('Enter');
        await tab.heading(title);
        assert.equal(await tab.value('Transaction ID'), id, 'nothing typed is lost');
        await tab.accessible();
    };
    await tab.focus('Another reason');
    await tab.key(' ');
    await asked('nonsense', 'This is not a transaction ID');
    await asked(pending, 'There is no certificate to revoke');
    await asked('000-000-000-000-000-000-000-000-011', 'No request has this transaction ID');
    // Enter in the field does what can be undone.
    await tab.focus('Transaction ID');
    await tab.key('Enter');
    await tab.heading('No request has this transaction ID');
    await gateway.kill();
    await asked(pending, 'The registration authority cannot be reached');
    await gateway.restart();
});
