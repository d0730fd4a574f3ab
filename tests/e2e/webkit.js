// WebKitGTK's MiniBrowser, driven over WebDriver. puppeteer does not speak it, so this has the part of puppeteer's browser and page
// that browser.js uses, under puppeteer's names.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { required } from './gateway.js';

/** The key under which WebDriver hands over an element (https://www.w3.org/TR/webdriver2/#elements). */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
/** WebDriver's code points for keys that type nothing (https://www.w3.org/TR/webdriver2/#keyboard-actions). */
const KEYS = { Backspace: '\uE003', Tab: '\uE004', Enter: '\uE007' };
const POLL_INTERVAL = 50;
/** How long the browser may take to end before it is killed, in milliseconds. */
const GRACE = 5_000;

async function freePort() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    await new Promise((closed) => server.close(closed));
    return port;
}

/** Starts the driver with a browser of its own. The driver's environment has the profile in `profile`, the only place it writes to. */
export async function launch({ profile, downloads, env, https, patience }) {
    if (!env.DISPLAY) throw new Error('DISPLAY is not set, and WebKitGTK needs a screen: `cargo xtask test` starts one, and so does xvfb-run');
    const folders = { XDG_CONFIG_HOME: join(profile, 'config'), XDG_CACHE_HOME: join(profile, 'cache'), XDG_DATA_HOME: join(profile, 'data') };
    await mkdir(folders.XDG_CONFIG_HOME, { recursive: true });
    // The only way to choose the folder for downloads, which are then saved without a question.
    await writeFile(join(folders.XDG_CONFIG_HOME, 'user-dirs.dirs'), `XDG_DOWNLOAD_DIR="${downloads}"\n`);
    // Without their margins the browser's own buttons leave room for a window as narrow as a telephone's.
    await mkdir(join(folders.XDG_CONFIG_HOME, 'gtk-3.0'), { recursive: true });
    await writeFile(join(folders.XDG_CONFIG_HOME, 'gtk-3.0', 'gtk.css'), '* { min-width: 0; padding: 0; margin: 0; font-size: 1px; }\n');
    const port = await freePort();
    const process = spawn(required('KEYSIDE_WEBKIT_DRIVER'), [`--port=${port}`, '--host=127.0.0.1'], {
        // Where frames go through the graphics driver, and that driver is a program, half of the processor's time is spent there.
        stdio: 'ignore', env: { ...env, ...folders, HOME: profile, WEBKIT_DISABLE_DMABUF_RENDERER: '1' },
    });
    const browser = new WebKit(process, `http://127.0.0.1:${port}`);
    try {
        await browser.begin(https, patience);
    } catch (error) {
        await browser.close();
        throw error;
    }
    return browser;
}

class WebKit {
    #process;
    #address;
    #session;
    #ended = false;
    #first;
    #current;
    /** One command after another, since each one must find its own window in front. */
    #queue = Promise.resolve();

    constructor(process, address) {
        this.#process = process;
        this.#address = address;
    }

