// What the page costs: bytes, time until it is there, what blocks it, Cancel, key derivation, memory, in Chromium, which tells; and what a person
// waits for, in Chromium and Firefox.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { Browser } from '../e2e/browser.js';
import { Gateway } from '../e2e/gateway.js';
import { Bench } from './interleave.js';
import { STEPS, fillIn, openTab } from './main-job.js';
import { OUTPUT, machine, milliseconds, report, table } from './report.js';
import { mean, median } from './statistics.js';
import { waits } from './waits.js';
import { bytesOf, filesOnTheWire } from './wire.js';

const { values: options } = parseArgs({ options: { ...OUTPUT, runs: { type: 'string', default: '5' }, against: { type: 'string' } } });
const RUNS = Number(options.runs);
/** A slow mobile link and a slow computer. */
const LINK = { bitsPerSecond: 1_600_000, latencyMilliseconds: 150 };
const SLOWDOWN = 4;

/** Calls `once` so many times; gives the results. */
async function repeat(once) {
    const results = [];
    for (let run = 0; run < RUNS; run++) results.push(await once());
    return results;
}

/** A tab that knows nothing, as at a first visit, on the slow link and computer; and what closes it. */
async function slowTab(browser) {
    const context = await browser.engine.createBrowserContext();
    const tab = await openTab(context);
    const cdp = await tab.page.createCDPSession();
    const throughput = LINK.bitsPerSecond / 8;
    await cdp.send('Network.enable');
    await cdp.send('Network.emulateNetworkConditions', {
        offline: false, latency: LINK.latencyMilliseconds, downloadThroughput: throughput, uploadThroughput: throughput,
    });
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN });
    return { tab, close: () => context.close() };
}

/** Milliseconds to first paint, to first contentful paint, and until something that `selector` finds takes the focus. */
async function load(browser, url, selector) {
    const { tab, close } = await slowTab(browser);
    try {
        await tab.page.evaluateOnNewDocument((selector) => {
            const look = () => {
                const control = document.querySelector(selector);
                if (window.usable || !control?.checkVisibility() || control.disabled) return;
                control.focus();
                if (document.activeElement === control) window.usable = performance.now();
            };
            new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
        }, selector);
        await tab.page.goto(url, { waitUntil: 'load' });
        const usable = await tab.until(() => window.usable);
        const paints = await tab.page.evaluate(() => Object.fromEntries(performance.getEntriesByType('paint').map(({ name, startTime }) => [name, startTime])));
        return [paints['first-paint'], paints['first-contentful-paint'], usable];
    } finally {
        await close();
    }
}

/** What any page costs on this machine: the gateway's answer to an address that nothing is at, 1 kB of HTML and a style sheet, without a script. */
const PEER = ['loading a page without a script', ({ tab, url }) => tab.page.goto(new URL('problems/not-found', url).href, { waitUntil: 'load' })];

/** The long tasks of each of `steps`, in milliseconds, and the largest renderer's peak memory after it, in bytes. */
async function observe(browser, url, slowdown, steps) {
    const context = await browser.engine.createBrowserContext({ downloadBehavior: { policy: 'allow', downloadPath: browser.downloads } });
    const tab = await openTab(context);
    try {
        await tab.page.evaluateOnNewDocument(() => {
            window.longTasks = [];
            const keep = (list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration));
            new PerformanceObserver(keep).observe({ type: 'longtask', buffered: true });
        });
        await tab.page.emulateCPUThrottling(slowdown);
        const seen = {};
        let peak = 0;
        for (const [name, step] of steps) {
            await step({ tab, url, browser });
            // Two frames later the observer has been told.
            await tab.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))));
            peak = Math.max(peak, await peakMemory(browser));
            seen[name] = { tasks: await tab.page.evaluate(() => window.longTasks.splice(0)), peak };
        }
        return seen;
    } finally {
        await context.close();
    }
}

/** The largest resident set that one of Chromium's renderers has had (VmHWM), in bytes; NaN where /proc does not tell. */
async function peakMemory(browser) {
    const cdp = await browser.engine.target().createCDPSession();
    const { processInfo } = await cdp.send('SystemInfo.getProcessInfo');
    await cdp.detach();
    const peaks = await Promise.all(processInfo.filter(({ type }) => type === 'renderer').map(async ({ id }) => {
        const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
        return Number(status.match(/^VmHWM:\s+(\d+) kB/m)?.[1]) * 1024;
    }));
    return Math.max(...peaks);
}

/** Milliseconds from the click on Cancel until the form is back, and until the workers are gone. */
async function cancel(browser, url) {
    const context = await browser.engine.createBrowserContext();
    const tab = await openTab(context);
    const cdp = await browser.engine.target().createCDPSession();
    const workers = new Set();
    let gone;
    cdp.on('Target.targetCreated', ({ targetInfo }) => targetInfo.type === 'worker' && workers.add(targetInfo.targetId));
    cdp.on('Target.targetDestroyed', ({ targetId }) => workers.delete(targetId) && gone?.());
    await cdp.send('Target.setDiscoverTargets', { discover: true });
    try {
        await tab.page.evaluateOnNewDocument(() => {
            window.searching = new Promise((resolve) => {
                const Native = window.Worker;
                window.Worker = class extends Native {
                    constructor(...parameters) {
                        super(...parameters);
                        this.addEventListener('message', ({ data }) => {
                            if (data instanceof Uint8Array && new TextDecoder().decode(data).includes('GeneratingKeyPair')) resolve();
                        });
                    }
                };
            });
        });
        await tab.open(url);
        await fillIn(tab);
        await (await tab.field('RSA 4096')).click();
        await tab.press('Submit');
        await tab.heading('Making your key pair');
        await tab.page.evaluate(() => window.searching);
        if (workers.size === 0) throw new Error('no worker is to be seen while a key is made');
        // Those that are there now: the form that is back may start others.
        const busy = [...workers];
        const none = new Promise((resolve, reject) => {
            gone = () => busy.some((id) => workers.has(id)) || resolve(Date.now());
            setTimeout(reject, 60_000, new Error('a worker goes on after Cancel')).unref();
        });
        await tab.page.evaluate(() => {
            const now = () => performance.timeOrigin + performance.now();
            window.addEventListener('click', () => {
                window.clicked = now();
                window.formBack = new Promise((resolve) => {
                    const look = () => document.querySelector('#common-name')?.checkVisibility() && !document.querySelector('#progress') && resolve(now());
                    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
                });
            }, { capture: true, once: true });
        });
        await tab.press('Cancel');
        const [clicked, formBack] = await tab.page.evaluate(async () => [window.clicked, await window.formBack]);
        return [formBack - clicked, (await none) - clicked];
    } finally {
        await cdp.detach();
        await context.close();
    }
}

