// The waits of a person in the main job: from Submit to the saved key, and from Collect to the file. The forms are filled in with the keyboard, at
// the speed at which people type.
import { Browser } from '../e2e/browser.js';
import { state } from '../e2e/pages/components.js';
import { READY } from '../e2e/pages/collect.js';
import { transactionId } from '../e2e/pages/submitted.js';
import { Gateway } from '../e2e/gateway.js';
import { PASSPHRASE } from './in-page/keyside.js';
import { Bench } from './interleave.js';
import { openTab } from './main-job.js';
import { makeSite, PEER_PAGE } from './site.js';

/** 200 characters a minute. */
const MILLISECONDS_PER_CHARACTER = 300;

/** Runs in the page before its own scripts: notes when a key on the keyboard submits a form, when a change is written to IndexedDB, when the request
 * is sent, and when the file is there. */
function observe(ready) {
    const now = () => performance.now();
    const waits = { written: [] };
    window.waits = waits;
    window.addEventListener('keydown', ({ key, timeStamp }) => { if (key === 'Enter') waits.entered = timeStamp; }, { capture: true });
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (stores, mode, ...rest) {
        const begun = transaction.call(this, stores, mode, ...rest);
        if (mode === 'readwrite') begun.addEventListener('complete', () => waits.written.push(now()));
        return begun;
    };
    const { fetch } = window;
    window.fetch = function (request, options) {
        if ((options?.method ?? request.method) === 'POST' && waits.saved === undefined) waits.saved = waits.written.filter((time) => time > waits.entered).at(-1) - waits.entered;
        return fetch(request, options);
    };
    new MutationObserver(() => {
        const isReady = [...document.querySelectorAll('h1, h2')].some((heading) => heading.textContent === ready && heading.checkVisibility());
        if (isReady) waits.ready ??= now() - waits.entered;
    }).observe(document, { subtree: true, childList: true, attributes: true });
}

/** Types at a person's speed into the field with this label, by the keyboard. */
async function type(tab, label, text) {
    await tab.focus(label);
    await tab.page.keyboard.type(text, { delay: MILLISECONDS_PER_CHARACTER });
}

async function fillInAndSubmit(tab) {
    await tab.heading('Certificate Request');
    await type(tab, 'Common Name', 'Ada Example');
    await type(tab, 'Email Address', 'ada@example.com');
    await type(tab, 'Pickup Passphrase', PASSPHRASE);
    await type(tab, 'Pickup Passphrase Confirmation', PASSPHRASE);
    await tab.key('Enter');
}

async function collect(tab) {
    await type(tab, 'Pickup Passphrase', PASSPHRASE);
    await tab.key('Enter');
    await tab.heading(READY);
}

async function byKeyside(tab, url, { id }) {
    await tab.open(new URL(`register/${id}`, url).href);
    await fillInAndSubmit(tab);
    await transactionId(tab);
    await state(tab, 'Ready to collect');
    await tab.press('Collect the certificate');
    await tab.heading('Collect');
    await collect(tab);
}

async function byPeer(tab, url, { id, name }) {
    await tab.openAnything(new URL(`${PEER_PAGE}?${new URLSearchParams({ id, name })}`, url).href);
    await fillInAndSubmit(tab);
    await tab.until(() => document.querySelector('#collect')?.checkVisibility());
    await collect(tab);
}

/**
 * The waits in a browser of this kind, in milliseconds: for each contestant a list of `{ saved, ready }`. `against` is the folder of another page,
 * such as the version before, to compare with.
 */
export async function waits(kind, runs, against) {
    const gateways = { keyside: await Gateway.start({ folder: await makeSite() }) };
    const browser = await Browser.start({ as: kind });
    try {
        if (against) gateways['the other page'] = await Gateway.start({ folder: against });
        const [type] = (await (await fetch(gateways.keyside.at('api/v1/configuration'))).json()).certificate_types;
        const ways = {
            ...Object.fromEntries(Object.entries(gateways).map(([name, { url }]) => [name, (tab) => byKeyside(tab, url, type)])),
            'WebCrypto and node-forge': (tab) => byPeer(tab, gateways.keyside.url, type),
        };
        const name = `${kind === 'firefox' ? 'Firefox' : 'Chromium'} ${(await browser.engine.version()).split('/').pop()}`;
        const contestants = Object.fromEntries(Object.keys(ways).map((way) => [way, runs]));
        const turns = await Bench.takeTurns(contestants, async (way) => {
            const context = await browser.engine.createBrowserContext();
            try {
                const tab = await openTab(context);
                const failed = new Promise((_, reject) => tab.page.once('pageerror', reject));
                await tab.page.evaluateOnNewDocument(observe, READY);
                await Promise.race([ways[way](tab), failed]);
                return await tab.evaluate(() => ({ saved: window.waits.saved, ready: window.waits.ready }));
            } finally {
                await context.close();
            }
        }, (round) => console.error(`${name}, what a person waits for: round ${round} of ${runs}`));
        return { name, turns };
    } finally {
        await browser.stop();
        for (const gateway of Object.values(gateways)) await gateway.stop();
    }
}