    async begin(https, patience) {
        const until = Date.now() + patience;
        while (!(await fetch(`${this.#address}/status`).then(({ ok }) => ok, () => false))) {
            if (this.#process.exitCode !== null || Date.now() > until) throw new Error('WebKitWebDriver did not start');
            await sleep(POLL_INTERVAL);
        }
        const { sessionId } = await this.#send('POST', '/session', {
            capabilities: { alwaysMatch: {
                acceptInsecureCerts: https,
                'webkitgtk:browserOptions': {
                    binary: required('KEYSIDE_MINIBROWSER'),
                    args: [
                        '--automation',
                        // Storage that can be asked about, as in Safari.
                        '--features=+StorageAPI,+StorageAPIEstimate',
                        // Over HTTPS, the gateway's `no-store` has WebKit freeze no page that is left.
                        ...(https ? [] : ['--enable-page-cache=false']),
                    ],
                },
            } },
        });
        this.#session = `/session/${sessionId}`;
        await this.#send('POST', `${this.#session}/timeouts`, { script: patience, pageLoad: patience, implicit: 0 });
        this.#first = this.#current = await this.#send('GET', `${this.#session}/window`);
    }

    async #send(method, path, body) {
        const response = await fetch(this.#address + path, { method, body: body && JSON.stringify(body) });
        const { value } = await response.json();
        // The browser has ended; the driver goes on.
        if (value?.error === 'invalid session id') this.#ended = true;
        if (!response.ok) throw new Error(`WebDriver's ${method} ${path.replace(this.#session, '')}: ${value.error}: ${value.message}`);
        return value;
    }

    /** Sends a command to a window. */
    command(window, method, path, body) {
        const sent = this.#queue.then(async () => {
            if (this.#current !== window) {
                await this.#send('POST', `${this.#session}/window`, { handle: window });
                this.#current = window;
            }
            return this.#send(method, this.#session + path, body);
        });
        this.#queue = sent.catch(() => {});
        return sent;
    }

    /**
     * A window of its own: a tab would stay hidden, and what is hidden gets no animation frames. The session's first window stays empty: with
     * it the session would end.
     */
    async newPage() {
        const { handle } = await this.command(this.#first, 'POST', '/window/new', { type: 'window' });
        return new Page(this, handle);
    }

    async closeWindow(window) {
        await this.command(window, 'DELETE', '/window');
        this.#current = undefined;
    }

    get connected() {
        return !this.#ended && this.#process.exitCode === null && this.#process.signalCode === null;
    }

    async close() {
        if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
        // The browser ends with its session, not with the driver.
        if (this.#session && !this.#ended) await Promise.race([this.#send('DELETE', this.#session).catch(() => {}), sleep(GRACE, undefined, { ref: false })]);
        const gone = once(this.#process, 'exit');
        this.#process.kill('SIGKILL');
        await gone;
    }
}

/** What a function in the page gave: an element, or a copy of a value. */
class Handle {
    constructor(page, value) {
        this.page = page;
        this.value = value;
    }

    asElement() {
        return this.value?.[ELEMENT] ? this : null;
    }

    async jsonValue() {
        return this.value;
    }

    evaluate(pageFunction, ...parameters) {
        return this.page.evaluate(pageFunction, this, ...parameters);
    }

    #command(end, body) {
        return this.page.command('POST', `/element/${this.value[ELEMENT]}${end}`, body);
    }

    click() {
        return this.#command('/click', {});
    }

    focus() {
        return this.evaluate((element) => element.focus());
    }

    uploadFile(path) {
        return this.#command('/value', { text: path });
    }
}

/** Runs in each document, at the first command that reaches it: keeps what its scripts complain of, for `Page.on`. */
function listen() {
    window.complaints = [];
    for (const type of ['error', 'warn']) {
        const native = console[type];
        console[type] = (...what) => {
            window.complaints.push(['console', type, what.join(' ')]);
            native.apply(console, what);
        };
    }
    window.addEventListener('error', ({ message }) => window.complaints.push(['pageerror', 'error', message]));
    window.addEventListener('unhandledrejection', ({ reason }) => window.complaints.push(['pageerror', 'error', String(reason)]));
}

class Page {
    #browser;
    #window;
    #viewport;
    #scripts = [listen];
    #listeners = { console: [], pageerror: [] };

    constructor(browser, window) {
        this.#browser = browser;
        this.#window = window;
        const press = (keys) => this.command('POST', '/actions', { actions: [{
            type: 'key', id: 'keyboard', actions: keys.flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]),
        }] });
        this.keyboard = {
            press: (key) => press([KEYS[key] ?? key]),
            type: async (text) => text && press([...text]),
        };
    }

    command(method, path, body) {
        return this.#browser.command(this.#window, method, path, body);
    }

    on(event, listener) {
        this.#listeners[event].push(listener);
    }

    /** Comes too late for what a document does at once, but before anything that is done in it afterwards. */
    async evaluateOnNewDocument(script) {
        this.#scripts.push(script);
    }

    /**
     * Runs a function, or the text of a script, in the page. Texts become part of WebDriver's own function, which the page's policy does
     * not concern, unlike eval.
     */
    async #run(code, parameters) {
        const [value, fault, complaints] = await this.command('POST', '/execute/async', {
            script: `
                const parameters = [...arguments], done = parameters.pop();
                if (!document.prepared) { document.prepared = true; ${this.#scripts.map((script) => `(${script})();`).join('')} }
                const finish = (value, fault) => done([value === undefined ? null : value, fault, window.complaints.splice(0)]);
                (async () => { ${typeof code === 'string' ? code : `return (${code})(...parameters);`} })()
                    .then((value) => finish(value), (error) => finish(null, String(error)));`,
            args: parameters.map((parameter) => (parameter instanceof Handle ? parameter.value : parameter)),
        });
        for (const [event, type, text] of complaints) {
            for (const listener of this.#listeners[event]) listener({ type: () => type, text: () => text, message: text });
        }
        if (fault) throw new Error(fault);
        return value;
    }

    evaluate(code, ...parameters) {
        return this.#run(code, parameters);
    }

    async waitForFunction(condition, { timeout }, ...parameters) {
        const until = Date.now() + timeout;
        let fault;
        while (Date.now() < until) {
            // The document may be exchanged at any moment.
            const value = await this.#run(condition, parameters).catch((error) => void (fault = error));
            if (value) return new Handle(this, value);
            if (!this.#browser.connected) throw new Error('the browser has ended', { cause: fault });
            await sleep(POLL_INTERVAL);
        }
        throw new Error(`Waiting failed: ${timeout} ms exceeded`, { cause: fault });
    }

    waitForSelector(selector, { timeout }) {
        const visible = (selector) => [document.querySelector(selector)].find((element) => element?.checkVisibility());
        return this.waitForFunction(visible, { timeout }, selector);
    }

    async #go(path, body) {
        await this.command('POST', path, body);
        await this.#run(() => {}, []);
    }

    goto(url) {
        return this.#go('/url', { url });
    }

    reload() {
        return this.#go('/refresh', {});
    }

    goBack() {
        return this.#go('/back', {});
    }

    goForward() {
        return this.#go('/forward', {});
    }

    url() {
        return this.command('GET', '/url');
    }

    title() {
        return this.command('GET', '/title');
    }

    bringToFront() {
        return this.command('GET', '/window');
    }

    viewport() {
        return this.#viewport;
    }

    /** Sizes the window, whose frame and bars are around the page. */
    async setViewport(viewport) {
        this.#viewport = viewport;
        const rectangle = await this.command('GET', '/window/rect');
        const inside = () => this.#run(() => [window.innerWidth, window.innerHeight], []);
        const [width, height] = await inside();
        if (width === viewport.width && height === viewport.height) return;
        await this.command('POST', '/window/rect', {
            width: rectangle.width + viewport.width - width, height: rectangle.height + viewport.height - height,
        });
        // The window system takes its time. It may also refuse so small a window, which the caller sees by the page's width.
        const until = Date.now() + 1_000;
        while ((await inside())[0] !== viewport.width && Date.now() < until) await sleep(POLL_INTERVAL);
    }

    async close() {
        // The last complaints.
        await this.#run(() => {}, []).catch(() => {});
        await this.#browser.closeWindow(this.#window);
    }
}
