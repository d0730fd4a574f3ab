// Killing the tab, the browser or the gateway at any step loses nothing: the job goes on from where it was.
import assert from 'node:assert/strict';

import { PASSPHRASE, site } from './fixture.js';
import { eventually } from './neighbours.js';
import { collect, READY } from './pages/collect.js';
import { entry, state } from './pages/components.js';
import { fillIn, formIsBack, register } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const { test, gateway, browser, intercept } = site({ gateway: { manual: true } });

test('the browser dies while the key is made: what was typed is there, and nothing half-made', { needs: 'restart' }, async () => {
    let tab = await browser.tab();
    await fillIn(tab, gateway.url, { name: 'Interrupted', passphrase: PASSPHRASE });
    await tab.choose('RSA 4096');
    await tab.press('Submit');
    await tab.heading('Making your key pair');
    await browser.crash();
    tab = await browser.tab();
    await tab.open(gateway.at('register/participants'));
    await tab.holds('Common Name', 'Interrupted');
    assert.equal(await tab.value('Email Address'), 'ada@example.com');
    assert.equal(await tab.value('Pickup Passphrase'), '');
    assert.deepEqual((await tab.stores()).records, []);
});

test('Cancel stops at once, and nothing typed is lost', { needs: 'workers' }, async () => {
    const tab = await browser.tab();
    await fillIn(tab, gateway.url, { name: 'Cancelled', passphrase: PASSPHRASE });
    await tab.choose('RSA 4096');
    await tab.press('Submit');
    await tab.heading('Making your key pair');
    const workers = tab.workers();
    assert.notEqual(workers.length, 0);
    await tab.press('Cancel');
    await formIsBack(tab);
    assert.equal(await tab.value('Common Name'), 'Cancelled');
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE);
    await tab.without(workers);
    assert.deepEqual((await tab.stores()).records, []);
});

test('the gateway is down at Submit; the request is saved, and goes out when it is back', async () => {
    const tab = await browser.tab();
    await fillIn(tab, gateway.url, { name: 'Gateway Down', passphrase: PASSPHRASE });
    tab.expectFailedRequests();
    await gateway.kill();
    await tab.press('Submit');
    await tab.heading('Certificate Request Saved');
    await tab.text('This page keeps trying.');
    await tab.accessible();
    await gateway.restart();
    assert.ok(await transactionId(tab));
    await state(tab, 'Waiting for approval');
});

test('the gateway has too much to do for a while: the page waits as long as it is told, and the request is ready in the end', { needs: 'two engines' }, async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    const id = await register(tab, interceptor.url, { name: 'Crowded', passphrase: PASSPHRASE });
    tab.expectFailedRequests();
    const problem = JSON.stringify({ type: '/problems/unavailable', title: 'The service cannot answer now', status: 429, detail: 'Too many requests.' });
    let refused = 0;
    interceptor.rules = [({ url }) => (url.includes('/requests/') && refused++ < 4
        ? { status: 429, type: 'application/problem+json', headers: { 'retry-after': '1' }, body: problem } : undefined)];
    await eventually(() => refused >= 4, () => 'the page asks again');
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
});

test('the answer to Submit is lost, and the browser dies; the same request is found again', { needs: 'restart' }, async () => {
    const interceptor = await intercept();
    let tab = await browser.tab();
    await fillIn(tab, interceptor.url, { name: 'Lost Answer', passphrase: PASSPHRASE });
    tab.expectFailedRequests();
    interceptor.rules = [({ method }) => (method === 'POST' ? { lose: true } : undefined)];
    await tab.press('Submit');
    await tab.heading('Certificate Request Saved');
    const before = await gateway.requests('list');
    assert.match(before, /Lost Answer/);
    await browser.crash();
    interceptor.rules = [];
    tab = await browser.tab(interceptor.url);
    await entry(tab, 'Lost Answer', 'Waiting for approval');
    const listed = (await gateway.requests('list')).match(/Lost Answer/g);
    assert.equal(listed.length, 1, 'one request, however often it was sent');
    await tab.close();
});

