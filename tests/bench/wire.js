// What crosses the wire: every file that Chromium fetches in the main job, as the gateway sends it.
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { Browser } from '../e2e/browser.js';
import { Gateway } from '../e2e/gateway.js';
import { Interceptor } from '../e2e/proxy.js';
import { STEPS, openTab } from './main-job.js';

const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync };

/**
 * Does the main job; gives for each file its name, its size, what crossed the wire, and the part that it belongs to. Of WebAssembly and
 * JavaScript, `worker` is what the worker that makes and opens keys has asked for, and what that in turn has asked for, even where the page
 * has, too; `certificates` is the same of the worker that checks certificates; `main job` is what Home, Register, Submitted and Collect need of
 * the page's program, and `other pages` what only the others need. All else is `other`.
 */
export async function filesOnTheWire() {
    const gateway = await Gateway.start();
    const proxy = await Interceptor.start(gateway.url);
    const browser = await Browser.start({ as: 'chromium' });
    const answers = [];
    proxy.onAnswer = (request, answer) => {
        const { pathname } = new URL(request.url, proxy.url);
        if (answer.statusCode !== 200 || /^\/(api|pki)\//.test(pathname)) return;
        // Browsers shall say which script asked; in the delivered page they do not, and nothing else changes by it.
        answer.headers['referrer-policy'] = 'same-origin';
        const { referer } = request.headers;
        const chunks = [];
        answers.push({
            file: pathname.includes('.') ? pathname.slice(1) : 'index.html',
            forWorker: request.headers['sec-fetch-dest'] === 'worker',
            askedBy: referer && new URL(referer).pathname.slice(1),
            type: answer.headers['content-type'],
            coding: answer.headers['content-encoding'],
            chunks,
        });
        answer.on('data', (chunk) => chunks.push(chunk));
    };
    try {
        const tab = await openTab(browser.engine);
        // The service worker fetches everything again, in the background.
        await tab.page.evaluateOnNewDocument(() => delete Navigator.prototype.serviceWorker);
        await tab.page.setCacheEnabled(false);
        for (const [, step] of STEPS) await step({ tab, url: proxy.url, browser });
    } finally {
        await browser.stop();
        await proxy.stop();
        await gateway.stop();
    }
    return sorted(answers);
}

function sorted(answers) {
    const workers = new Set();
    for (let before = -1; before < workers.size;) {
        before = workers.size;
        answers.filter(({ forWorker, askedBy }) => forWorker || workers.has(askedBy)).forEach(({ file }) => workers.add(file));
    }
    const partOf = ({ file, type }) => {
        if (!/wasm|javascript/.test(type)) return 'other';
        if (workers.has(file)) return file.startsWith('certificates') ? 'certificates' : 'worker';
        return file.startsWith('split_') ? 'other pages' : 'main job';
    };
    const files = new Map();
    for (const answer of answers) {
        const { file } = answer;
        if (files.has(file)) continue;
        const bytes = Buffer.concat(answer.chunks);
        const raw = DECODERS[answer.coding]?.(bytes) ?? bytes;
        files.set(file, { file, raw_bytes: raw.length, brotli_bytes: bytes.length, part: partOf(answer) });
    }
    return [...files.values()];
}

/** The bytes on the wire of these parts together. */
export const bytesOf = (files, ...parts) => files
    .filter(({ part }) => parts.includes(part))
    .reduce((sum, { brotli_bytes: bytes }) => sum + bytes, 0);
