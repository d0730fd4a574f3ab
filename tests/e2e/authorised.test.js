// From an authorisation to the certificate, each step by the mail that tells of it: with each CA engine, and a real mail server.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Gateway } from './gateway.js';
import { PASSPHRASE, rootOf, site } from './fixture.js';
import { judge, run } from './judges.js';
import { Cfssl, eventually, MailServer } from './neighbours.js';
import { collect as collectFrom, READY } from './pages/collect.js';
import { state } from './pages/components.js';
import { fillInAuthorisation, history, invite, row, shownCode, signIn } from './pages/console.js';
import { fillInForm, hasCode, TYPE, typeCode } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const COMPANY = 'Example Power';
const { test, browser, folder, borrow, another } = site({ needs: 'two engines' });

/** A User Access Administrator authorises the person; one who tells the code learns it, and gives it here. */
async function authorise(gateway, person, { tells = false } = {}) {
    const officer = await browser.tab();
    await signIn(officer, await invite(gateway, 'uaa', 'Una Example', '--company', COMPANY));
    await officer.navigate('Authorisations');
    await officer.press('Authorise a person');
    await officer.heading('Authorise a person');
    await fillInAuthorisation(officer, person);
    if (tells) await officer.choose('I tell the code myself');
    await officer.press('Authorise');
    if (!tells) {
        await officer.heading(person.name);
        return undefined;
    }
    await officer.heading('The one-time code');
    await officer.accessible();
    const code = await shownCode(officer);
    await officer.press('To the authorisation');
    await officer.heading(person.name);
    assert.ok(!(await officer.shown()).includes(code));
    return code;
}

/** The link in the mail that tells of the authorisation. */
async function invitation(gateway, mail, { name, email }) {
    const told = await mail.mail(email, 'New User Notification');
    assert.equal(told.to, email);
    for (const text of [`Common Name:      ${name}`, `Company:          ${COMPANY}`, TYPE]) assert.ok(told.text.includes(text), told.text);
    const [link] = told.text.match(/https?:\/\/\S+\/register\/\S+/);
    assert.ok(link.startsWith(gateway.url), link);
    return link;
}

/** Registers by the link in the mail that tells of the authorisation. Gives the tab and the transaction ID. */
async function register(gateway, mail, person) {
    const { name, email } = person;
    const link = await invitation(gateway, mail, person);
    const user = await browser.tab();
    await user.open(link);
    await user.text(TYPE);
    await user.heading('Certificate Request');
    assert.equal(await user.value('Common Name'), name);
    assert.equal(await user.value('Email Address'), email);
    // The code has left the address; the form has it, after a reload too.
    const { hash } = new URL(link);
    await hasCode(user, hash.replace('#code=', ''));
    await isForgotten(user, hash);
    await user.reload();
    await hasCode(user, hash.replace('#code=', ''));
    await fillInForm(user, { email: null, passphrase: PASSPHRASE });
    await user.press('Submit');
    const id = await transactionId(user);
    assert.ok((await mail.mail(email, 'Certificate Request Submitted')).text.includes(id));
    await state(user, 'Waiting for approval');
    return { user, id };
}

/** Waits until the address has no fragment, and what was there is nowhere in the address. */
async function isForgotten(tab, hash) {
    await tab.until(() => location.hash === '');
    assert.ok(!(await tab.url()).href.includes(hash.slice(1)));
}

/** Sends the form that `tab` shows; gives the transaction ID, and what the page says of the request. */
async function submit(tab, fields) {
    await fillInForm(tab, { ...fields, passphrase: PASSPHRASE });
    await tab.press('Submit');
    const id = await transactionId(tab);
    await state(tab, 'Waiting for approval');
    return { id, shown: (await tab.shown()).replaceAll(id, 'ID') };
}

/** An approver, who sees the authorisation beside the request, approves it. Gives the tab. */
async function approve(gateway, { name }, id) {
    const approver = await browser.tab();
    await signIn(approver, await invite(gateway, 'approver', 'Abe Example'));
    assert.match(await row(approver, id), /Authorised[^]*Pending/);
    await approver.press(name);
    await approver.text(`Authorised for ${COMPANY}`);
    await approver.press('Approve…');
    await approver.heading('Approve the request');
    await approver.press('Approve the request');
    await approver.text('approved by Abe Example (Approver)');
    return approver;
}