test('browser and gateway die while the request waits; it is approved, issued once, and collected without a network', { needs: 'restart' }, async () => {
    let tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Waiting', passphrase: PASSPHRASE });
    await browser.crash();
    await gateway.requests('approve', id);
    await gateway.kill();
    await gateway.restart();
    tab = await browser.tab();
    await tab.open(gateway.url);
    await entry(tab, 'Waiting', 'Ready to collect');

    // Killed right after the certificate was fetched, before the file was downloaded.
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.kept();
    await browser.crash();
    await gateway.kill();
    tab = await browser.tab();
    tab.expectFailedRequests();
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.press('Download PKCS#12');
    // Without the gateway the page knows its badge from the last visit, unless the crash has lost it.
    const file = await browser.downloaded(/^Waiting [0-9a-f]+ \d{4}-\d\d-\d\d( Test)?\.p12$/);
    assert.equal(file.bytes[0], 0x30);
    await gateway.restart();
});

test('the tab is closed between Submit and Collect; another tab goes on', async () => {
    let tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Two Tabs', passphrase: PASSPHRASE });
    await tab.close();
    tab = await browser.tab(gateway.at('collect'));
    await tab.holds('Transaction ID', id);
});

test('a request that is refused is not sent for ever; the page says why and offers the way on', { needs: 'one engine' }, async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    await register(tab, interceptor.url, { name: 'Waits Beside', passphrase: PASSPHRASE });
    await fillIn(tab, interceptor.url, { name: 'Refused', passphrase: PASSPHRASE });
    let sent = 0;
    const refusal = { type: '/problems/subject-not-allowed', title: 'The subject is not allowed', status: 422, detail: 'Ask your UAA.' };
    tab.expectFailedRequests();
    interceptor.rules = [({ method }) => {
        if (method !== 'POST') return undefined;
        sent++;
        return { status: 422, type: 'application/problem+json', body: JSON.stringify(refusal) };
    }];
    await tab.press('Submit');
    await tab.text('This request cannot be accepted: register again');
    await tab.accessible();
    assert.equal(sent, 2, 'once by the form, once by the page of the request');
    await tab.navigate('Home');
    await entry(tab, 'Refused: see Details');
    await tab.accessible();
    // Home asks about all that waits, again and again: the other request shows when it has done so.
    const asked = () => interceptor.requests.filter((request) => /^GET \/api\/v1\/requests\/[^/]+$/.test(request)).length;
    const before = asked();
    await eventually(() => asked() >= before + 2, () => 'Home asks about the other request twice');
    assert.equal(sent, 3, 'Home has sent it once, and not again');
    await tab.close();
});

test('a foreign answer never takes the kept page\'s place, and a proxy\'s 502 does not hide it', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab(interceptor.url);
    await tab.kept();
    await tab.reload();
    // A file that is opened by itself is no page, even one that speaks of what tells pages.
    tab.expectComplaints();
    await tab.openAnything(interceptor.at('service-worker.js'));
    interceptor.rules = [() => ({ type: 'text/html', body: '<!DOCTYPE html><title>Sign in</title>' })];
    await tab.openAnything(interceptor.url);
    assert.equal(await tab.title(), 'Sign in');
    interceptor.rules = [() => ({ status: 502, type: 'text/html', body: '<!DOCTYPE html><title>Bad Gateway</title>' })];
    await tab.open(interceptor.url);
    await tab.heading('Your certificate, made in your browser');
    await tab.close();
});

test('an unknown ID while the gateway is down is told from a key that is elsewhere', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab(interceptor.url);
    tab.expectFailedRequests();
    interceptor.rules = [({ url }) => (url.startsWith('/api/') ? { status: 503, type: 'text/html', body: 'down' } : undefined)];
    await collect(tab, interceptor.url, '000-000-000-000-000-000-000-000-011', PASSPHRASE);
    await tab.heading('No key in this browser belongs to this transaction ID');
    await tab.accessible();
    await tab.close();
});
