// Every state of Collect is reached and seen, and each is accessible.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { eventually } from './neighbours.js';
import { collect, collectHere } from './pages/collect.js';
import { register } from './pages/register.js';

/** The transaction IDs of a request that waits, and of one whose certificate is issued. */
let waiting, issued, proxy;
const { test, gateway, browser, folder, intercept } = site({
    gateway: { manual: true },
    async prepare() {
        proxy = await intercept();
        const tab = await browser.tab();
        waiting = await register(tab, proxy.url, { name: 'Ada Example', passphrase: PASSPHRASE });
        issued = await register(tab, proxy.url, { name: 'Grace Example', passphrase: PASSPHRASE });
        await issue(issued);
    },
});

async function issue(id) {
    await gateway.requests('approve', id);
    await eventually(async () => (await (await fetch(gateway.at(`api/v1/requests/${id}`))).json()).state === 'issued', () => `${id} is issued`);
}

/** Tries to collect; the answer has this title, and is accessible. Gives the tab. */
async function answers(id, passphrase, title) {
    const tab = await browser.tab();
    // An answer of 404 shows on the console.
    tab.expectFailedRequests();
    await collect(tab, proxy.url, id, passphrase);
    await tab.heading(title);
    await tab.accessible();
    return tab;
}

/** A request that another computer made: its key is not in this browser. */
async function requestFromElsewhere() {
    const { certificate_types: types } = await (await fetch(gateway.at('api/v1/configuration'))).json();
    const type = types.find(({ id }) => id === 'participants');
    // The template is RFC 4514, most significant part last; openssl wants it the other way round.
    const subject = type.subject_template.replace('{common_name}', 'Elsewhere').split(',').reverse().map((part) => `/${part.trim()}`).join('');
    const key = join(folder, 'elsewhere.key');
    const csr = join(folder, 'elsewhere.der');
    await run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-utf8', '-subj', subject,
        '-addext', 'subjectAltName=email:elsewhere@example.com', '-outform', 'DER', '-out', csr);
    const response = await fetch(gateway.at('api/v1/requests'), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ certificate_type: type.id, certification_request: (await readFile(csr)).toString('base64') }),
    });
    assert.equal(response.status, 202, await response.clone().text());
    return (await response.json()).transaction_id;
}

test('malformed transaction ID', { needs: 'one engine' }, () => answers('not-an-id', PASSPHRASE, 'This is not a transaction ID'));

test('unknown transaction ID', { needs: 'one engine' }, () => answers('000-000-000-000-000-000-000-000-011', PASSPHRASE, 'No request has this transaction ID'));

test('pending', { needs: 'one engine' }, () => answers(waiting.toLowerCase().replaceAll('-', ' '), PASSPHRASE, 'The request is waiting for approval'));

test('no passphrase given', { needs: 'one engine' }, async () => {
    const tab = await browser.tab(proxy.at('collect'));
    await tab.type('Transaction ID', issued);
    await tab.press('Collect');
    await tab.text('Enter the pickup passphrase.');
    assert.ok(await tab.hasFocus('Pickup Passphrase'));
    assert.equal(await tab.value('Transaction ID'), issued, 'nothing typed is lost');
    await tab.accessible();
});

test('key not on this computer', async () =>
    answers(await requestFromElsewhere(), PASSPHRASE, 'The key of this request is not on this computer'));

test('certificate that does not match the key', async () => {
    const other = await requestFromElsewhere();
    await issue(other);
    proxy.rules = [({ url }) => (url === `/api/v1/requests/${issued}/certificate` ? { path: `/api/v1/requests/${other}/certificate` } : undefined)];
    await answers(issued, PASSPHRASE, 'The certificate does not belong to your key');
});

test('chain that does not reach the configured CA', async () => {
    const stranger = join(folder, 'stranger.der');
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(folder, 'stranger.key'), '-subj', '/CN=Stranger Root',
        '-days', '1', '-outform', 'DER', '-out', stranger);
    const body = JSON.stringify({ trust_anchors: [(await readFile(stranger)).toString('base64')], intermediates: [] });
    proxy.rules = [({ url }) => (url === '/api/v1/ca' ? { body } : undefined)];
    await answers(issued, PASSPHRASE, 'The certificate does not lead to the expected certification authority');
});

test('gateway unreachable', async () => {
    const tab = await browser.tab(proxy.at('collect'));
    tab.expectFailedRequests();
    await gateway.kill();
    await tab.type('Transaction ID', issued);
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await tab.heading('The registration authority cannot be reached');
    assert.equal(await tab.value('Transaction ID'), issued, 'nothing typed is lost');
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE, 'nothing typed is lost');
    await gateway.restart();
});

test('wrong passphrase, and then the right one', async () => {
    const tab = await answers(issued, 'Wrong-4-horse!!', 'The passphrase is wrong');
    await collectHere(tab, PASSPHRASE);
    await tab.accessible();
});

test('rejected, with the reason', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    const id = await register(tab, proxy.url, { name: 'Not Known', passphrase: PASSPHRASE });
    await gateway.requests('reject', id, '--reason', 'Nobody of that name works here');
    const rejected = await answers(id, PASSPHRASE, 'The request was rejected');
    await rejected.text('Nobody of that name works here');
});
