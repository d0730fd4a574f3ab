// Every page and state is accessible; wrong entries are named; the whole job can be done with the keyboard alone.
import assert from 'node:assert/strict';

import { kind } from './browser.js';
import { PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { READY } from './pages/collect.js';
import { entry, faults, faultsBesideFields, faultsLeft, state } from './pages/components.js';
import { answerPersistence, clearStores, hasNoWebAssembly } from './pages/document.js';
import { fillIn, register, rulesMet, TYPE } from './pages/register.js';
import { transactionIdLabel } from './pages/submitted.js';
import { buttonsBesideRetired, certificates, documents } from './pages/trust.js';

const { test, gateway, browser, another, intercept } = site();

for (const [path, heading] of [
    ['', 'Your certificate, made in your browser'],
    ['register', 'Choose Certificate Type'],
    ['register/participants', 'Certificate Request'],
    ['collect', 'Collect'],
    ['certificates', 'My Certificates'],
    ['lost', 'When something is lost'],
    ['install', 'Install and connect'],
    ['devices', 'Devices'],
    ['trust', 'Trust'],
    ['inspect', 'Inspector'],
    ['help', 'Help'],
    ['about', 'About'],
    ['no-such-page', 'There is no such page'],
]) {
    // Only Chromium can be told over its protocol to prefer the dark.
    const schemes = kind === 'chromium' ? 'light and dark' : 'in the light';
    test(`/${path} is accessible, ${schemes}, and says nothing on the console`, async () => {
        const tab = await browser.tab();
        await tab.open(gateway.at(path));
        await tab.heading(heading);
        await tab.accessible();
        await tab.accessibleInTheDark();
    });
}

test('wrong entries are named beside their field and in a summary that has the focus; nothing typed is lost', async () => {
    const tab = await browser.tab();
    await tab.open(gateway.at('register/participants'));
    await tab.type('Common Name', 'x'.repeat(65));
    await tab.type('Email Address', 'nobody');
    await tab.type('Pickup Passphrase', 'short');
    await tab.type('Pickup Passphrase Confirmation', 'shirt');
    await tab.press('Submit');
    await tab.heading('Some entries need your attention');
    const summary = await faults(tab, 4);
    const { beside, tied } = await faultsBesideFields(tab);
    assert.deepEqual(beside, summary);
    assert.deepEqual(tied, summary);
    await tab.accessible();
    await tab.press(summary[1]);
    assert.ok(await tab.hasFocus('Email Address'));
    assert.equal(await tab.value('Common Name'), 'x'.repeat(65));
    assert.equal(await tab.value('Pickup Passphrase'), 'short');
    await tab.type('Email Address', 'ada@example.com');
    await faultsLeft(tab, 3);
});

test('each passphrase rule is ticked off as it is met', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    await tab.open(gateway.at('register/participants'));
    const counts = [await rulesMet(tab)];
    for (const text of ['a', 'aB', 'aB3', 'aB3-', 'aB3-aB3-', 'aB3-aB3é']) {
        await tab.type('Pickup Passphrase', text);
        counts.push(await rulesMet(tab));
    }
    assert.deepEqual(counts, [0, 2, 3, 4, 5, 6, 5]);
});

