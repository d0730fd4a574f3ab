// A file can be dropped wherever one can be picked.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';

let gateway, browser;

before(async () => {
    gateway = await Gateway.start();
    browser = await Browser.start();
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
});

/** Drops a file of this text on the field with this label, as the browser tells the page of it. */
async function drop(tab, label, text) {
    const field = await tab.field(label);
    await field.evaluate((field, text) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], 'dropped.txt'));
        const over = new DragEvent('dragover', { dataTransfer, bubbles: true, cancelable: true });
        field.dispatchEvent(over);
        if (!over.defaultPrevented) throw new Error('the page does not take files here');
        field.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }, text);
}

for (const [path, label, text, said] of [
    ['inspect', 'File', 'rubbish', 'This file is of no kind that can be inspected'],
    ['', 'Backup file', 'Dear reader,\n', 'This file is not a backup.'],
    ['renew', 'PKCS#12 file', 'rubbish', 'dropped.txt'],
    ['devices', 'File of the certificate request', 'rubbish', 'This is not a certificate request'],
]) {
    test(`${kind}: a file is dropped on /${path}`, async () => {
        const tab = await browser.tab(new URL(path, gateway.url).href);
        if (path === '') await tab.unfold();
        await drop(tab, label, text);
        await tab.until((said) => document.querySelector('main').innerText.includes(said), said);
        assert.deepEqual(tab.console, []);
        await tab.page.close();
    });
}
