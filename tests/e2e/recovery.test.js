// Killing the tab, the browser or the gateway at any step loses nothing: the job goes on from where it was.
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

test(`${kind}: the browser dies while the key is made: what was typed is there, and nothing half-made`, async () => {
    let tab = await browser.tab();
    await tab.fillIn(gateway.url, { name: 'Interrupted', passphrase: PASSPHRASE });
    await (await tab.field('RSA 4096')).click();
    await tab.press('Submit');
    await tab.heading('Making your key pair');
    await browser.crash();
    tab = await browser.tab();
    await tab.open(new URL('register/participants', gateway.url).href);
    await tab.holds('Common Name', 'Interrupted');
    assert.equal(await tab.value('Email Address'), 'ada@example.com');
    assert.equal(await tab.value('Pickup Passphrase'), '');
    assert.deepEqual((await tab.stores()).records, []);
    await tab.page.close();
});

test(`${kind}: Cancel stops at once, and nothing typed is lost`, async () => {
    const tab = await browser.tab();
    await tab.fillIn(gateway.url, { name: 'Cancelled', passphrase: PASSPHRASE });
    await (await tab.field('RSA 4096')).click();
    await tab.press('Submit');
    await tab.heading('Making your key pair');
    await tab.press('Cancel');
    await tab.until(() => document.querySelector('#submit').checkVisibility());
    assert.equal(await tab.value('Common Name'), 'Cancelled');
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE);
    // The protocol tells of a worker's end a moment after it.
    while (tab.page.workers().length > 0) await new Promise((gone) => tab.page.once('workerdestroyed', gone));
    assert.deepEqual((await tab.stores()).records, []);
    assert.deepEqual(tab.console, []);
    await tab.page.close();
});

test(`${kind}: the gateway is down at Submit; the request is saved, and goes out when it is back`, async () => {
    const tab = await browser.tab();
    await tab.fillIn(gateway.url, { name: 'Gateway Down', passphrase: PASSPHRASE });
    await gateway.kill();
    await tab.press('Submit');
    await tab.heading('Certificate Request Saved');
    await tab.text('This page keeps trying.');
    await tab.accessible();
    await gateway.restart();
    assert.ok(await tab.transactionId());
    await tab.state('Waiting for approval');
    await tab.page.close();
});

test(`${kind}: the answer to Submit is lost, and the browser dies; the same request is found again`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    let tab = await browser.tab();
    await tab.fillIn(interceptor.url, { name: 'Lost Answer', passphrase: PASSPHRASE });
    interceptor.rules = [({ method }) => (method === 'POST' ? { lose: true } : undefined)];
    await tab.press('Submit');
    await tab.heading('Certificate Request Saved');
    const before = await gateway.requests('list');
    assert.match(before, /Lost Answer/);
    await browser.crash();
    interceptor.rules = [];
    tab = await browser.tab(interceptor.url);
    await tab.until(() => [...document.querySelectorAll('.requests li')]
        .some((item) => item.innerText.includes('Lost Answer') && item.innerText.includes('Waiting for approval')));
    const listed = (await gateway.requests('list')).match(/Lost Answer/g);
    assert.equal(listed.length, 1, 'one request, however often it was sent');
    await tab.page.close();
    await interceptor.stop();
});

test(`${kind}: browser and gateway die while the request waits; it is approved, issued once, and collected without a network`, async () => {
    let tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Waiting', passphrase: PASSPHRASE });
    await browser.crash();
    await gateway.requests('approve', id);
    await gateway.kill();
    await gateway.restart();
    tab = await browser.tab();
    await tab.open(gateway.url);
    await tab.until(() => [...document.querySelectorAll('.requests li')]
        .some((item) => item.innerText.includes('Waiting') && item.innerText.includes('Ready to collect')));

    // Killed right after the certificate was fetched, before the file was downloaded.
    await tab.collect(gateway.url, id, PASSPHRASE);
    await tab.heading('Your certificate is ready');
    await tab.kept();
    await browser.crash();
    await gateway.kill();
    tab = await browser.tab();
    await tab.collect(gateway.url, id, PASSPHRASE);
    await tab.heading('Your certificate is ready');
    await tab.press('Download PKCS#12');
    // Without the gateway the page does not know its badge.
    const file = await browser.downloaded(/^Waiting [0-9a-f]+ \d{4}-\d\d-\d\d\.p12$/);
    assert.equal(file.bytes[0], 0x30);
    await gateway.restart();
    await tab.page.close();
});

