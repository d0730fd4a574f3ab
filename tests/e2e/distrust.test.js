// Things that are not believed: a backup that was changed, an answer without end, a link that runs a script, a passphrase that is guessed first.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PASSPHRASE, site } from './fixture.js';
import { run } from './judges.js';
import { eventually } from './neighbours.js';
import { collect, READY } from './pages/collect.js';
import { faults, openRestore, pickBackup, state } from './pages/components.js';
import { answerPersistence } from './pages/document.js';
import { fillIn, register } from './pages/register.js';

const { test, gateway, browser, folder, another, intercept } = site({ gateway: { manual: true } });

/** The page's words for a certificate of the configured CA. */
const LEADS_THERE = 'leads to the configured certification authority';

/** `text` with the checksum that fits it. */
function withChecksum(text) {
    const contents = text.slice(0, text.lastIndexOf('\nSHA-256: ') + 1);
    return `${contents}SHA-256: ${createHash('sha256').update(contents).digest('hex')}\n`;
}

/** The backup at `path` with certificates for its request that another root has issued. Gives its text, and the root's fingerprint. */
async function withOtherCertificates(path) {
    const at = (name) => join(folder, name);
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('other.key'), '-out', at('other.pem'),
        '-subj', '/CN=Keyside Test Root', '-days', '30');
    await writeFile(at('leaf.cnf'), 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n');
    await run('openssl', 'req', '-in', path, '-out', at('backup.csr'));
    await run('openssl', 'x509', '-req', '-in', at('backup.csr'), '-CA', at('other.pem'), '-CAkey', at('other.key'), '-set_serial', '7',
        '-days', '20', '-extfile', at('leaf.cnf'), '-out', at('leaf.pem'));
    const [leaf, root] = await Promise.all(['leaf.pem', 'other.pem'].map((name) => readFile(at(name), 'utf8')));
    const original = await readFile(path, 'utf8');
    const blocks = /(-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*)+/;
    assert.match(original, blocks);
    const fingerprint = (await run('openssl', 'x509', '-in', at('other.pem'), '-noout', '-fingerprint', '-sha256')).split('=').at(-1).trim();
    return { text: original.replace(blocks, `${leaf}\n${root}`), fingerprint };
}

/** The key in the backup at `path`, sealed with another salt, PEM. */
async function sealedAsBefore(path) {
    const key = join(folder, 'backup.key');
    await run('openssl', 'pkcs8', '-in', path, '-passin', `pass:${PASSPHRASE}`, '-out', key);
    const sealed = await run('openssl', 'pkcs8', '-topk8', '-in', key, '-passout', `pass:${PASSPHRASE}`, '-scrypt', '-scrypt_N', '16384', '-scrypt_r', '8', '-scrypt_p', '5');
    return sealed.trim();
}

test('a backup with the certificates of another root is never called good, with the gateway or without', { needs: 'two engines' }, async () => {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: 'Swapped', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    await collect(tab, gateway.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.text(LEADS_THERE);
    await tab.press('Save a backup of the request of Swapped');
    const backup = await browser.downloaded(/^Swapped [0-9a-f]+ \S+ Test\.backup\.txt$/);
    const { text, fingerprint } = await withOtherCertificates(backup.path);

    const elsewhere = await another();
    const other = await elsewhere.tab(gateway.url);
    const restore = async (name, text) => {
        await writeFile(join(folder, name), text);
        await pickBackup(other, join(folder, name));
        await other.text('The backup of the request of Swapped');
        await other.type('Passphrase of the backup', PASSPHRASE);
        await other.press('Restore');
    };
    await restore('changed.txt', withChecksum(text));
    await other.text('it was changed after it had been saved');
    assert.deepEqual((await other.stores()).records, []);

    const withoutCode = text.replace(/HMAC-SHA-256: [0-9a-f]+\n/, '');
    await restore('stripped.txt', withChecksum(withoutCode));
    await other.text('it was changed after it had been saved');
    // A backup from before there was a code has another salt, and nothing in it tells.
    const older = withChecksum(withoutCode.replace(/-----BEGIN ENCRYPTED[^-]+-----[^-]+-----END[^-]+-----/, await sealedAsBefore(backup.path)));
    await restore('older.txt', older);
    await other.text('does not lead to this site\'s certification authority');
    await state(other, 'Ready to collect', 'Swapped');

    await other.kept();
    other.expectFailedRequests();
    await gateway.kill();
    await restore('again.txt', older);
    await other.text('Not compared');
    await other.text(fingerprint);
    await collect(other, gateway.url, id, PASSPHRASE);
    await other.heading(READY);
    await other.text('Not compared');
    await other.text(fingerprint);
    await other.noText(LEADS_THERE);
    await other.accessible();

    await gateway.restart();
    await collect(other, gateway.url, id, PASSPHRASE);
    await other.heading(READY);
    await other.text(LEADS_THERE);
    await other.noText('Not compared');
    const [held] = (await other.stores()).records;
    assert.equal(held.certification_path.length, 3, 'the right path has taken the other\'s place');
});

test('Restore and Collect can be stopped while they wait for the gateway', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    const id = await register(tab, interceptor.url, { name: 'Stopped', passphrase: PASSPHRASE });
    await gateway.requests('approve', id);
    await state(tab, 'Ready to collect');
    await collect(tab, interceptor.url, id, PASSPHRASE);
    await tab.heading(READY);
    await tab.press('Save a backup of the request of Stopped');
    const backup = await browser.downloaded(/^Stopped .*\.backup\.txt$/);
    tab.expectFailedRequests();
    interceptor.rules = [({ url }) => (url === '/api/v1/ca' ? { hang: true } : undefined)];
    await tab.open(interceptor.at('collect'));
    await pickBackup(tab, backup.path);
    await tab.text('The backup of the request of Stopped');
    await tab.type('Passphrase of the backup', PASSPHRASE);
    await tab.press('Restore');
    await eventually(() => interceptor.requests.includes('GET /api/v1/ca'), () => 'Restore asks for the CA');
    await tab.press('Cancel');
    await tab.text('Enter its passphrase, then press Restore.');
    interceptor.requests = [];
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.press('Collect');
    await eventually(() => interceptor.requests.includes('GET /api/v1/ca'), () => 'Collect asks for the CA');
    await tab.press('Cancel');
    await tab.noText('Fetching the certificate');
    assert.equal(await tab.value('Pickup Passphrase'), PASSPHRASE, 'nothing typed is lost');
    interceptor.rules = [];
    await tab.press('Collect');
    await tab.heading(READY);
});

