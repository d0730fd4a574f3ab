// A new release of the page comes while a tab of the one before it is open.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, site } from './fixture.js';
import { required } from './gateway.js';
import { isMarked, isReplaced, mark, passTime, programs } from './pages/document.js';
import { fillIn, fillInForm, register } from './pages/register.js';
import { transactionId } from './pages/submitted.js';
import { makeSecondRelease } from './releases.js';

const first = required('KEYSIDE_PAGE');
const { test, gateway, browser, folder, intercept } = site();

/** Has the gateway serve the page in `folder`. */
async function serve(folder) {
    if (gateway.folder === folder) return;
    await gateway.kill();
    gateway.folder = folder;
    await gateway.restart();
}

/** Replaces the first release by the second. */
const release = async () => serve(await makeSecondRelease(first, join(folder, 'second')));

/** Keeps the files of the programs from being kept, or loaded ahead, through `interceptor`. */
const keepNothing = (interceptor) => {
    interceptor.rules = [({ url }) => (/service-worker|split_/.test(url) ? { status: 404, type: 'text/plain', body: 'not now' } : undefined)];
};

const UPDATED = 'This page has been updated in the meantime';

test('a tab that has nothing of its release but itself says that it must be reloaded, and keeps what was typed', async () => {
    await serve(first);
    const interceptor = await intercept();
    keepNothing(interceptor);
    const tab = await browser.tab();
    tab.expectComplaints();
    await tab.open(interceptor.url);
    await release();
    interceptor.rules = [];
    await tab.navigate('Register');
    await tab.text(UPDATED);
    await tab.press('Participants & External Users');
    await fillInForm(tab, { name: 'Half Way', passphrase: PASSPHRASE });
    await tab.press('Submit');
    await tab.heading(UPDATED);
    assert.equal(await tab.value('Common Name'), 'Half Way');
    await tab.navigate('Help');
    await tab.heading('This page can\'t be loaded');
    await tab.press('Reload');
    await tab.heading('Help');
    await tab.navigate('Register');
    await tab.press('Participants & External Users');
    await tab.holds('Common Name', 'Half Way');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.type('Pickup Passphrase Confirmation', PASSPHRASE);
    await tab.press('Submit');
    await transactionId(tab);
});

test('a tab that has all of its release goes on with it, and says that there is a new one', async () => {
    await serve(first);
    const tab = await browser.tab(gateway.url);
    await tab.kept();
    await mark(tab);
    const before = await programs(tab);
    await release();
    await tab.navigate('Help');
    await tab.heading('Help');
    await fillInFromHere(tab);
    await tab.press('Submit');
    await transactionId(tab);
    assert.ok(await isMarked(tab), 'the document is the first release\'s');
    await passTime(tab, 120_000);
    await tab.navigate('About');
    await tab.text('This site has been updated.');
    await tab.press('Reload');
    await isReplaced(tab);
    await tab.heading('About');
    const after = await programs(tab);
    assert.equal(before.length, after.length);
    assert.deepEqual(before.filter((name) => after.includes(name)), []);
    await register(tab, gateway.url, { name: 'After the Release', passphrase: PASSPHRASE });
});

async function fillInFromHere(tab) {
    await tab.navigate('Register');
    await tab.press('Participants & External Users');
    await fillInForm(tab, { name: 'Still the First', passphrase: PASSPHRASE });
}

test('a worker of another build than the page\'s is not used', async () => {
    const second = await makeSecondRelease(first, join(folder, 'second'));
    await serve(first);
    const interceptor = await intercept();
    // The second release's document, which names the first one's workers; its own programs come from its folder.
    const workers = (html) => [...html.matchAll(/<link rel="worker".*?>/g)].map(([link]) => link);
    const [old, html] = await Promise.all([first, second].map((folder) => readFile(join(folder, 'index.html'), 'utf8')));
    const mixed = workers(html).reduce((text, link, index) => text.replace(link, workers(old)[index]), html);
    const own = new Map();
    for (const [, name] of html.matchAll(/(?:href|src)="\/([^"]+)"/g)) own.set(`/${name}`, await readFile(join(second, name)));
    const types = { js: 'text/javascript', wasm: 'application/wasm', css: 'text/css', svg: 'image/svg+xml' };
    interceptor.rules = [({ url }) => {
        if (own.has(url)) return { type: types[url.split('.').pop()], body: own.get(url) };
        return /^\/(register.*)?$/.test(url) ? { type: 'text/html', body: mixed } : undefined;
    }];
    const tab = await browser.tab();
    tab.expectComplaints();
    await fillIn(tab, interceptor.url, { name: 'Two Builds', passphrase: PASSPHRASE });
    await tab.press('Submit');
    await tab.heading(UPDATED);
});
