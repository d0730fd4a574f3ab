// A real browser with a profile of its own, and what a person does in it.
import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { required } from './gateway.js';

export const kind = process.env.BROWSER ?? 'chromium';
/** A browser that is not under test, for what is carried from one to the other. */
export const otherKind = kind === 'chromium' ? 'firefox' : 'chromium';
/** The limit of the tests of one engine: they depend on the gateway, on the core, or on programs outside the browser. */
const ONCE = { 'one engine': 'left out to save time, since the engine matters little to it: run in Chromium' };
/** What browsers under test cannot be made to do, and why. Tests that need it are not run there, and the summary lists them. */
export const LIMITS = {
    firefox: ONCE,
    webkit: {
        ...ONCE,
        'two engines': 'left out to save time, since the engine matters little to it: run in Chromium and Firefox',
        'network events': 'WebDriver does not report network requests',
        restart: 'WebKitWebDriver deletes the profile when the browser ends',
        'scripts before the page': 'WebDriver cannot run a script before the page\'s own',
        workers: 'WebDriver does not report workers',
        'no WebAssembly': 'WebKitGTK\'s MiniBrowser has no switch for WebAssembly',
        'client certificates': 'WebKitGTK\'s MiniBrowser has no place for a user\'s certificate',
    },
}[kind] ?? {};
/** The console's lines when requests fail, as they should in some tests: Chromium's about resources and about the service worker's script, the
 * page's about its service worker, and the loader's about the part with the other pages. */
const FAILED_REQUEST = new RegExp([
    '^error: (Failed to load resource|An unknown error occurred when fetching the script|TypeError: )',
    '^info: The page will not open without a network',
].join('|'));
/** Firefox' lines about a request that was being answered when its page was left, which may happen to every test: the part with the other pages
 * is fetched when the browser is idle. A page that is still there shows that the part did not come. */
const LEFT = new RegExp([
    '^uncaught: Failed to load ‘[^’]+’\\. A ServiceWorker intercepted the request',
    '^error: (TypeError: NetworkError when attempting to fetch resource|AbortError)',
].join('|'));
let axe;
/** How long anything may take, in milliseconds: a bound for what hangs, not a measure. */
const PATIENCE = 120_000;

const CHROMIUM_ARGUMENTS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

/** Runs in the page before its own scripts: keeps what crosses postMessage, reports what the policy blocks, and has errors on the console say what
 * they are, which Firefox does not pass on. */
function instrument() {
    const { error } = console;
    console.error = (...parameters) => error.apply(console, parameters.map((one) => (one instanceof Error ? String(one) : one)));
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
     * `as` is the kind of browser; `https` is for a site with HTTPS and any certificate; `webAssembly` is false for a browser
     * in which it is switched off; `scriptFlags` are those of Chromium's JavaScript engine; `patience` bounds each thing that it is asked to do, in
     * milliseconds.
     */
    constructor({
        prepare, preferences = {}, env = process.env, as = kind, https = false, webAssembly = true, scriptFlags = [], patience = PATIENCE,
    } = {}) {
        Object.assign(this, { prepare, preferences, env, kind: as, https, webAssembly, patience, tabs: new Set() });
        this.scriptFlags = [...scriptFlags, ...(webAssembly ? [] : ['--jitless'])];
    }

    static async start(options) {
        const browser = new Browser(options);
        await browser.start();
        return browser;
    }

    async start() {
        this.crashed = false;
        this.profile = await mkdtemp(join(tmpdir(), 'keyside-profile-'));
        this.downloads = join(this.profile, 'downloads');
        await mkdir(this.downloads);
        await this.prepare?.(this.profile);
        await this.launch();
    }

    async launch() {
        if (this.kind === 'webkit') {
            const { launch } = await import('./webkit.js');
            this.engine = await launch(this);
            return;
        }
        // Loading it takes a while, which a file without a test to run shall not wait for.
        const { default: puppeteer } = await import('puppeteer-core');
        const executablePath = required(this.kind === 'firefox' ? 'KEYSIDE_FIREFOX' : 'KEYSIDE_CHROMIUM');
        const common = {
            executablePath, headless: true, userDataDir: this.profile, env: this.env, acceptInsecureCerts: this.https, protocolTimeout: this.patience,
        };
        this.engine = await puppeteer.launch(this.kind === 'firefox' ? {
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
                'javascript.options.wasm': this.webAssembly,
                ...this.preferences,
            },
        } : {
            ...common,
            browser: 'chrome',
            args: [...CHROMIUM_ARGUMENTS, ...(this.scriptFlags.length > 0 ? [`--js-flags=${this.scriptFlags.join(' ')}`] : [])],
            downloadBehavior: { policy: 'allow', downloadPath: this.downloads },
        });
    }

    /** Starts it again with the same profile, after it has ended by itself. */
    async relaunch() {
        // Its driver may still be there.
        await this.engine.close().catch(() => {});
        await this.launch();
    }

    /** Whether it still runs. */
    get alive() {
        return this.engine?.connected ?? false;
    }

    /** A new tab. Whatever the console says is kept in `tab.console`. */
    async tab(url) {
        const page = await this.engine.newPage();
        const tab = new Tab(page);
        this.tabs.add(tab);
        await page.setViewport({ width: 1280, height: 900 });
        await page.evaluateOnNewDocument(instrument);
        page.on('console', (message) => tab.console.push(`${message.type()}: ${message.text()}`));
        page.on('pageerror', (error) => tab.console.push(`uncaught: ${error.message}`));
        if (url) await tab.open(url);
        return tab;
    }

    /** Closes the tabs. Gives the lines of their consoles that no test expected. */
    async closeTabs() {
        const complaints = [];
        for (const tab of this.tabs) {
            // The browser or the tab may be gone.
            await tab.close().catch(() => {});
            complaints.push(...tab.complaints());
        }
        this.tabs.clear();
        return complaints;
    }

    /** Ends the browser at once, as a crash would, and starts it again with the same profile. */
    async crash() {
        this.crashed = true;
        const process = this.engine.process();
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
        await this.engine?.close();
        // What the browser started may still be writing there.
        if (this.profile) await rm(this.profile, { recursive: true, force: true, maxRetries: 10 });
    }
}

