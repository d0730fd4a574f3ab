// Going from page to page: back, in another tab, below a path, and when a file does not come as it should.
import assert from 'node:assert/strict';

import { PASSPHRASE, site } from './fixture.js';
import { collect, READY } from './pages/collect.js';
import { state } from './pages/components.js';
import { addLink, cannotStart, clearStores, keptTypes } from './pages/document.js';
import { register } from './pages/register.js';
import { showsRequest } from './pages/submitted.js';

const { test, gateway, browser, intercept } = site({ gateway: { manual: true } });

for (const page of ['requests', 'submitted']) {
    test(`going back from one request to another shows the other, on /${page}`, async () => {
        const tab = await browser.tab();
        const ids = [];
        for (const name of ['First of Two', 'Second of Two']) ids.push(await register(tab, gateway.url, { name, passphrase: PASSPHRASE }));
        const { records } = await tab.stores();
        const [first, second] = ids.map((id) => records.find((record) => record.submission?.transaction_id === id).key_id);
        await tab.open(gateway.at(`${page}/${first}`));
        await showsRequest(tab, ids[0]);
        // As a link between the two would: the page stays, its address changes.
        await addLink(tab, 'Second of Two', gateway.at(`${page}/${second}`));
        await tab.press('Second of Two');
        await showsRequest(tab, ids[1]);
        await tab.back();
        await showsRequest(tab, ids[0]);
    });
}

test('what was removed does not come back with a page that the browser has kept in its memory', async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Soon Gone', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.navigate('Help');
    await tab.heading('Help');
    await tab.back();
    await tab.heading('Collect');
    await tab.noText(READY);
});

test('a request that is removed in another tab is told as such', async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Gone Elsewhere', passphrase: PASSPHRASE });
    await state(tab, 'Waiting for approval');
    const other = await browser.tab(gateway.url);
    await clearStores(other);
    await other.close();
    await tab.front();
    await tab.heading('This request is not saved in this browser');
});

test('a program that arrives damaged is not kept', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    const asked = new Promise((resolve) => {
        interceptor.rules = [({ url }) => {
            if (!/\/more-.*wasm$/.test(url)) return undefined;
            resolve();
            return { type: 'text/html', body: '<!DOCTYPE html><title>Sign in</title>' };
        }];
    });
    await tab.open(interceptor.url);
    await asked;
    interceptor.rules = [];
    await tab.open(interceptor.url);
    await tab.kept();
    assert.deepEqual(await keptTypes(tab, '.wasm'), ['application/wasm']);
    await tab.close();
    });

test('a page whose start script is lost says so', async () => {
    const interceptor = await intercept();
    interceptor.rules = [({ url }) => (url.startsWith('/start-') ? { status: 404, type: 'text/plain', body: 'gone' } : undefined)];
    const tab = await browser.tab();
    tab.expectComplaints();
    await tab.openAnything(interceptor.at('collect'));
    await cannotStart(tab);
    await tab.close();
    });

test('the page works under a path, and its links stay below it; the heading takes the focus', async () => {
    const interceptor = await intercept();
    const prefix = '/key/side/';
    const html = (await (await fetch(gateway.url)).text()).replace('<base href="/">', `<base href="${prefix}">`).replaceAll(/(href|src)="\/(?!key)/g, `$1="${prefix}`);
    interceptor.rules = [({ url }) => {
        if (url.startsWith('/api/')) return undefined;
        if (!url.startsWith(prefix)) return { status: 404, type: 'text/plain', body: 'not the page' };
        const path = url.slice(prefix.length - 1);
        return /\.\w+$/.test(path) ? { path } : { type: 'text/html', body: html };
    }];
    const tab = await browser.tab(interceptor.at(prefix));
    for (const [name, heading] of [['Register', 'Choose Certificate Type'], ['Collect', 'Collect'], ['Help', 'Help'], ['Home', 'Your certificate, made in your browser']]) {
        await tab.navigate(name);
        await tab.heading(heading);
        await tab.headingHasFocus();
        const { pathname } = await tab.url();
        assert.ok(pathname.startsWith(prefix), pathname);
        assert.equal(await tab.currentPage(), name);
    }
    await register(tab, interceptor.at(prefix), { name: 'Below a Path', passphrase: PASSPHRASE });
    const { pathname } = await tab.url();
    assert.ok(pathname.startsWith(`${prefix}submitted/`), pathname);
    await tab.close();
    });
