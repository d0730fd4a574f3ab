// What is done with a certificate over its life, by somebody without a mouse. (Registering and collecting: pages.test.js.)
import assert from 'node:assert/strict';

import { NEW_PASSPHRASE, PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { collect, READY } from './pages/collect.js';
import { state } from './pages/components.js';
import { register } from './pages/register.js';
import { asksBeforeRemoving } from './pages/submitted.js';
import { firstButton } from './pages/trust.js';

const { test, gateway, browser } = site({ gateway: { manual: true } });

test('with the keyboard alone: details, files, reminder, backup, another passphrase, removal, restore', async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Keys Only', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);

    await tab.open(gateway.at('certificates'));
    await tab.text('Keys Only');
    await tab.enter('Details of the request of Keys Only');
    await tab.heading('Certificate');
    await tab.enter('With its chain as PEM');
    const pem = await browser.downloaded(/^Keys Only [0-9a-f]+ \S+ Test\.pem$/);
    assert.match(await run('openssl', 'x509', '-in', pem.path, '-noout', '-subject'), /Keys Only/);
    await tab.enter('Save a reminder for your calendar');
    await browser.downloaded(/^Keys Only .*\.ics$/);
    await tab.enter('Save a backup of the request of Keys Only');
    const backup = await browser.downloaded(/^Keys Only .*\.backup\.txt$/);

    await tab.enter('Change the passphrase');
    await tab.fill('Present passphrase', PASSPHRASE);
    await tab.fill('New passphrase', NEW_PASSPHRASE);
    await tab.fill('New passphrase once more', NEW_PASSPHRASE);
    await tab.key('Enter');
    await tab.text('The passphrase is changed.');

    await tab.enter('Remove from this browser');
    await tab.enter('Remove');
    await asksBeforeRemoving(tab);
    await tab.enter('Yes, remove it for good');
    await tab.heading('My Certificates');
    await tab.text('This browser holds no requests yet.');

    await tab.enter('Restore from a backup');
    await tab.tabTo('Backup file');
    // The browser's own window for files is out of reach: it is given what would be chosen in it.
    await tab.pick('Backup file', backup.path);
    await tab.text('The backup of the request of Keys Only');
    await tab.fill('Passphrase of the backup', PASSPHRASE);
    await tab.key('Enter');
    await tab.text('Restored. The request and its key are in this browser now.');
});

test('with the keyboard alone: the CA\'s certificates are downloaded', async () => {
    const tab = await browser.tab(gateway.at('trust'));
    await tab.heading('No longer used');
    await tab.enter(await firstButton(tab));
    const file = await browser.downloaded(/^Keyside Demo .*\.(pem|cer|p7b)$/);
    assert.ok(file.bytes.length > 500);
});
