// Going from page to page: back, in another tab, below a path, and when a file does not come as it should.
import assert from 'node:assert/strict';
import { join } from 'node:path';

import { PASSPHRASE, site } from './fixture.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';
import { collect, collectHere, READY } from './pages/collect.js';
import { state } from './pages/components.js';
import { addLink, cannotStart, clearStores, deleteDatabase, hasNoServiceWorker, isCreatingDatabase, isMarked, keptTypes, mark } from './pages/document.js';
import { fillInForm, register, TYPE } from './pages/register.js';
import { goOnToCollect, showsRequest, transactionId } from './pages/submitted.js';

const { test, gateway, browser, folder, another, borrow, intercept } = site({ gateway: { manual: true } });

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

test('a page that is left while it creates its database does not keep the next one from it', async () => {
    const certificate = { certificate_file: join(folder, 'tls.pem'), key_file: join(folder, 'tls-key.pem') };
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-days', '1', '-addext',
        'subjectAltName=IP:127.0.0.1', '-keyout', certificate.key_file, '-out', certificate.certificate_file);
    const secure = await borrow(Gateway.start({ config: { public_url: 'https://127.0.0.1', tls: certificate } }));
    const tab = await (await another({ https: true })).tab(secure.at('register'));
    await tab.text('This browser can make your key.');
    await deleteDatabase(tab);
    await tab.navigate('Devices');
    await isCreatingDatabase(tab);
    // The browser may freeze the page that is left, with its database half made.
    await tab.open(secure.at('certificates'));
    await tab.text('This browser holds no requests yet.');
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

test('a part of the program that arrives damaged is not kept', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    tab.expectComplaints();
    const asked = new Promise((resolve) => {
        let times = 0;
        interceptor.rules = [({ url }) => {
            if (!/\/split_other-.*wasm$/.test(url)) return undefined;
            times++;
            // By the page, and by the service worker.
            if (times === 2) resolve();
            return { type: 'text/html', body: '<!DOCTYPE html><title>Sign in</title>' };
        }];
    });
    await tab.open(interceptor.url);
    await asked;
    await hasNoServiceWorker(tab);
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

/** What the main navigation calls each page, and what the page calls itself. */
const NAVIGATION = [
    ['Register', 'Choose Certificate Type'], ['Collect', 'Collect'], ['My Certificates', 'My Certificates'], ['Devices', 'Devices'],
    ['Trust', 'Trust'], ['Inspector', 'Inspector'], ['Help', 'Help'], ['About', 'About'], ['Home', 'Your certificate, made in your browser'],
];

test('a walk over every page, by links, back and forward, stays in one document', async () => {
    const tab = await browser.tab(gateway.url);
    await mark(tab);
    const walk = [...NAVIGATION.map(([name, heading]) => [() => tab.navigate(name), heading])];
    const links = [
        [() => tab.navigate('Register'), 'Choose Certificate Type'], [() => tab.press(TYPE), 'Certificate Request'],
        [() => tab.navigate('My Certificates'), 'My Certificates'],
        [() => tab.press('Renew a certificate that you have in a .p12 file'), 'Renew'],
        [() => tab.navigate('Help'), 'Help'], [() => tab.press('When something is lost'), 'When something is lost'],
        [() => tab.navigate('Help'), 'Help'], [() => tab.press('Install and connect'), 'Install and connect'],
    ];
    const headings = ['Your certificate, made in your browser'];
    for (const [go, heading] of [...walk, ...links]) {
        await go();
        await tab.heading(heading);
        await tab.headingHasFocus();
        headings.push(heading);
    }
    for (const heading of headings.slice(0, -1).reverse()) {
        await tab.back();
        await tab.heading(heading);
    }
    for (const heading of headings.slice(1)) {
        await tab.forward();
        await tab.heading(heading);
    }
    assert.ok(await isMarked(tab), 'the document is the one that was marked');
});

test('the main job and the pages of its request stay in one document', async () => {
    const tab = await browser.tab(gateway.url);
    await mark(tab);
    await tab.navigate('Register');
    await tab.press(TYPE);
    await fillInForm(tab, { name: 'One Document', passphrase: PASSPHRASE });
    await tab.press('Submit');
    const id = await transactionId(tab);
    await tab.press('Change the passphrase, or remove this request');
    await showsRequest(tab, id);
    await gateway.requests('approve', id);
    await goOnToCollect(tab);
    await collectHere(tab, PASSPHRASE);
    await tab.navigate('Help');
    await tab.heading('Help');
    assert.ok(await isMarked(tab), 'the document is the one that was marked');
});

test('without a network, after one visit, every page is shown, and the job is done up to sending', async () => {
    const tab = await (await another()).tab(gateway.url);
    await tab.kept();
    tab.expectFailedRequests();
    await gateway.kill();
    for (const [name, heading] of NAVIGATION) {
        await tab.navigate(name);
        await tab.heading(heading);
        await tab.open((await tab.url()).href);
        await tab.heading(heading);
    }
    await tab.navigate('Register');
    await tab.press(TYPE);
    await fillInForm(tab, { name: 'No Network', passphrase: PASSPHRASE });
    await tab.press('Submit');
    await tab.heading('Certificate Request Saved');
    await gateway.restart();
    assert.ok(await transactionId(tab));
});
