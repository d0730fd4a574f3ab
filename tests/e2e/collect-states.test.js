// Every state of Collect is reached and seen, and each is accessible.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';
import { Interceptor } from './proxy.js';

const PASSPHRASE = 'Correct-4-horse!';
let gateway, browser, interceptor, folder, tab, url, id, issued;

before(async () => {
    gateway = await Gateway.start({ manual: true });
    interceptor = await Interceptor.start(gateway.url);
    url = interceptor.url;
    browser = await Browser.start();
    folder = await mkdtemp(join(tmpdir(), 'keyside-collect-'));
    tab = await browser.tab();
    id = await tab.register(url, { name: 'Ada Example', passphrase: PASSPHRASE });
    issued = await tab.register(url, { name: 'Grace Example', passphrase: PASSPHRASE });
    await gateway.requests('approve', issued);
    await tab.state('Ready to collect');
});

after(async () => {
    await browser?.stop();
    await interceptor?.stop();
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
});

async function collected(transactionId, passphrase, title) {
    await tab.collect(url, transactionId, passphrase);
    await tab.heading(title);
    await tab.accessible();
}

/** A request that another computer made: its key is not in this browser. */
async function requestFromElsewhere() {
    const { certificate_types: types } = await (await fetch(new URL('api/v1/configuration', url))).json();
    const type = types.find(({ id }) => id === 'participants');
    // The template is RFC 4514, most significant part last; openssl wants it the other way round.
    const subject = type.subject_template.replace('{common_name}', 'Elsewhere').split(',').reverse().map((part) => `/${part.trim()}`).join('');
    const key = join(folder, 'elsewhere.key');
    const csr = join(folder, 'elsewhere.der');
    await run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-utf8', '-subj', subject,
        '-addext', 'subjectAltName=email:elsewhere@example.com', '-outform', 'DER', '-out', csr);
    const response = await fetch(new URL('api/v1/requests', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ certificate_type: type.id, certification_request: (await readFile(csr)).toString('base64') }),
    });
    assert.equal(response.status, 202, await response.clone().text());
    return (await response.json()).transaction_id;
}

test(`${kind}: malformed transaction ID`, () => collected('not-an-id', PASSPHRASE, 'This is not a transaction ID'));

test(`${kind}: unknown transaction ID`, () =>
    collected('000-000-000-000-000-000-000-000-011', PASSPHRASE, 'No request has this transaction ID'));

test(`${kind}: pending`, () => collected(id.toLowerCase().replaceAll('-', ' '), PASSPHRASE, 'The request is waiting for approval'));

test(`${kind}: no passphrase given`, async () => {
    await tab.open(new URL('collect', url).href);
    await tab.type('Transaction ID', issued);
    await tab.press('Collect');
    await tab.text('Enter the pickup passphrase.');
    assert.equal(await tab.page.evaluate(() => document.activeElement.id), 'collect-passphrase');
    assert.equal(await tab.value('Transaction ID'), issued, 'nothing typed is lost');
    await tab.accessible();
});

test(`${kind}: key not on this computer`, async () =>
    collected(await requestFromElsewhere(), PASSPHRASE, 'The key of this request is not on this computer'));

test(`${kind}: certificate that does not match the key`, async () => {
    const other = await requestFromElsewhere();
    await gateway.requests('approve', other);
    await tab.open(url);
    await tab.until(async (id) => (await (await fetch(`/api/v1/requests/${id}`)).json()).state === 'issued', other);
    interceptor.rules = [({ url }) => (url === `/api/v1/requests/${issued}/certificate` ? { path: `/api/v1/requests/${other}/certificate` } : undefined)];
    await collected(issued, PASSPHRASE, 'The certificate does not belong to your key');
    interceptor.rules = [];
});

test(`${kind}: chain that does not reach the configured CA`, async () => {
    const stranger = join(folder, 'stranger.der');
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(folder, 'stranger.key'), '-subj', '/CN=Stranger Root',
        '-days', '1', '-outform', 'DER', '-out', stranger);
    const body = JSON.stringify({ trust_anchors: [(await readFile(stranger)).toString('base64')], intermediates: [] });
    interceptor.rules = [({ url }) => (url === '/api/v1/ca' ? { body } : undefined)];
    await collected(issued, PASSPHRASE, 'The certificate does not lead to the expected certification authority');
    interceptor.rules = [];
});

test(`${kind}: gateway unreachable`, async () => {
    await tab.open(new URL('collect', url).href);
    await gateway.kill();
    await tab.type('Transaction ID', issued);
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await tab.heading('The registration authority cannot be reached');
    assert.equal(await tab.value('Transaction ID'), issued, 'nothing typed is lost');
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE, 'nothing typed is lost');
    await gateway.restart();
    tab.console.length = 0;
});

test(`${kind}: wrong passphrase, and then the right one`, async () => {
    await collected(issued, 'Wrong-4-horse!!', 'The passphrase is wrong');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await tab.heading('Your certificate is ready');
    await tab.accessible();
});

test(`${kind}: rejected, with the reason`, async () => {
    await gateway.requests('reject', id, '--reason', 'Nobody of that name works here');
    await collected(id, PASSPHRASE, 'The request was rejected');
    await tab.text('Nobody of that name works here');
});