/** Collects as the mail says, and downloads. The file opens everywhere and chains to `root`. */
async function collect(gateway, mail, user, { name, email }, { root, certificates }) {
    const told = await mail.mail(email, 'ready');
    assert.match(told.text, /Use the Collect command/);
    const [address] = told.text.match(/https?:\/\/\S+\/collect$/m);
    const [, id] = told.text.match(/Transaction ID: (\S+)/);
    assert.ok(address.startsWith(gateway.url), address);
    await user.front();
    await state(user, 'Ready to collect');
    await collectFrom(user, address, id, PASSPHRASE);
    await user.heading(READY);
    await user.press('Download PKCS#12');
    const file = await browser.downloaded(new RegExp(`^${name} .*\\.p12$`));
    await judge({ pfx: file.path, passphrase: PASSPHRASE, commonName: name, root, certificates });
    return { id, serialNumber: await serialNumber(file.path) };
}

/** The serial number of the user's certificate in a PKCS#12 file, as OpenSSL writes it. */
async function serialNumber(pfx) {
    const leaf = join(folder, 'leaf.pem');
    await run('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${PASSPHRASE}`, '-clcerts', '-nokeys', '-out', leaf);
    const text = await run('openssl', 'x509', '-in', leaf, '-noout', '-serial');
    return text.trim().split('=')[1].toLowerCase();
}

/** It was issued once: one certificate, one mail of each kind, and an audit log that is whole and tells of one. */
async function issuedOnce(gateway, mail, approver, { email }, { id, serialNumber }) {
    const list = (await gateway.requests('list')).split('\n').filter((line) => line.startsWith(id));
    assert.equal(list.length, 1);
    assert.ok(list[0].includes(serialNumber), `${list[0]} has another serial number than ${serialNumber}`);
    await approver.front();
    await approver.open(gateway.at(`console/requests/${id}`));
    const shown = await history(approver);
    assert.equal(shown.match(/: issued by /g)?.length, 1, shown);
    assert.match(await gateway.audit('verify'), /The audit log is whole/);
    const subjects = (await mail.taken(email)).map(({ subject }) => subject.replace(/^Keyside: /, ''));
    assert.equal(subjects.length, 3, subjects.join('; '));
    assert.match(await gateway.command('notifications', 'list'), /^(?![^]*@example)/, 'no notification waits');
}

test('authorised, registered, approved, collected, each by mail; the embedded CA issues', async () => {
    const person = { name: 'Ada Example 01', email: 'ada@example.com' };
    const mail = await borrow(MailServer.start());
    const gateway = await borrow(Gateway.start({ manual: true, config: { notifications: mail.table } }));
    await authorise(gateway, person);
    const { user, id } = await register(gateway, mail, person);
    const approver = await approve(gateway, person, id);
    const collected = await collect(gateway, mail, user, person, { root: await rootOf(gateway, folder), certificates: 3 });
    assert.equal(collected.id, id);
    await issuedOnce(gateway, mail, approver, person, collected);
});

test('the same with CFSSL, which is stopped before the approval and started again after it', async () => {
    const person = { name: 'Grace Example 02', email: 'grace@example.com' };
    const mail = await borrow(MailServer.start());
    const cfssl = await borrow(Cfssl.start());
    const gateway = await borrow(Gateway.start({ manual: true, config: { ca: cfssl.table, notifications: mail.table } }));
    await authorise(gateway, person);
    const { user, id } = await register(gateway, mail, person);
    await cfssl.suspend();
    const approver = await approve(gateway, person, id);
    const waits = async () => (await gateway.requests('list')).split('\n').some((line) => line.startsWith(id) && line.includes('does not answer'));
    await eventually(waits, () => 'the operator reads that CFSSL does not answer');
    assert.equal(await cfssl.signed(), 0);
    await user.front();
    await state(user, 'Waiting for approval');
    assert.equal((await mail.taken(person.email)).length, 2, 'nobody is told of a certificate that is not there');

    await cfssl.resume();
    const collected = await collect(gateway, mail, user, person, { root: cfssl.root, certificates: 2 });
    assert.equal(collected.id, id);
    await issuedOnce(gateway, mail, approver, person, collected);
    assert.equal(await cfssl.signed(), 1);
});

const WITH_COMPANY = { subject_template: 'CN={common_name},O={company},C=US' };
const WRONG_CODE = '000-000-000-000-000-000-000-000-011';

test('a stranger who knows name and address gets nothing and learns nothing; the link works once, on whatever computer', async () => {
    const person = { name: 'Alan Example 03', email: 'alan@example.com' };
    const mail = await borrow(MailServer.start());
    const gateway = await borrow(Gateway.start({ manual: true, config: { notifications: mail.table } }));
    const form = new URL('register/participants', gateway.url).href;
    const early = await browser.tab(form);
    const before = await submit(early, person);
    await authorise(gateway, person);
    const link = await invitation(gateway, mail, person);

    // Without the code, and with a guess.
    const stranger = await browser.tab(form);
    const without = await submit(stranger, person);
    await stranger.open(form);
    await typeCode(stranger, '123');
    await fillInForm(stranger, { ...person, passphrase: PASSPHRASE });
    await stranger.press('Submit');
    await stranger.text('An authorization code has 27 letters and digits; this has 3.');
    await stranger.accessible();
    await typeCode(stranger, WRONG_CODE);
    const guessed = await submit(stranger, person);

    // The person, on another computer than the first one; and once more.
    const computer = await another();
    const user = await computer.tab(link);
    const own = await submit(user, { email: null });
    const again = await browser.tab(link);
    const second = await submit(again, { email: null });
    for (const { shown } of [before, without, guessed, second]) {
        const comparable = (text) => text.replaceAll(/\d{1,2}:\d\d(:\d\d)?( [AP]M)?/g, 'TIME');
        assert.equal(comparable(shown), comparable(own.shown));
    }

    const approver = await browser.tab();
    await signIn(approver, await invite(gateway, 'approver', 'Abe Example'));
    assert.match(await row(approver, own.id), /(?<!Not a)Authorised/i);
    for (const { id } of [before, without, guessed, second]) assert.match(await row(approver, id), /Not authorised/);
    for (const [{ id }, text] of [
        [without, 'Came without a code'],
        [guessed, 'Came with a code that is not this person\'s'],
        [own, 'Came with the code of its authorisation'],
    ]) {
        await approver.open(gateway.at(`console/requests/${id}`));
        await approver.text(text);
    }
    await approver.accessible();
});

test('where what is authorised is approved by itself, the code is told by another way, and only its request is issued, for its company', async () => {
    const person = { name: 'Edsger Example 04', email: 'edsger@example.com' };
    const mail = await borrow(MailServer.start());
    const config = ({ certificate_types: types }) => ({
        notifications: mail.table,
        certificate_types: types.map((type) => ({ ...type, approval: 'authorised', ...(type.id === 'participants' && WITH_COMPANY) })),
    });
    const gateway = await borrow(Gateway.start({ manual: true, config }));
    const code = await authorise(gateway, person, { tells: true });
    const link = await invitation(gateway, mail, person);
    assert.equal(new URL(link).hash, '');
    const stranger = await browser.tab(link);
    await submit(stranger, { email: null });
    const user = await browser.tab(link);
    assert.equal(await user.value('Company'), COMPANY);
    await user.type('Company', ' ');
    await user.press('Submit');
    await user.text('Some entries need your attention');
    await user.accessible();
    // The entries are kept over a reload.
    await user.type('Company', COMPANY);
    await user.reload();
    await user.holds('Company', COMPANY);
    await typeCode(user, code.toLowerCase().replaceAll('-', ' '));
    await fillInForm(user, { email: null, passphrase: PASSPHRASE });
    await user.press('Submit');
    const id = await transactionId(user);
    await state(user, 'Ready to collect');
    await collectFrom(user, gateway.url, id, PASSPHRASE);
    await user.heading(READY);
    const chain = join(folder, 'chain.pem');
    await writeFile(chain, await (await fetch(gateway.at(`api/v1/requests/${id}/certificate`))).text());
    assert.match(await run('openssl', 'x509', '-in', chain, '-noout', '-subject'), /O = Example Power, CN = Edsger Example 04$/m);
    await stranger.front();
    await state(stranger, 'Waiting for approval');
});
