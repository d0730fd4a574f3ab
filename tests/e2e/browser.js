// A real browser with a profile of its own, and what a person does in it.
import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

import { required } from './gateway.js';

export const kind = process.env.BROWSER ?? 'chromium';
/** The browser that is not under test, for what is carried from one to the other. */
export const otherKind = kind === 'firefox' ? 'chromium' : 'firefox';
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** How long anything may take, in milliseconds: a bound for what hangs, not a measure. */
const PATIENCE = 120_000;

const CHROMIUM_ARGUMENTS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

/** Runs in the page before its own scripts: keeps what crosses postMessage and reports what the policy blocks. */
function instrument() {
    const Native = window.Worker;
    window.crossed = [];
    const text = (data) => (data instanceof Uint8Array ? new TextDecoder().decode(data) : JSON.stringify(data));
    window.Worker = class extends Native {
        constructor(...parameters) {
            super(...parameters);
            this.addEventListener('message', (event) => window.crossed.push({ from: 'worker', text: text(event.data) }));
        }
        postMessage(data, ...rest) {
            window.crossed.push({ from: 'page', text: text(data) });
            super.postMessage(data, ...rest);
        }
    };
    document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI}`));
}

export class Browser {
    /**
     * `prepare` gets the profile's folder before the first start; `preferences` are Firefox's; `env` is the process' environment;
     * `as` is the kind of browser; `patience` bounds each thing that it is asked to do, in milliseconds.
     */
    static async start({ prepare, preferences = {}, env = process.env, as = kind, patience = PATIENCE } = {}) {
        const browser = new Browser();
        Object.assign(browser, { preferences, env, kind: as, patience });
        browser.profile = await mkdtemp(join(tmpdir(), 'keyside-profile-'));
        browser.downloads = join(browser.profile, 'downloads');
        await mkdir(browser.downloads);
        await prepare?.(browser.profile);
        await browser.launch();
        return browser;
    }

    async launch() {
        const executablePath = required(this.kind === 'firefox' ? 'KEYSIDE_FIREFOX' : 'KEYSIDE_CHROMIUM');
        const common = { executablePath, headless: true, userDataDir: this.profile, env: this.env, protocolTimeout: this.patience };
        this.puppeteer = await puppeteer.launch(this.kind === 'firefox' ? {
            ...common,
            browser: 'firefox',
            extraPrefsFirefox: {
                'browser.download.folderList': 2,
                'browser.download.dir': this.downloads,
                'browser.helperApps.neverAsk.saveToDisk': 'application/x-pkcs12,application/x-pem-file,application/pkix-cert,'
                    + 'application/x-pkcs7-certificates,text/plain,text/calendar',
                'browser.download.alwaysOpenPanel': false,
                // The user's answer to whether the site may keep its data.
                'dom.storageManager.prompt.testing': true,
                'dom.storageManager.prompt.testing.allow': true,
                ...this.preferences,
            },
        } : {
            ...common,
            browser: 'chrome',
            args: CHROMIUM_ARGUMENTS,
            downloadBehavior: { policy: 'allow', downloadPath: this.downloads },
        });
    }

    /** A new tab. Whatever the console says is kept in `tab.console`. */
    async tab(url) {
        const page = await this.puppeteer.newPage();
        const tab = new Tab(page);
        await page.setViewport({ width: 1280, height: 900 });
        await page.evaluateOnNewDocument(instrument);
        page.on('console', (message) => tab.console.push(`${message.type()}: ${message.text()}`));
        page.on('pageerror', (error) => tab.console.push(`uncaught: ${error.message}`));
        if (url) await tab.open(url);
        return tab;
    }

    /** Ends the browser at once, as a crash would, and starts it again with the same profile. */
    async crash() {
        const process = this.puppeteer.process();
        const gone = once(process, 'exit');
        process.kill('SIGKILL');
        await gone;
        await rm(join(this.profile, 'SingletonLock'), { force: true });
        await this.launch();
    }

    /** The content of a downloaded file whose name matches, once it is complete. */
    async downloaded(pattern) {
        let path;
        const complete = async () => {
            const names = await readdir(this.downloads);
            const partial = names.some((name) => /\.(part|crdownload)$/.test(name));
            const name = names.find((name) => pattern.test(name));
            path = name && join(this.downloads, name);
            return !partial && path && (await stat(path)).size > 0;
        };
        // Watched from before the first look: `watch` of fs/promises would only begin at the loop, and miss what came between.
        const watcher = watch(this.downloads);
        try {
            const changes = on(watcher, 'change', { signal: AbortSignal.timeout(PATIENCE) });
            while (!(await complete())) await changes.next();
        } catch (error) {
            throw new Error(`“${pattern}” was not downloaded; there is: ${(await readdir(this.downloads)).join(', ')}`, { cause: error });
        } finally {
            watcher.close();
        }
        return { path, bytes: await readFile(path) };
    }

    async stop() {
        await this.puppeteer.close();
        await rm(this.profile, { recursive: true, force: true });
    }
}

export class Tab {
    constructor(page) {
        this.page = page;
        this.console = [];
    }

    /** Opens a page, and waits until the program has taken it over. */
    async open(url) {
        await this.page.goto(url, { waitUntil: 'load' });
        await this.awaited(() => !document.getElementById('first-paint') && document.querySelector('main h1')?.checkVisibility());
    }

    /** Waits until `condition`, run in the page with `parameters`, gives something; a failure tells what the page shows instead. */
    async awaited(condition, ...parameters) {
        try {
            return await this.page.waitForFunction(condition, { timeout: PATIENCE, polling: 50 }, ...parameters);
        } catch (error) {
            const shown = await this.page.evaluate(() => document.body.innerText).catch(String);
            throw new Error(`${error.message}: ${condition} (${parameters})\nThe page shows:\n${shown}\nThe console says:\n${this.console.join('\n')}`);
        }
    }

    /** The same; gives the value. */
    async until(condition, ...parameters) {
        return (await this.awaited(condition, ...parameters)).jsonValue();
    }

    async see(selector) {
        await this.page.waitForSelector(selector, { timeout: PATIENCE, visible: true });
    }

    /** Opens all that can be unfolded, once there is something. */
    async unfold() {
        await this.see('main details');
        await this.page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
    }

    /** Waits for a visible heading with this text. */
    async heading(text) {
        await this.until((text) => [...document.querySelectorAll('h1, h2')]
            .some((heading) => heading.checkVisibility() && heading.textContent === text), text);
    }

    /** Waits for a text anywhere in the page's content. */
    async text(text) {
        await this.until((text) => document.querySelector('main')?.innerText.includes(text), text);
    }

    /** The control that this label names. */
    async field(label) {
        const handle = await this.awaited((label) => {
            const found = [...document.querySelectorAll('label')].find((candidate) => candidate.textContent.trim() === label);
            return found?.control;
        }, label);
        return handle.asElement();
    }

    async type(label, text) {
        const field = await this.field(label);
        await field.evaluate((field) => { field.focus(); field.select(); });
        await this.page.keyboard.press('Backspace');
        await this.page.keyboard.type(text);
    }

    value(label) {
        return this.field(label).then((field) => field.evaluate((field) => field.value));
    }

    /** Waits until the control that this label names has this value: what is kept is filled in once it is read. */
    async holds(label, value) {
        await this.awaited((label, value) => [...document.querySelectorAll('label')]
            .find((candidate) => candidate.textContent.trim() === label)?.control?.value === value, label, value);
    }

    /** Presses the button, or follows the link, with this text. */
    async press(text) {
        const handle = await this.awaited((text) => [...document.querySelectorAll('main button, main a')]
            .find((candidate) => candidate.checkVisibility()
                && (candidate.innerText.trim() === text || candidate.textContent.trim() === text)), text);
        await handle.asElement().evaluate((element) => element.scrollIntoView({ block: 'center' }));
        await handle.asElement().click();
    }

    /** Goes to a page by the main navigation. */
    async navigate(name) {
        const handle = await this.awaited((name) => [...document.querySelectorAll('nav a')]
            .find((link) => link.textContent === name), name);
        await handle.asElement().click();
    }

    /** Presses Tab until the focus is on a control with this name, as somebody without a mouse does. */
    async tabTo(name) {
        for (let presses = 0; presses < 60; presses++) {
            await this.page.keyboard.press('Tab');
            const here = await this.page.evaluate(() => {
                const active = document.activeElement;
                return [active.labels?.[0]?.textContent, active.innerText, active.textContent].map((text) => text?.trim());
            });
            if (here.includes(name)) return;
        }
        throw new Error(`“${name}” cannot be reached with the Tab key`);
    }

    /** Fails when axe-core finds anything, or when the page is wider than its window: at 360 pixels, and at 200 % of 1280. */
    async accessible() {
        // As a text, since the page's policy forbids eval to its own scripts.
        await this.page.evaluate(axe);
        const violations = () => this.page.evaluate(async () => {
            const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
        });
        assert.deepEqual(await violations(), []);
        const before = this.page.viewport();
        for (const viewport of [{ width: 640, height: 450, deviceScaleFactor: 2 }, { width: 360, height: 740 }]) {
            await this.page.setViewport(viewport);
            const overflow = await this.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide for ${viewport.width}`);
        }
        assert.deepEqual(await violations(), []);
        await this.page.setViewport(before);
    }

    /** Chooses the second certificate type and fills in the form; does not submit it. */
    async fillIn(url, { name, email = 'ada@example.com', passphrase }) {
        await this.open(new URL('register', url).href);
        await this.press('Participants & External Users');
        await this.heading('Certificate Request');
        await this.type('Common Name', name);
        await this.type('Email Address', email);
        await this.type('Pickup Passphrase', passphrase);
        await this.type('Pickup Passphrase Confirmation', passphrase);
    }

    /** Registers; gives the transaction ID. */
    async register(url, applicant) {
        await this.fillIn(url, applicant);
        await this.press('Submit');
        return this.transactionId();
    }

    async transactionId() {
        return this.until(() => document.querySelector('output')?.textContent);
    }

    /** Waits until the shown state is this. */
    async state(text) {
        await this.until((text) => document.querySelector('.state .standing')?.textContent === text, text);
    }

    /** Waits until the page's own files are kept for use without a network. */
    async kept() {
        await this.until(async () => {
            await navigator.serviceWorker.ready;
            const cache = await caches.open('keyside');
            return (await cache.keys()).length > 5;
        });
    }

    /** Tries to collect. */
    async collect(url, id, passphrase) {
        await this.open(new URL('collect', url).href);
        await this.type('Transaction ID', id);
        await this.type('Pickup Passphrase', passphrase);
        await this.press('Collect');
    }

    /** Everything that IndexedDB and the page's other stores hold. */
    stores() {
        return this.page.evaluate(async () => {
            const settled = (request) => new Promise((resolve, reject) => {
                request.onsuccess = () => resolve(request.result);
                request.onerror = () => reject(request.error);
            });
            const database = await settled(indexedDB.open('keyside'));
            const all = (store) => settled(database.transaction(store).objectStore(store).getAll());
            const [records, drafts] = [await all('enrollments'), await all('drafts')];
            database.close();
            return { records, drafts, local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie };
        });
    }
}
