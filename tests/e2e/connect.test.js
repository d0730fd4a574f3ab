// Install and connect: the page's own commands and programs, run as they stand, log in to the connection check; so do the browsers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { Browser, kind } from './browser.js';
import { Gateway, required } from './gateway.js';
import { run } from './judges.js';
import { Interceptor } from './proxy.js';

/** With all that a shell, curl's configuration and a program's literals could stumble over. */
const PASSPHRASE = ' Correct-4 "horse" \\ $HOME `id` \' %s!';
const COMMON_NAME = 'Siobhán O\'Brien';
const ROOT_NAME = 'Keyside Demo Root CA';
let gateway, browser, folder, id, keyId, snippets;
/** The folders with the user's files: the same names, and either PKCS#12 profile. */
let modern, compatible;

/** Runs a program in a folder, with this on its standard input; gives what it prints there. */
async function printed(directory, environment, input, program, ...parameters) {
    const child = spawn(program, parameters, {
        cwd: directory, env: { ...process.env, LC_ALL: 'C.UTF-8', ...environment }, stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    assert.equal(status, 0, `${program} ${parameters}:\n${stdout}${stderr}`);
    return stdout;
}

/** The same, unattended: the passphrase comes from the environment. */
const unattended = (directory, ...command) => printed(directory, { KEYSIDE_PASSPHRASE: PASSPHRASE }, '', ...command);

function works(json) {
    const check = JSON.parse(json);
    assert.equal(check.verdict, 'works', json);
    assert.equal(check.certificate_shown, true);
    assert.match(check.certificate.subject, /^CN=Siobhán O'Brien,/);
    assert.deepEqual(check.certificate.email_addresses, ['ada@example.com']);
}

/** Moves what was downloaded into a folder of its own, so that a file of the same name can follow. */
async function moved(pattern, directory) {
    const { path } = await browser.downloaded(pattern);
    await mkdir(directory, { recursive: true });
    await rename(path, join(directory, basename(path)));
    return basename(path);
}

before(async () => {
    gateway = await Gateway.start({ check: true });
    browser = await Browser.start();
    folder = await mkdtemp(join(tmpdir(), 'keyside-connect-'));
    [modern, compatible] = [join(folder, 'modern'), join(folder, 'compatible')];
});

after(async () => {
    await browser?.stop();
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
});

test(`${kind}: the page names the files that were downloaded, and is accessible with every guide open`, async () => {
    const tab = await browser.tab();
    id = await tab.register(gateway.url, { name: COMMON_NAME, passphrase: PASSPHRASE });
    await tab.state('Ready to collect');
    keyId = new URL(tab.page.url()).pathname.split('/').at(-1);
    const names = [];
    for (const [format, extension, directory] of [
        ['PKCS#12, Modern', 'p12', modern],
        ['PKCS#12, Compatible', 'p12', compatible],
        ['PEM', 'pem', modern],
    ]) {
        await tab.open(new URL(`collect?id=${id}`, gateway.url).href);
        await tab.type('Pickup Passphrase', PASSPHRASE);
        await (await tab.field(format)).click();
        await tab.press('Collect');
        await tab.heading('Your certificate is ready');
        await tab.press(`Download ${extension === 'pem' ? 'PEM' : 'PKCS#12'}`);
        names.push(await moved(new RegExp(`^${COMMON_NAME} [0-9a-f]+ \\S+ Test\\.${extension}$`), directory));
    }
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
    await tab.heading('Which certificate do I pick?');
    await tab.text(`This page speaks of the certificate of ${COMMON_NAME}.`);
    await tab.until((name) => document.querySelector('#curl-pkcs12').textContent.includes(name), ROOT_NAME);
    assert.equal(new URL(tab.page.url()).searchParams.get('request'), keyId);
    const first = await tab.page.evaluate(() => document.querySelector('#install ~ .card h3').textContent);
    assert.equal(first, kind === 'firefox' ? 'Firefox on a computer' : 'Linux: Chrome and Chromium (Debian, Ubuntu, Fedora)');
    await tab.accessible();
    await tab.unfold();
    await tab.accessible();
    const [files, shown] = await tab.page.evaluate(() => [
        [...document.querySelectorAll('#whose ~ dl dd')].map((detail) => detail.textContent),
        Object.fromEntries([...document.querySelectorAll('.copyable')].map((block) => [block.id, block.textContent])),
    ]);
    snippets = shown;
    assert.deepEqual(Object.keys(snippets).sort(), [
        'curl-pem', 'curl-pkcs12', 'debian-trust', 'fedora-trust', 'java', 'keytool-list', 'keytool-trust', 'mac-trust', 'node',
        'nss-import', 'nss-trust', 'python',
    ]);
    assert.equal(names[0], names[1]);
    assert.deepEqual(files.slice(0, 2), [names[0], names[2]], 'the names are those of the files that were downloaded');
    assert.equal(Object.values(snippets).filter((snippet) => snippet.includes(gateway.checkUrl)).length, 5);
    for (const snippet of Object.values(snippets)) assert.ok(!snippet.includes(PASSPHRASE.trim()), snippet);

    await tab.press('Copy the command that lists the keystore');
    await tab.until(() => /Copied|select the text/.test(document.querySelector('#keytool-list + .actions [role=status]').textContent));
    await tab.accessible();
    assert.deepEqual(tab.console, []);

    await tab.open(new URL('trust', gateway.url).href);
    await tab.press(`Download PEM of ${ROOT_NAME}`);
    const root = await moved(new RegExp(`^${ROOT_NAME} .*\\.pem$`), modern);
    assert.equal(files[2], root);
    for (const name of [root, names[2]]) await copyFile(join(modern, name), join(compatible, name));
    await tab.page.close();
});

test(`${kind}: every snippet logs in, as it stands, with either profile`, async () => {
    for (const directory of [modern, compatible]) {
        for (const [snippet, file, program] of [
            ['curl-pkcs12', 'pkcs12.sh', 'sh'],
            ['curl-pkcs12', 'pkcs12.sh', 'bash'],
            ['curl-pem', 'pem.sh', 'sh'],
            ['python', 'client.py', required('KEYSIDE_PYTHON')],
            ['java', 'Client.java', 'java'],
            ['node', 'client.mjs', 'node'],
        ]) {
            await writeFile(join(directory, file), snippets[snippet]);
            works(await unattended(directory, program, file));
        }
    }
    assert.match(await printed(modern, {}, `${PASSPHRASE}\n`, 'sh', '-c', snippets['keytool-list']), /Certificate chain length: 3|PrivateKeyEntry/);
});

test(`${kind}: the snippets ask for the passphrase where nobody has set it`, async () => {
    const unset = { KEYSIDE_PASSPHRASE: '' };
    const asked = await printed(modern, unset, `${PASSPHRASE}\n`, 'sh', 'pkcs12.sh');
    works(asked.slice(asked.indexOf('{')));
    assert.match(asked, /^Passphrase: \n/);
    assert.ok(!asked.includes('horse'), 'it is not shown');
    const child = `delete process.env.KEYSIDE_PASSPHRASE; await import('./client.mjs');`;
    const answer = await printed(modern, unset, `${PASSPHRASE}\n`, 'node', '--input-type=module', '--eval', child);
    works(answer.slice(answer.indexOf('{')));
});

/** The certificates that curl shows here are not the site's. */
test(`${kind}: no certificate, a self-signed one and another CA's are told apart`, async () => {
    const root = join(modern, (await readdir(modern)).find((name) => name.startsWith(ROOT_NAME)));
    const at = (name) => join(folder, name);
    const check = async (...options) => JSON.parse(await printed(folder, {}, '', 'curl', '--silent', '--show-error', '--cacert', root, ...options, gateway.checkUrl));
    const shown = (name) => check('--cert', at(`${name}.pem`), '--key', at(`${name}.key`));

    const none = await check();
    assert.deepEqual([none.verdict, none.certificate_shown, none.certificate], ['no_certificate', false, null]);
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('self.key'), '-out', at('self.pem'), '-days', '1', '-subj', '/CN=Eve Example');
    assert.equal((await shown('self')).verdict, 'self_signed');
    await run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '1', '-subj', `/CN=${ROOT_NAME}`);
    await run('openssl', 'req', '-new', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('eve.key'), '-out', at('eve.csr'), '-subj', '/CN=Eve Example');
    await writeFile(at('extensions'), 'extendedKeyUsage = clientAuth\n');
    await run('openssl', 'x509', '-req', '-in', at('eve.csr'), '-out', at('eve.pem'), '-days', '1', '-CA', at('ca.pem'), '-CAkey', at('ca.key'),
        '-CAcreateserial', '-extfile', at('extensions'));
    const foreign = await shown('eve');
    assert.equal(foreign.verdict, 'another_authority');
    assert.match(foreign.certificate.subject, /CN=Eve Example/);
    await assert.rejects(run('curl', '--silent', '--show-error', gateway.checkUrl), 'nobody trusts the root unasked');
});

/**
 * A home in which the page's commands for an NSS database have run. pk12util asks a terminal for the passphrase, which a test does not
 * have: that alone is changed, to its option -w. Without the user's certificate that command is left out.
 */
async function home({ withCertificate }) {
    const home = await mkdtemp(join(folder, 'home-'));
    await writeFile(join(home, 'passphrase'), `${PASSPHRASE}\n`);
    const commands = `${snippets['nss-import']}${snippets['nss-trust']}`.split('\n')
        .filter((command) => withCertificate || !command.startsWith('pk12util'))
        .map((command) => command.replace(/^pk12util /, 'pk12util -w "$HOME/passphrase" '));
    await printed(modern, { HOME: home }, '', 'sh', '-ec', commands.join('\n'));
    return home;
}

/** What the check's page says: its verdict, and the particulars by their terms. */
const seen = (tab) => tab.page.evaluate(() => [
    document.querySelector('#verdict').textContent,
    Object.fromEntries([...document.querySelectorAll('dt')].map((term) => [term.textContent, term.nextElementSibling.textContent])),
]);

/** A browser that trusts the root, with the user's certificate in its keystore or without. */
async function trusting({ withCertificate }) {
    const place = await home({ withCertificate });
    if (kind === 'firefox') {
        const prepare = async (profile) => {
            const database = join(place, '.pki/nssdb');
            for (const name of await readdir(database)) await copyFile(join(database, name), join(profile, name));
        };
        return Browser.start({ prepare, preferences: { 'security.default_personal_cert': 'Select Automatically' } });
    }
    // Headless Chromium shows no chooser, and the policy that stands in for one (AutoSelectCertificateForUrls) is read from the
    // system's own folder alone. What it sets is a content setting, and those are in the profile, too.
    const exceptions = { auto_select_certificate: { [`${gateway.checkUrl.slice(0, -1)},*`]: { setting: { filters: [{}] } } } };
    const prepare = async (profile) => {
        await mkdir(join(profile, 'Default'));
        await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { content_settings: { exceptions } } }));
    };
    return Browser.start({ env: { ...process.env, HOME: place }, prepare });
}