export class Tab {
    constructor(page) {
        this.page = page;
        this.console = [];
        this.expected = [];
    }

    /** From now on failed requests may show on the console. */
    expectFailedRequests() {
        this.expected.push(FAILED_REQUEST);
    }

    /** From now on anything may show on the console: the page's programs are kept from running as they should. */
    expectComplaints() {
        this.expected.push(/^/);
    }

    /** The console's lines that no test expected. */
    complaints() {
        return this.console.filter((line) => ![LEFT, ...this.expected].some((pattern) => pattern.test(line)));
    }

    /** Opens a page, and waits until the program has taken it over. */
    async open(url) {
        await this.page.goto(url, { waitUntil: 'load' });
        await this.awaited(() => !document.getElementById('first-paint') && document.querySelector('main h1')?.checkVisibility());
    }

    /** Opens what is no page of Keyside's, or may not start. */
    async openAnything(url) {
        await this.page.goto(url, { waitUntil: 'load' });
    }

    async reload() {
        await this.page.reload();
    }

    /** Goes back, within the document: nothing is loaded, so there is nothing to wait for but the page's content. */
    async back() {
        await this.evaluate(() => history.back());
    }

    async forward() {
        await this.evaluate(() => history.forward());
    }

    async url() {
        return new URL(await this.page.url());
    }

    title() {
        return this.page.title();
    }

    /** Brings the tab to the front: browsers slow down those behind. */
    async front() {
        await this.page.bringToFront();
    }

    async close() {
        if (!this.closed) await this.page.close();
        this.closed = true;
    }

    /** Runs a function in the page. */
    evaluate(code, ...parameters) {
        return this.page.evaluate(code, ...parameters);
    }

    /** Waits until `condition`, run in the page with `parameters`, gives something; a failure tells what the page shows instead. */
    async awaited(condition, ...parameters) {
        try {
            return await (this.hasNoTimers
                ? this.asked(condition, ...parameters)
                : this.page.waitForFunction(condition, { timeout: PATIENCE, polling: 50 }, ...parameters));
        } catch (error) {
            // With what is folded, such as the details of an error.
            const shown = await this.page.evaluate(() => {
                for (const details of document.querySelectorAll('details')) details.open = true;
                return document.body.innerText;
            }).catch(String);
            throw new Error(`${error.message}: ${condition} (${parameters})\nThe page shows:\n${shown}\nThe console says:\n${this.console.join('\n')}`);
        }
    }