test('the whole job with the keyboard alone', async () => {
    const tab = await browser.tab(gateway.at('register'));
    await tab.text('This browser can make your key.');
    // Otherwise the draft of an earlier test would be filled in at any moment, between the keys that are typed here.
    await clearStores(tab);
    await tab.open(gateway.url);
    await tab.tabTo('Register');
    await tab.key('Enter');
    await tab.heading('Choose Certificate Type');
    await tab.tabTo(TYPE);
    await tab.key('Enter');
    await tab.heading('Certificate Request');
    await tab.tabTo('Common Name');
    await tab.keys('Key Board');
    await tab.tabTo('Email Address');
    await tab.keys('key@example.com');
    await tab.tabTo('Pickup Passphrase');
    await tab.keys(PASSPHRASE);
    await tab.tabTo('Pickup Passphrase Confirmation');
    await tab.keys(PASSPHRASE);
    await tab.key('Enter');
    await tab.heading('Certificate Request Submitted');
    await tab.accessible();
    await state(tab, 'Ready to collect');
    await tab.accessible();
    await tab.tabTo('Collect the certificate');
    await tab.key('Enter');
    await tab.heading('Collect');
    await tab.tabTo('Pickup Passphrase');
    await tab.keys(PASSPHRASE);
    await tab.key('Enter');
    await tab.heading(READY);
    await tab.tabTo('Download PKCS#12');
    await tab.key('Enter');
    const file = await browser.downloaded(/^Key Board [0-9a-f]+ \d{4}-\d\d-\d\d Test\.p12$/);
    assert.equal(file.bytes[0], 0x30);
});

test('Home shows each request with its state', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Listed', passphrase: PASSPHRASE });
    await tab.navigate('Home');
    await entry(tab, 'Listed', 'Ready to collect');
    await tab.accessible();
    assert.match(await tab.title(), /^\[Test\] /);
});

test('the transaction ID is copied and saved as text', async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Text File', passphrase: PASSPHRASE });
    await tab.press('Save as text');
    const file = await browser.downloaded(/^transaction-id\.txt$/);
    assert.match(file.bytes.toString(), new RegExp(`Transaction ID: ${id}`));
    assert.equal(await transactionIdLabel(tab), 'Transaction ID');
    await tab.press('Copy');
    await tab.text(/Copied|select the text/);
});

test('the browser is tried out before anything is asked; what fails is named with the way out', { needs: 'scripts before the page' }, async () => {
    const register = gateway.at('register');
    const ordinary = await browser.tab(register);
    await ordinary.text('This browser can make your key.');
    // No browser says whether a window is private: every user is told what that would mean.
    await ordinary.text('in a private window, that is when the window is closed.');
    await ordinary.close();
    for (const [spoil, text, details] of [
        [() => { window.Worker = class { constructor() { throw new Error('no workers here'); } }; }, 'does not start the background worker', 'no workers here'],
        [
            () => { IDBFactory.prototype.open = () => { throw new DOMException('no storage here', 'SecurityError'); }; },
            'does not let the page store anything', 'does not open its database',
        ],
        // In the web views of other apps on iOS, and under Lockdown Mode.
        [() => { delete Navigator.prototype.serviceWorker; }, 'This browser can make your key.'],
        [() => { StorageManager.prototype.estimate = async () => ({ quota: 5e6, usage: 3e6 }); }, 'It offers 2 MB more.'],
        [() => { Object.defineProperty(window, 'isSecureContext', { value: false }); }, 'did not come over a secure connection'],
    ]) {
        const tab = await browser.tab();
        tab.expectComplaints();
        await tab.spoil(spoil);
        await tab.open(register);
        await tab.text(text);
        await tab.accessible();
        if (details) {
            await tab.unfold();
            await tab.text(details);
        }
    }
});

test('where WebAssembly is switched off, the page says so and what to do', { needs: 'no WebAssembly' }, async () => {
    const tab = await (await another({ webAssembly: false })).tab();
    await tab.openAnything(gateway.at('register'));
    await hasNoWebAssembly(tab);
    await tab.accessible();
});

test('the browser is asked to keep what is saved, and its answer is shown', async () => {
    const tab = await browser.tab();
    await fillIn(tab, gateway.url, { name: 'Kept', passphrase: PASSPHRASE });
    // Chromium may have given its word to another test, Firefox asks the user: each answer is given in its place.
    await answerPersistence(tab, false);
    await tab.press('Submit');
    await tab.text('This browser may delete what is saved here');
    for (const [answer, text] of [[false, 'The browser makes no promise: save a backup.'], [true, 'The browser keeps it.']]) {
        await answerPersistence(tab, answer);
        await tab.press('Ask the browser to keep it');
        await tab.text(text);
    }
    await tab.accessible();
});

