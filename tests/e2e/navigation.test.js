// Going from page to page: back, in another tab, below a path, and when a file does not come as it should.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { Interceptor } from './proxy.js';

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

for (const page of ['requests', 'submitted']) {
    test(`${kind}: going back from one request to another shows the other, on /${page}`, async () => {
        const tab = await browser.tab();
        const ids = [];
        for (const name of ['First of Two', 'Second of Two']) ids.push(await tab.register(gateway.url, { name, passphrase: PASSPHRASE }));
        const { records } = await tab.stores();
        const [first, second] = ids.map((id) => records.find((record) => record.submission?.transaction_id === id).key_id);
        await tab.open(new URL(`${page}/${first}`, gateway.url).href);
        const shows = (id) => tab.until((id) => document.querySelector('output')?.textContent === id, id);
        await shows(ids[0]);
        // As a link between the two would: the page stays, its address changes.
        await tab.page.evaluate((path) => {
            const link = document.createElement('a');
            link.href = path;
            document.querySelector('main').append(link);
            link.click();
        }, new URL(`${page}/${second}`, gateway.url).pathname);
        await shows(ids[1]);
        await tab.page.goBack();
        await shows(ids[0]);
        await tab.page.close();
    });
}

test(`${kind}: what was removed does not come back with a page that the browser has kept in its memory`, async () => {
    const tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Soon Gone', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await tab.state('Ready to collect');
    await tab.collect(gateway.url, id, PASSPHRASE);
    await tab.heading('Your certificate is ready');
    await tab.navigate('Help');
    await tab.heading('Help');
    await tab.page.goBack();
    await tab.heading('Collect');
    await tab.until(() => !document.body.innerText.includes('Your certificate is ready'));
    await tab.page.close();
});

test(`${kind}: a request that is removed in another tab is told as such`, async () => {
    const tab = await browser.tab();
    await tab.register(gateway.url, { name: 'Gone Elsewhere', passphrase: PASSPHRASE });
    await tab.state('Waiting for approval');
    const other = await browser.tab(gateway.url);
    await other.page.evaluate(() => new Promise((resolve, reject) => {
        const opening = indexedDB.open('keyside');
        opening.onerror = reject;
        opening.onsuccess = () => {
            const database = opening.result;
            const names = [...database.objectStoreNames];
            const transaction = database.transaction(names, 'readwrite');
            names.forEach((name) => transaction.objectStore(name).clear());
            transaction.oncomplete = () => resolve(database.close());
        };
    }));
    await other.page.close();
    await tab.page.bringToFront();
    await tab.heading('This request is not saved in this browser');
    await tab.page.close();
});

test(`${kind}: a program that arrives damaged is not kept`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
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
    const types = await tab.page.evaluate(async () => {
        const cache = await caches.open('keyside');
        const kept = (await cache.keys()).filter(({ url }) => url.endsWith('.wasm'));
        return Promise.all(kept.map(async (request) => (await cache.match(request)).headers.get('content-type')));
    });
    assert.deepEqual([...new Set(types)], ['application/wasm']);
    await tab.page.close();
    await interceptor.stop();
});

test(`${kind}: a page whose start script is lost says so`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    interceptor.rules = [({ url }) => (url.startsWith('/start-') ? { status: 404, type: 'text/plain', body: 'gone' } : undefined)];
    const tab = await browser.tab();
    await tab.page.goto(new URL('collect', interceptor.url).href);
    // After ten seconds.
    await tab.see('#unsupported');
    await tab.page.close();
    await interceptor.stop();
});

test(`${kind}: the page works under a path, and its links stay below it; the heading takes the focus`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    const prefix = '/key/side/';
    const html = (await (await fetch(gateway.url)).text()).replace('<base href="/">', `<base href="${prefix}">`).replaceAll(/(href|src)="\/(?!key)/g, `$1="${prefix}`);
    interceptor.rules = [({ url }) => {
        if (url.startsWith('/api/')) return undefined;
        if (!url.startsWith(prefix)) return { status: 404, type: 'text/plain', body: 'not the page' };
        const path = url.slice(prefix.length - 1);
        return /\.\w+$/.test(path) ? { path } : { type: 'text/html', body: html };
    }];
    const tab = await browser.tab(new URL(prefix, interceptor.url).href);
    for (const [name, heading] of [['Register', 'Choose Certificate Type'], ['Collect', 'Collect'], ['Help', 'Help'], ['Home', 'Your certificate, made in your browser']]) {
        await tab.navigate(name);
        await tab.heading(heading);
        await tab.until(() => document.activeElement.localName === 'h1');
        assert.ok(new URL(tab.page.url()).pathname.startsWith(prefix), tab.page.url());
        assert.equal(await tab.page.evaluate(() => document.querySelector('nav [aria-current=page]')?.textContent), name);
    }
    await tab.register(new URL(prefix, interceptor.url).href, { name: 'Below a Path', passphrase: PASSPHRASE });
    assert.ok(new URL(tab.page.url()).pathname.startsWith(`${prefix}submitted/`), tab.page.url());
    await tab.page.close();
    await interceptor.stop();
});