    /** The same from outside, for a page in which no timer runs. */
    async asked(condition, ...parameters) {
        const end = Date.now() + PATIENCE;
        for (;;) {
            // Between two documents no one answers.
            const pause = new Promise((resolve) => setTimeout(resolve, 1000));
            const asking = this.page.evaluateHandle(condition, ...parameters).catch(() => undefined);
            const handle = await Promise.race([asking, pause]);
            if (handle && await Promise.race([handle.evaluate((value) => Boolean(value)).catch(() => false), pause])) return handle;
            if (Date.now() > end) throw new Error(`Waiting failed: ${PATIENCE}ms exceeded`);
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
    }

    /** The same; gives the value. */
    async until(condition, ...parameters) {
        return (await this.awaited(condition, ...parameters)).jsonValue();
    }

    /** Opens all that can be unfolded, once there is something. */
    async unfold() {
        await this.page.waitForSelector('main details', { timeout: PATIENCE, visible: true });
        await this.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
    }

    /** Waits for a visible heading with this text. */
    async heading(text) {
        await this.until((text) => [...document.querySelectorAll('h1, h2')]
            .some((heading) => heading.checkVisibility() && heading.textContent === text), text);
        await this.settled();
    }

    /** Waits for the next frames; in the first one a new page moves the focus to its heading, away from whatever is being typed into. */
    async settled(frames = 1) {
        if (this.hasNoTimers) return;
        await this.evaluate(async (frames) => {
            for (; frames > 0 && document.visibilityState === 'visible'; frames--) await new Promise(requestAnimationFrame);
        }, frames);
    }

    /** Waits until the focus is on the page's heading, where a new page puts it. */
    async headingHasFocus() {
        await this.until(() => document.activeElement.localName === 'h1');
    }

    /** Waits for a text, or one that matches a pattern, anywhere in the page's content. */
    async text(text) {
        const { source, flags } = text instanceof RegExp ? text : { source: undefined };
        await this.until((text, source, flags) => {
            const shown = document.querySelector('main')?.innerText;
            return source === null ? shown?.includes(text) : new RegExp(source, flags).test(shown);
        }, source === undefined ? text : null, source ?? null, flags ?? null);
    }

    /** Waits until a text is gone from the page. */
    async noText(text) {
        await this.until((text) => !document.body.innerText.includes(text), text);
    }

    /** All that the page shows. */
    shown() {
        return this.evaluate(() => document.body.innerText);
    }

    /** The control that this label names. */
    async field(label) {
        const handle = await this.awaited((label) => {
            const found = [...document.querySelectorAll('label')].find((candidate) => candidate.textContent.trim() === label);
            return found?.control;
        }, label);
        return handle.asElement();
    }

    /** Puts the focus on a control, and marks what is in it. */
    async focus(label) {
        await (await this.field(label)).evaluate((field) => { field.focus(); field.select?.(); });
    }

    async type(label, text) {
        await this.typeOnce(label, text);
        // A draft that is read late fills in a field that has the focus already. A person sees it and types again.
        if (await this.value(label) !== text) await this.typeOnce(label, text);
    }

    async typeOnce(label, text) {
        await this.focus(label);
        await this.key('Backspace');
        await this.keys(text);
    }

    /** Presses a key: `Enter`, `Tab`, `Backspace`, or a character. */
    async key(name) {
        await this.page.keyboard.press(name);
    }

    /** Types into what has the focus. */
    async keys(text) {
        await this.page.keyboard.type(text);
    }

    /** Chooses the option, or ticks the box, with this label. */
    async choose(label) {
        await (await this.field(label)).click();
    }

    /** Picks a file, as in the browser's own window, which is out of reach. */
    async pick(label, path) {
        await (await this.field(label)).uploadFile(path);
    }

    async value(label) {
        return (await this.field(label)).evaluate((field) => field.value);
    }

    /** Waits until the control that this label names has this value: what is kept is filled in once it is read. */
    async holds(label, value) {
        await this.awaited((label, value) => [...document.querySelectorAll('label')]
            .find((candidate) => candidate.textContent.trim() === label)?.control?.value === value, label, value);
    }

    /** Whether the control that this label names has the focus. */
    async hasFocus(label) {
        return (await this.field(label)).evaluate((field) => field === document.activeElement);
    }

    /** Whether the focus is on a field or group of options with this name, or on the first of its options. */
    focusIsOnOptionsOf(name) {
        return this.evaluate((name) => {
            const group = document.activeElement.closest('fieldset');
            return group?.querySelector('legend')?.innerText.trim() === name;
        }, name);
    }

    /** Presses the button, or follows the link, with this text. */
    async press(text) {
        for (;;) {
            try {
                return await this.pressOnce(text);
            } catch (error) {
                // The page has put another one in its place before the click.
                if (!/detached|no such node/i.test(error.message)) throw error;
            }
        }
    }

    async pressOnce(text) {
        const handle = await this.awaited((text) => [...document.querySelectorAll('main button, main a')]
            .find((candidate) => candidate.checkVisibility()
                && (candidate.innerText.trim() === text || candidate.textContent.trim() === text)), text);
        const element = handle.asElement();
        const scrolled = await element.evaluate((element) => {
            const before = window.scrollY;
            element.scrollIntoView({ block: 'center' });
            return window.scrollY !== before;
        });
        // Under load Firefox takes a click for one at the place from before, until it has shown the new one.
        if (scrolled) await this.settled(2);
        // Late content may move the element away from under the click, which is then made once more.
        await element.evaluate((element) => {
            window.isClickMet = false;
            element.addEventListener('click', () => { window.isClickMet = true; }, { once: true, capture: true });
        });
        await element.click();
        const isMissed = await this.evaluate(() => window.isClickMet === false).catch(() => false);
        if (isMissed) await element.click();
    }

    /** Goes to a page by the main navigation. */
    async navigate(name) {
        const handle = await this.awaited((name) => [...document.querySelectorAll('nav a')]
            .find((link) => link.textContent === name), name);
        await handle.asElement().click();
    }

    /** The name of the page that the main navigation marks as the current one. */
    currentPage() {
        return this.evaluate(() => document.querySelector('nav [aria-current=page]')?.textContent);
    }

    /** Presses Tab until the focus is on a control with this name, as somebody without a mouse does. */
    async tabTo(name) {
        for (let presses = 0; presses < 60; presses++) {
            await this.key('Tab');
            const here = await this.evaluate(() => {
                const active = document.activeElement;
                return [active.labels?.[0]?.textContent, active.innerText, active.textContent].map((text) => text?.trim());
            });
            if (here.includes(name)) return;
        }
        throw new Error(`“${name}” cannot be reached with the Tab key`);
    }

    /** Goes to a control with the Tab key, and presses Enter. */
    async enter(name) {
        await this.tabTo(name);
        await this.key('Enter');
    }

    /** Goes to a field with the Tab key, and types. */
    async fill(name, text) {
        await this.tabTo(name);
        await this.keys(text);
    }

    /** Fails when axe-core finds anything, or when the page is wider than its window: at 360 pixels, and at 200 % of 1280. */
    async accessible() {
        axe ??= await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
        // As a text, since the page's policy forbids eval to its own scripts.
        if (!await this.evaluate(() => 'axe' in window)) await this.page.evaluate(axe);
        const violations = () => this.evaluate(async () => {
            const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
        });
        // It judges the document, which is the same in each engine: Chromium shows it wide, too.
        if (kind === 'chromium') assert.deepEqual(await violations(), []);
        const before = this.page.viewport();
        for (const viewport of [{ width: 640, height: 450, deviceScaleFactor: 2 }, { width: 360, height: 740 }]) {
            await this.page.setViewport(viewport);
            const overflow = await this.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide for ${viewport.width}`);
        }
        assert.deepEqual(await violations(), []);
        await this.page.setViewport(before);
    }

    /** The same with the system's dark colors, where the browser can be told to prefer them: Chromium alone. */
    async accessibleInTheDark() {
        if (kind !== 'chromium') return;
        await this.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
        await this.accessible();
    }

    /** Waits until the page's own files are kept for use without a network, and are what this document gets. */
    async kept() {
        await this.until(async () => {
            // The worker that keeps them takes over the document a moment after it is ready.
            if (!navigator.serviceWorker.controller) return false;
            const cache = await caches.open('keyside');
            return (await cache.keys()).length > 5;
        });
    }

    /** Runs this function in each document from now on, before the page's own scripts. */
    async spoil(script) {
        await this.page.evaluateOnNewDocument(script);
    }

    /** Turns JavaScript off, where the browser can be told to: only Chromium. */
    async turnScriptsOff() {
        await this.page.setJavaScriptEnabled?.(false).then(() => { this.hasNoTimers = true; }, () => {});
    }

    /** A list of the requests of this document and of its workers from now on, as in "GET https://example.com/". */
    watchRequests() {
        const requests = [];
        this.page.on('request', (request) => requests.push(`${request.method()} ${request.url()}`));
        return requests;
    }

    /** The workers that there are. */
    workers() {
        return this.page.workers();
    }

    /** Waits until none of these workers is left; others may have started. The protocol reports a worker's end a moment after it. */
    async without(workers) {
        const isLeft = () => workers.some((worker) => this.page.workers().includes(worker));
        while (isLeft()) await new Promise((gone) => this.page.once('workerdestroyed', gone));
    }

    /** What crossed between page and workers in this document. */
    crossed() {
        return this.evaluate(() => window.crossed);
    }

    /** Everything that IndexedDB and the page's other stores hold. */
    stores() {
        return this.evaluate(async () => {
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
