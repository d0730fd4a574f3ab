// Install and connect: the page's own commands and programs, run as they stand, log in to the connection check; so do the browsers.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';

import { kind } from './browser.js';
import { site } from './fixture.js';
import { required } from './gateway.js';
import { run } from './judges.js';
import { collectHere } from './pages/collect.js';
import { state } from './pages/components.js';
import { seen } from './pages/connection-check.js';
import { copied, files, firstGuide, focusedLink, names, snippets as shownSnippets } from './pages/install.js';
import { register } from './pages/register.js';

/** With all that a shell, curl's configuration and a program's literals could stumble over. */
const PASSPHRASE = ' Correct-4 "horse" \\ $HOME `id` \' %s!';
const COMMON_NAME = 'Siobhán O\'Brien';
const ROOT_NAME = 'Keyside Demo Root CA';
const { test, gateway, browser, folder, another, intercept } = site({
    gateway: { check: true }, prepare: collectFiles, needs: 'one engine',
});
/** The folders with the user's files: the same names, and either PKCS#12 profile. */
const [modern, compatible] = [join(folder, 'modern'), join(folder, 'compatible')];
/** The request's address on Install, the names of its files, and the commands and programs that the page has for them. */
let keyId, downloaded, snippets;


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

/** Registers, collects in all three formats, downloads the root, and reads the commands and programs that the page has for that. */
async function collectFiles() {
    const tab = await browser.tab();
    const id = await register(tab, gateway.url, { name: COMMON_NAME, passphrase: PASSPHRASE });
    await state(tab, 'Ready to collect');
    keyId = (await tab.url()).pathname.split('/').at(-1);
    downloaded = {};
    for (const [format, extension, directory] of [
        ['PKCS#12, Modern', 'p12', modern],
        ['PKCS#12, Compatible', 'p12', compatible],
        ['PEM', 'pem', modern],
    ]) {
        await tab.open(gateway.at(`collect?id=${id}`));
        await tab.choose(format);
        await collectHere(tab, PASSPHRASE);
        await tab.press(`Download ${extension === 'pem' ? 'PEM' : 'PKCS#12'}`);
        downloaded[format] = await moved(new RegExp(`^${COMMON_NAME} [0-9a-f]+ \\S+ Test\\.${extension}$`), directory);
    }
    await tab.open(gateway.at('trust'));
    await tab.press(`Download PEM of ${ROOT_NAME}`);
    downloaded.root = await moved(new RegExp(`^${ROOT_NAME} .*\\.pem$`), modern);
    for (const name of [downloaded.root, downloaded.PEM]) await copyFile(join(modern, name), join(compatible, name));
    await tab.open(gateway.at(`install?request=${keyId}`));
    await names(tab, ROOT_NAME);
    await tab.unfold();
    snippets = await shownSnippets(tab);
}

test('the page names the files that were downloaded, and is accessible with every guide open', async () => {
    const tab = await browser.tab(gateway.at(`requests/${keyId}`));
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
    await tab.heading('Which certificate do I pick?');
    await tab.text(`This page speaks of the certificate of ${COMMON_NAME}.`);
    await names(tab, ROOT_NAME);
    assert.equal((await tab.url()).searchParams.get('request'), keyId);
    assert.equal(await firstGuide(tab), kind === 'firefox' ? 'Firefox on a computer' : 'Linux: Chrome and Chromium (Debian, Ubuntu, Fedora)');
    await tab.accessible();
    await tab.unfold();
    await tab.accessible();
    assert.deepEqual(await shownSnippets(tab), snippets);
    assert.deepEqual(Object.keys(snippets).sort(), [
        'curl-pem', 'curl-pkcs12', 'debian-trust', 'fedora-trust', 'java', 'keytool-list', 'keytool-trust', 'mac-trust', 'node',
        'nss-import', 'nss-trust', 'python',
    ]);
    assert.equal(downloaded['PKCS#12, Modern'], downloaded['PKCS#12, Compatible']);
    const shown = [downloaded['PKCS#12, Modern'], downloaded.PEM, downloaded.root];
    assert.deepEqual((await files(tab)).slice(0, 3), shown, 'the names are those of the files that were downloaded');
    assert.equal(Object.values(snippets).filter((snippet) => snippet.includes(gateway.checkUrl)).length, 5);
    for (const snippet of Object.values(snippets)) assert.ok(!snippet.includes(PASSPHRASE.trim()), snippet);

    await tab.press('Copy the command that lists the keystore');
    await copied(tab, 'keytool-list');
    await tab.accessible();
});

/** Puts the programs into a folder with the user's files. */
async function writeSnippets(directory) {
    for (const [snippet, file] of [
        ['curl-pkcs12', 'pkcs12.sh'], ['curl-pem', 'pem.sh'], ['python', 'client.py'], ['java', 'Client.java'], ['node', 'client.mjs'],
    ]) {
        await writeFile(join(directory, file), snippets[snippet]);
    }
}