/** What OpenSSL makes of the certificate in `path`: its fingerprint, as in "AB:CD:…". */
const fingerprint = async (path, form, hash) =>
    (await run('openssl', 'x509', '-inform', form, '-in', path, '-noout', '-fingerprint', `-${hash}`)).trim().split('=')[1];

test('Trust\'s certificates are downloaded as PEM, DER and P7B, and OpenSSL finds the fingerprints that are shown', async () => {
    const tab = await browser.tab(gateway.at('trust'));
    await tab.heading('Certificates');
    const shown = await certificates(tab, 'Certificates');
    const [root, issuing] = ['Keyside Demo Root CA', 'Keyside Demo Issuing CA'];
    assert.deepEqual(shown.map(([name]) => name), [root, issuing]);
    const file = (name, extension) => browser.downloaded(new RegExp(`^${name} [0-9a-f]+ \\d{4}-\\d\\d-\\d\\d Test\\.${extension}$`));
    for (const [name, particulars] of shown) {
        for (const [form, extension] of [['PEM', 'pem'], ['DER', 'cer']]) {
            await tab.press(`Download ${form} of ${name}`);
            const { path } = await file(name, extension);
            assert.equal(particulars['SHA-256 fingerprint'], await fingerprint(path, form, 'sha256'));
            assert.equal(particulars['SHA-1 fingerprint'], await fingerprint(path, form, 'sha1'));
        }
    }
    await tab.press('Download PEM of the whole chain');
    const chain = await file(`${issuing} chain`, 'pem');
    assert.match(await run('openssl', 'storeutl', '-noout', '-certs', chain.path), /Total found: 2/);
    assert.match(await run('openssl', 'verify', '-CAfile', (await file(root, 'pem')).path, chain.path), /: OK/);
    await tab.press('Download P7B of the whole chain');
    const { path } = await file(`${issuing} chain`, 'p7b');
    const printed = await run('openssl', 'pkcs7', '-inform', 'DER', '-in', path, '-print_certs', '-noout');
    for (const name of [root, issuing]) assert.match(printed, new RegExp(`^subject=.*CN ?= ?${name}$`, 'm'));
});

test('Trust links to the documents, and tells retired CAs apart; when nothing answers it can be asked again', { needs: 'one engine' }, async () => {
    const interceptor = await intercept();
    const ca = await (await fetch(gateway.at('api/v1/ca'))).json();
    // The root stands for the certificate of another CA.
    ca.retired.push({ name: 'Another Old CA', ended: '2019-02-12', note: 'It was replaced.', certificate: ca.trust_anchors[0] });
    interceptor.rules = [({ url }) => (url === '/api/v1/ca' ? { status: 503, type: 'text/plain', body: 'down' } : undefined)];
    const tab = await browser.tab();
    tab.expectFailedRequests();
    await tab.open(interceptor.at('trust'));
    await tab.heading('The registration authority cannot be reached');
    await tab.accessible();
    interceptor.rules = [({ url }) => (url === '/api/v1/ca' ? { body: JSON.stringify(ca) } : undefined)];
    await tab.press('Try again');
    await tab.heading('No longer used');
    await tab.text('Do not install or trust these.');
    await tab.accessible();
    assert.deepEqual(await documents(tab), ca.documents.map(({ title, url }) => [title, url]));
    await tab.text('certification practice statement (CPS)');
    const [[, root]] = await certificates(tab, 'Certificates');
    const retired = await certificates(tab, 'No longer used');
    assert.deepEqual(retired, [['Example Grid Operator Issuing CA (SHA-1)', {}], ['Another Old CA', root]]);
    assert.equal(await buttonsBesideRetired(tab), 0, 'nothing to download there');
});
