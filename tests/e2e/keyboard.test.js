// What is done with a certificate over its life, by somebody without a mouse. (Registering and collecting: pages.test.js.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';

const PASSPHRASE = 'Correct-4-horse!';
const NEW_PASSPHRASE = 'Another-5-donkeys!';
let gateway, browser, tab;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    browser = await Browser.start();
    tab = await browser.tab();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

/** Goes to a control with the Tab key, and presses Enter. */
async function enter(name) {
    await tab.tabTo(name);
    await tab.page.keyboard.press('Enter');
}

async function fill(name, text) {
    await tab.tabTo(name);
    await tab.page.keyboard.type(text);
}

test(`${kind}: with the keyboard alone: details, files, reminder, backup, another passphrase, removal, restore`, async () => {
    const id = await tab.register(gateway.url, { name: 'Keys Only', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.collect(gateway.url, id, PASSPHRASE);
    await tab.heading('Your certificate is ready');

    await tab.open(new URL('certificates', gateway.url).href);
    await tab.text('Keys Only');
    await enter('Details of the request of Keys Only');
    await tab.heading('Certificate');
    await enter('With its chain as PEM');
    const pem = await browser.downloaded(/^Keys Only [0-9a-f]+ \S+ Test\.pem$/);
    assert.match(await run('openssl', 'x509', '-in', pem.path, '-noout', '-subject'), /Keys Only/);
    await enter('Save a reminder for your calendar');
    await browser.downloaded(/^Keys Only .*\.ics$/);
    await enter('Save a backup of the request of Keys Only');
    const backup = await browser.downloaded(/^Keys Only .*\.backup\.txt$/);

    await enter('Change the passphrase');
    await fill('Present passphrase', PASSPHRASE);
    await fill('New passphrase', NEW_PASSPHRASE);
    await fill('New passphrase once more', NEW_PASSPHRASE);
    await tab.page.keyboard.press('Enter');
    await tab.text('The passphrase is changed.');

    await enter('Remove from this browser');
    await enter('Remove');
    await tab.until(() => document.activeElement.id === 'remove-question');
    await enter('Yes, remove it for good');
    await tab.heading('My Certificates');
    await tab.text('This browser holds no requests yet.');

    await enter('Restore from a backup');
    await tab.tabTo('Backup file');
    // The browser's own window for files is out of reach: it is given what would be chosen in it.
    await (await tab.field('Backup file')).uploadFile(backup.path);
    await tab.text('The backup of the request of Keys Only');
    await fill('Passphrase of the backup', PASSPHRASE);
    await tab.page.keyboard.press('Enter');
    await tab.text('Restored. The request and its key are in this browser now.');
    assert.deepEqual(tab.console, []);
});

test(`${kind}: with the keyboard alone: the CA's certificates are downloaded`, async () => {
    await tab.open(new URL('trust', gateway.url).href);
    await tab.heading('No longer used');
    const first = await tab.until(() => [...document.querySelectorAll('main button')].map((button) => button.textContent.trim())[0]);
    await enter(first);
    const file = await browser.downloaded(/^Keyside Demo .*\.(pem|cer|p7b)$/);
    assert.ok(file.bytes.length > 500);
    assert.deepEqual(tab.console, []);
});