test(`${kind}: the browser with the certificate proves that it works`, async (t) => {
    const ready = await trusting({ withCertificate: true });
    t.after(() => ready.stop());
    const tab = await ready.tab(gateway.checkUrl);
    const [verdict, particulars] = await seen(tab);
    assert.equal(verdict, 'This certificate works');
    assert.match(particulars.Subject, /^CN=Siobhán O'Brien,/);
    const serial = (await readdir(modern)).find((name) => name.endsWith('.p12')).match(/ ([0-9a-f]+) /)[1];
    assert.equal(particulars['Serial number'].replaceAll(':', '').toLowerCase(), serial);
    await tab.accessible();
    assert.deepEqual(tab.console, []);
});

test(`${kind}: the browser without a certificate is told how to show one, and that the root is trusted is shown by getting there`, async (t) => {
    const ready = await trusting({ withCertificate: false });
    t.after(() => ready.stop());
    const tab = await ready.tab(gateway.checkUrl);
    assert.deepEqual(await seen(tab), ['No certificate was shown', {}]);
    await tab.heading('How to get the browser to show one');
    await tab.accessible();
    if (kind === 'chromium') {
        await tab.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
        await tab.accessible();
    }
    assert.deepEqual(tab.console, []);
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
    await tab.text('This browser holds no certificate yet: collect it first.');
    await tab.accessible();
    assert.deepEqual(tab.console, []);
});

test(`${kind}: the page without a certificate, with one that is not there, and without a connection check`, async (t) => {
    const tab = await browser.tab(new URL('install', gateway.url).href);
    await tab.text('To see those of your own files, choose your certificate:');
    await tab.text('certificate.p12');
    await tab.accessible();
    await tab.press(COMMON_NAME);
    await tab.text(`This page speaks of the certificate of ${COMMON_NAME}.`);
    await tab.open(new URL('install?request=none', gateway.url).href);
    await tab.text('The certificate that the address names is not in this browser, or was not collected yet.');
    await tab.accessible();
    assert.deepEqual(tab.console, []);

    const interceptor = await Interceptor.start(gateway.url);
    t.after(() => interceptor.stop());
    const configuration = await (await fetch(new URL('api/v1/configuration', gateway.url))).json();
    delete configuration.connection_check;
    interceptor.rules = [({ url }) => ({
        '/api/v1/configuration': { body: JSON.stringify(configuration) },
        '/api/v1/ca': { status: 503, type: 'text/plain', body: 'down' },
    })[url]];
    await tab.open(new URL('install', interceptor.url).href);
    await tab.text('This site has no connection check.');
    await tab.text('https://server.example.com/');
    await tab.accessible();
    await tab.page.close();
});

test(`${kind}: the keyboard reaches guides, snippets and the connection check`, async () => {
    const tab = await browser.tab(new URL(`requests/${keyId}`, gateway.url).href);
    await tab.press('Install and connect');
    await tab.heading('Which certificate do I pick?');
    const keys = tab.page.keyboard;
    await tab.tabTo('Java');
    await keys.press('Enter');
    await tab.tabTo('Copy the command that lists the keystore');
    await tab.tabTo('Open the connection check (in a new tab)');
    const link = await tab.page.evaluate(() => ({ href: document.activeElement.href, target: document.activeElement.target, rel: document.activeElement.rel }));
    assert.deepEqual(link, { href: gateway.checkUrl, target: '_blank', rel: 'noopener' });
    await tab.tabTo('Copy curl, with the PKCS#12 file');
    assert.deepEqual(tab.console, []);
    await tab.open(new URL('help', gateway.url).href);
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
    await tab.page.close();
});