test('every snippet logs in, as it stands, with either profile', async () => {
    for (const directory of [modern, compatible]) {
        await writeSnippets(directory);
        for (const [program, file] of [
            ['sh', 'pkcs12.sh'], ['bash', 'pkcs12.sh'], ['sh', 'pem.sh'], [required('KEYSIDE_PYTHON'), 'client.py'], ['java', 'Client.java'],
            ['node', 'client.mjs'],
        ]) {
            works(await unattended(directory, program, file));
        }
    }
    assert.match(await printed(modern, {}, `${PASSPHRASE}\n`, 'sh', '-c', snippets['keytool-list']), /Certificate chain length: 3|PrivateKeyEntry/);
});

test('the snippets ask for the passphrase where nobody has set it', async () => {
    await writeSnippets(modern);
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
test('no certificate, a self-signed one and another CA\'s are told apart', async () => {
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

/** A browser that trusts the root, with the user's certificate in its keystore or without. */
async function trusting({ withCertificate }) {
    const place = await home({ withCertificate });
    if (kind === 'firefox') {
        const prepare = async (profile) => {
            const database = join(place, '.pki/nssdb');
            for (const name of await readdir(database)) await copyFile(join(database, name), join(profile, name));
        };
        return another({ prepare, preferences: { 'security.default_personal_cert': 'Select Automatically' } });
    }
    // Headless Chromium shows no chooser, and the policy that stands in for one (AutoSelectCertificateForUrls) is read from the
    // system's own folder alone. What it sets is a content setting, and those are in the profile, too.
    const exceptions = { auto_select_certificate: { [`${gateway.checkUrl.slice(0, -1)},*`]: { setting: { filters: [{}] } } } };
    const prepare = async (profile) => {
        await mkdir(join(profile, 'Default'));
        await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { content_settings: { exceptions } } }));
    };
    return another({ env: { ...process.env, HOME: place }, prepare });
}

test('the browser with the certificate proves that it works', { needs: 'client certificates' }, async () => {
    const ready = await trusting({ withCertificate: true });
    const tab = await ready.tab(gateway.checkUrl);
    const [verdict, particulars] = await seen(tab);
    assert.equal(verdict, 'This certificate works');
    assert.match(particulars.Subject, /^CN=Siobhán O'Brien,/);
    const serial = (await readdir(modern)).find((name) => name.endsWith('.p12')).match(/ ([0-9a-f]+) /)[1];
    assert.equal(particulars['Serial number'].replaceAll(':', '').toLowerCase(), serial);
    await tab.accessible();
});

test('the browser without a certificate is told how to show one, and that the root is trusted is shown by getting there', { needs: 'client certificates' }, async () => {
    const ready = await trusting({ withCertificate: false });
    const tab = await ready.tab(gateway.checkUrl);
    assert.deepEqual(await seen(tab), ['No certificate was shown', {}]);
    await tab.heading('How to get the browser to show one');
    await tab.accessible();
    await tab.accessibleInTheDark();
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
    await tab.text('This browser holds no certificate yet: collect it first.');
    await tab.accessible();
});

test('the page without a certificate, with one that is not there, and without a connection check', async () => {
    const tab = await browser.tab(gateway.at('install'));
    await tab.text('To see those of your own files, choose your certificate:');
    await tab.text('certificate.p12');
    await tab.accessible();
    await tab.press(COMMON_NAME);
    await tab.text(`This page speaks of the certificate of ${COMMON_NAME}.`);
    await tab.open(gateway.at('install?request=none'));
    await tab.text('The certificate that the address names is not in this browser, or was not collected yet.');
    await tab.accessible();

    const interceptor = await intercept();
    const configuration = await (await fetch(gateway.at('api/v1/configuration'))).json();
    delete configuration.connection_check;
    interceptor.rules = [({ url }) => ({
        '/api/v1/configuration': { body: JSON.stringify(configuration) },
        '/api/v1/ca': { status: 503, type: 'text/plain', body: 'down' },
    })[url]];
    tab.expectFailedRequests();
    await tab.open(interceptor.at('install'));
    await tab.text('This site has no connection check.');
    await tab.text('https://server.example.com/');
    await tab.accessible();
});

test('the keyboard reaches guides, snippets and the connection check', async () => {
    const tab = await browser.tab(gateway.at(`requests/${keyId}`));
    await tab.press('Install and connect');
    await tab.heading('Which certificate do I pick?');
    await tab.enter('Java');
    await tab.tabTo('Copy the command that lists the keystore');
    await tab.tabTo('Open the connection check (in a new tab)');
    assert.deepEqual(await focusedLink(tab), { href: gateway.checkUrl, target: '_blank', rel: 'noopener' });
    await tab.tabTo('Copy curl, with the PKCS#12 file');
    await tab.open(gateway.at('help'));
    await tab.press('Install and connect');
    await tab.heading('Install and connect');
});