const files = await filesOnTheWire();
const gateway = await Gateway.start();
const browser = await Browser.start({ as: 'chromium' });
const name = `Chromium ${(await browser.engine.version()).split('/').pop()}`;
const [loads, jobs, cancels] = [[], [], []];
try {
    const [{ id }] = (await (await fetch(new URL('api/v1/configuration', gateway.url))).json()).certificate_types;
    for (const [page, path, selector] of [['Home', '', 'main a, main button'], ['Register, the form', `register/${id}`, 'main input']]) {
        console.error(`loading ${page}`);
        const times = await repeat(() => load(browser, new URL(path, gateway.url).href, selector));
        loads.push([page, ...[0, 1, 2].map((column) => milliseconds(median(times.map((row) => row[column]))))]);
    }
    for (const slowdown of [1, SLOWDOWN]) {
        console.error(`main job, processor slowed down ${slowdown} times`);
        // Beside one another, each in a fresh profile.
        const runs = await repeat(async () => ({
            ...await observe(browser, gateway.url, slowdown, [PEER]), ...await observe(browser, gateway.url, slowdown, STEPS),
        }));
        for (const [step] of [PEER, ...STEPS]) {
            const tasks = runs.flatMap((run) => run[step].tasks);
            const peaks = runs.map((run) => run[step].peak);
            const memory = peaks.some(Number.isNaN) ? 'not measured' : (median(peaks) / 2 ** 20).toFixed(0);
            jobs.push([`${slowdown}×`, step, (tasks.length / RUNS).toFixed(1), tasks.length > 0 ? milliseconds(Math.max(...tasks)) : '0', memory]);
        }
    }
    console.error('cancel');
    const times = await repeat(() => cancel(browser, gateway.url));
    for (const [column, what] of ['the form is back', 'the workers are gone'].entries()) {
        const values = times.map((row) => row[column]);
        cancels.push([what, ...[median(values), Math.max(...values)].map(milliseconds)]);
    }
} finally {
    await browser.stop();
    await gateway.stop();
}
const derivations = [];
const bench = await Bench.start('chromium');
try {
    console.error('key derivation');
    const names = await bench.page.evaluate(() => Object.keys(window.bench.derivations));
    const times = await Bench.takeTurns(Object.fromEntries(names.map((name) => [name, RUNS])), (name) => bench.call('derivations', name));
    for (const [name, values] of Object.entries(times)) derivations.push([name, milliseconds(mean(values)), milliseconds(Math.min(...values))]);
} finally {
    await bench.stop();
}

const [browsers, waited] = [[name], []];
for (const kind of ['chromium', 'firefox']) {
    const { name, turns } = await waits(kind, RUNS, options.against);
    if (!browsers.includes(name)) browsers.push(name);
    for (const [what, part] of [['Submit to saved', 'saved'], ['Collect to file ready', 'ready']]) {
        for (const [contestant, results] of Object.entries(turns)) {
            const values = results.map((result) => result[part]);
            waited.push([name, what, contestant, ...[median(values), Math.min(...values), Math.max(...values)].map(milliseconds)]);
        }
    }
}

await report('page', options, files, [
    `${machine(browsers)}; ${RUNS} runs of each time.`,
    table(
        ['file', 'part', 'bytes', 'on the wire'],
        // Without the hashes, which each build has others of.
        files.map(({ file, part, raw_bytes: raw, brotli_bytes: wire }) => [file.replace(/-[0-9a-f]{16}(?=[._])/, ''), part, raw, wire]),
    ),
    `In all: ${['main job', 'other pages', 'worker', 'certificates', 'other'].map((part) => `${part} ${bytesOf(files, part)}`).join(', ')} bytes on the wire.`,
    `First visit, ${LINK.bitsPerSecond / 1e6} Mbit/s, ${LINK.latencyMilliseconds} ms, processor slowed down ${SLOWDOWN} times; median ms:`,
    table(['page', 'first paint', 'first contentful paint', 'usable'], loads),
    'Tasks over 50 ms on the main thread, and the renderer’s peak memory so far (VmHWM, median):',
    table(['processor', 'step', 'tasks a run', 'longest ms', 'peak MiB'], jobs),
    'Cancel of RSA 4096, from the click on:',
    table(['until', 'median ms', 'longest ms'], cancels),
    'Key derivation (WebCrypto has no scrypt):',
    table(['derivation', 'mean ms', 'least ms'], derivations),
    'What a person waits for, with forms filled in at 200 characters a minute:',
    table(['browser', 'wait', 'page', 'median ms', 'least ms', 'longest ms'], waited),
]);