test('a passphrase that is guessed first, or made of the name or the address, is refused with the reason', { needs: 'one engine' }, async () => {
    const tab = await browser.tab();
    for (const [passphrase, reason] of [
        ['P@ssw0rd123!', /one of the first that an attacker tries/],
        ['Grace-Hopper-1', /made of the name or the e-mail address/],
        ['Cobol.Pioneer-1959', /made of the name or the e-mail address/],
    ]) {
        await fillIn(tab, gateway.url, { name: 'Grace Hopper', email: 'cobol.pioneer@example.com', passphrase });
        await tab.press('Submit');
        const [fault, ...others] = await faults(tab, 1);
        assert.match(fault, reason);
        assert.deepEqual(others, []);
        await tab.accessible();
    }
});

test('Submit asks the browser to keep what is stored', async () => {
    const tab = await browser.tab();
    await fillIn(tab, gateway.url, { name: 'Kept', passphrase: PASSPHRASE });
    await answerPersistence(tab, true);
    await tab.press('Submit');
    assert.equal(await tab.until(() => window.persistenceAsked), 1);
});

test('every passphrase field has the browser\'s corrections off', async () => {
    const tab = await browser.tab();
    for (const [page, label] of [['register/participants', 'Pickup Passphrase'], ['collect', 'Pickup Passphrase'], ['collect', 'Passphrase of the backup']]) {
        await tab.open(gateway.at(page));
        if (label === 'Passphrase of the backup') await openRestore(tab);
        await tab.field(label);
        const fields = await tab.evaluate(() => [...document.querySelectorAll('input[type=password]')].map((field) =>
            ['spellcheck', 'autocapitalize', 'autocorrect'].map((name) => field.getAttribute(name)).join()));
        for (const field of fields) assert.equal(field, 'false,off,off', page);
    }
});

test('an answer of the gateway without end is not read to it, and links run no script', async () => {
    const interceptor = await intercept();
    const tab = await browser.tab();
    const configuration = await (await fetch(gateway.at('api/v1/configuration'))).json();
    configuration.links = [
        { text: 'Good', url: 'https://help.example.com/' },
        { text: 'Mail', url: 'mailto:help@example.com' },
        { text: 'Bad', url: 'javascript:document.title="ran"' },
        { text: 'Data', url: 'data:text/html,ran' },
    ];
    interceptor.rules = [({ url }) => (url === '/api/v1/configuration' ? { body: JSON.stringify(configuration) } : undefined)];
    await tab.open(interceptor.at('help'));
    await tab.text('Bad');
    assert.deepEqual(
        await tab.evaluate(() => [...document.querySelectorAll('main li a[rel=noopener]')].map(({ href }) => href)),
        ['https://help.example.com/', 'mailto:help@example.com'],
    );
    configuration.contact = 'x'.repeat(1 << 20);
    await tab.open(interceptor.at('register'));
    await tab.heading('The registration authority gave an answer that this page does not understand');
    await tab.unfold();
    await tab.text('it has more than 1024 kB');
});

test('the document has the policy of the header, and text becomes a script or markup by the one policy alone', async () => {
    const answer = await fetch(gateway.url);
    const directives = (policy) => policy.split(';').map((directive) => directive.trim()).sort();
    const header = directives(answer.headers.get('content-security-policy'));
    const [, meta] = (await answer.text()).match(/<meta http-equiv="Content-Security-Policy" content="([^"]+)">/);
    // A document cannot forbid frames (CSP Level 3, section 3.3).
    assert.deepEqual(directives(meta), header.filter((directive) => directive !== 'frame-ancestors \'none\''));

    const tab = await browser.tab(gateway.url);
    tab.expectComplaints();
    const outcome = await tab.evaluate(() => {
        const thrown = (act) => {
            try {
                act();
                return 'done';
            } catch ({ name }) {
                return name;
            }
        };
        return [
            thrown(() => { document.createElement('div').innerHTML = '<img src=x onerror=alert(1)>'; }),
            thrown(() => { document.createElement('script').text = 'alert(1)'; }),
            thrown(() => { document.createElement('script').src = '/other.js'; }),
            thrown(() => new Worker('/other.js')),
            thrown(() => window.trustedTypes.createPolicy('another', {})),
            thrown(() => { document.createElement('div').innerHTML = '<p>Markup</p>'; }),
        ];
    });
    assert.deepEqual(outcome, ['TypeError', 'TypeError', 'TypeError', 'TypeError', 'TypeError', 'done']);
});
