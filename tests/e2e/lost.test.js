// Lost: a revocation is asked for, and a replacement quotes the old transaction ID.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';

const PASSPHRASE = 'Correct-4-horse!';
let gateway, browser;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    browser = await Browser.start();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

test(`${kind}: a forgotten passphrase leads to a revocation and to a replacement`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Forgetful', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.collect(gateway.url, id, 'Forgotten-4-ever!');
    await tab.heading('The passphrase is wrong');
    await tab.press('When it is lost: what to do');
    await tab.heading('When something is lost');
    assert.equal(await tab.value('Transaction ID'), id);
    await tab.text("Questions? Ask your company's User Access Administrator (UAA).");
    await tab.accessible();
    await tab.press('Ask for the revocation');
    await tab.heading('Choose a reason first');
    await tab.accessible();
    await (await tab.field('I have another certificate in its place')).click();
    await tab.press('Ask for the revocation');
    await tab.heading('The revocation is asked for');
    await tab.accessible();
    assert.match(await gateway.requests('list'), /asked for: superseded/);
    await gateway.requests('revoke', id, '--reason', 'superseded');
    await tab.press('Ask for the revocation');
    await tab.heading('The certificate is revoked');

    await tab.press('Register for a replacement');
    await tab.heading('Choose Certificate Type');
    await tab.press('Participants & External Users');
    await tab.heading('Certificate Request');
    await tab.text('This replaces the request with the transaction ID');
    await tab.accessible();
    await tab.type('Common Name', 'Forgetful');
    await tab.type('Email Address', 'ada@example.com');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.type('Pickup Passphrase Confirmation', PASSPHRASE);
    await tab.press('Submit');
    const replacement = await tab.transactionId();
    await tab.text('the request ' + id);
    const line = (await gateway.requests('list')).split('\n').find((line) => line.startsWith(replacement));
    assert.ok(line.includes(`\t${id}\t`), line);
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});

test(`${kind}: what cannot be asked for is told, by the keyboard alone`, async () => {
    const tab = await browser.tab();
    const pending = await tab.register(gateway.url, { name: 'Not Yet', passphrase: PASSPHRASE });
    await tab.open(new URL('lost', gateway.url).href);
    const asked = async (id, title) => {
        const field = await tab.field('Transaction ID');
        await field.evaluate((field) => { field.focus(); field.select(); });
        await tab.page.keyboard.type(id);
        await tab.tabTo('Ask for the revocation');
        await tab.page.keyboard.press('Enter');
        await tab.heading(title);
        assert.equal(await tab.value('Transaction ID'), id, 'nothing typed is lost');
        await tab.accessible();
    };
    await (await tab.field('Another reason')).focus();
    await tab.page.keyboard.press(' ');
    await asked('nonsense', 'This is not a transaction ID');
    await asked(pending, 'There is no certificate to revoke');
    // An answer of 404 or 409 shows on the console of Chromium, as it should.
    tab.console.length = 0;
    await asked('000-000-000-000-000-000-000-000-011', 'No request has this transaction ID');
    // Enter in the field does what can be undone.
    await (await tab.field('Transaction ID')).focus();
    await tab.page.keyboard.press('Enter');
    await tab.heading('No request has this transaction ID');
    await gateway.kill();
    await asked(pending, 'The registration authority cannot be reached');
    await gateway.restart();
    await tab.page.close();
});