test(`${kind}: the tab is closed between Submit and Collect; another tab goes on`, async () => {
    let tab = await browser.tab();
    const id = await tab.register(gateway.url, { name: 'Two Tabs', passphrase: PASSPHRASE });
    await tab.page.close();
    tab = await browser.tab(new URL('collect', gateway.url).href);
    await tab.until((id) => document.querySelector('#collect-id').value === id, id);
    await tab.page.close();
});

test(`${kind}: a request that is refused is not sent for ever; the page says why and offers the way on`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    const tab = await browser.tab();
    await tab.register(interceptor.url, { name: 'Waits Beside', passphrase: PASSPHRASE });
    await tab.fillIn(interceptor.url, { name: 'Refused', passphrase: PASSPHRASE });
    let sent = 0;
    const refusal = { type: '/problems/subject-not-allowed', title: 'The subject is not allowed', status: 422, detail: 'Ask your UAA.' };
    interceptor.rules = [({ method }) => {
        if (method !== 'POST') return undefined;
        sent++;
        return { status: 422, type: 'application/problem+json', body: JSON.stringify(refusal) };
    }];
    await tab.press('Submit');
    await tab.text('This request cannot be accepted: register again');
    await tab.accessible();
    assert.equal(sent, 2, 'once by the form, once by the page of the request');
    await tab.page.click('nav a[href$="/"]');
    await tab.until(() => [...document.querySelectorAll('.requests li')]
        .some((item) => item.innerText.includes('Refused: see Details')));
    await tab.accessible();
    // Home asks about all that waits, again and again: the other request shows when it has done so.
    for (let rounds = 0; rounds < 2; rounds++) {
        await tab.page.waitForRequest((request) => /api\/v1\/requests\/[^/]+$/.test(request.url()));
    }
    assert.equal(sent, 3, 'Home has sent it once, and not again');
    await tab.page.close();
    await interceptor.stop();
});

test(`${kind}: a foreign answer never takes the kept page's place, and a proxy's 502 does not hide it`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    const tab = await browser.tab(interceptor.url);
    await tab.kept();
    await tab.page.reload();
    // A file that is opened by itself is no page, even one that speaks of what tells pages.
    await tab.page.goto(new URL('service-worker.js', interceptor.url).href);
    interceptor.rules = [() => ({ type: 'text/html', body: '<!DOCTYPE html><title>Sign in</title>' })];
    await tab.page.goto(interceptor.url);
    assert.equal(await tab.page.title(), 'Sign in');
    interceptor.rules = [() => ({ status: 502, type: 'text/html', body: '<!DOCTYPE html><title>Bad Gateway</title>' })];
    await tab.open(interceptor.url);
    await tab.heading('Your certificate, made in your browser');
    await tab.page.close();
    await interceptor.stop();
});

test(`${kind}: an unknown ID while the gateway is down is told from a key that is elsewhere`, async () => {
    const interceptor = await Interceptor.start(gateway.url);
    const tab = await browser.tab(interceptor.url);
    interceptor.rules = [({ url }) => (url.startsWith('/api/') ? { status: 503, type: 'text/html', body: 'down' } : undefined)];
    await tab.collect(interceptor.url, '000-000-000-000-000-000-000-000-011', PASSPHRASE);
    await tab.heading('No key in this browser belongs to this transaction ID');
    await tab.accessible();
    await tab.page.close();
    await interceptor.stop();
});
