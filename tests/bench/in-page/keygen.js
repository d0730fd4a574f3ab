// The generators that are compared. Each gives the milliseconds that one key took, as seen by the page.
import { KeysideWorker, PASSPHRASE, generate } from './keyside.js';

/** The next message, or the error that came instead. */
const message = (worker) => new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message ?? 'the worker could not be loaded'));
});

/** The milliseconds from asking a worker for a key to hearing that it is done. */
const ask = async (worker, bits) => {
    const started = performance.now();
    worker.postMessage(bits);
    await message(worker);
    return performance.now() - started;
};

/**
 * From asking for a key to the message that the search has ended. The worker is started before, as Register does it while the user still types, and
 * has a second to itself, in which it derives the key that the new one is sealed under; its start is told apart.
 */
const byKeyside = async (bits, search, areFused) => {
    const worker = await KeysideWorker.startKeyMaker(search);
    worker.ahead({ passphrase: PASSPHRASE });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const { name, milliseconds, stages } = await worker.do(generate(bits));
    if (name !== 'Generated') throw new Error(`the worker answered ${name}`);
    if (worker.areFused !== areFused) throw new Error(`the search was ${worker.areFused ? '' : 'not '}fused`);
    return { milliseconds: stages.SigningRequest, job: milliseconds, start: worker.startMilliseconds };
};

let forge;

export const generators = {
    keyside: (bits) => byKeyside(bits, 'prime search', true),

    /** The same on a browser or a processor without fused multiply-add. */
    'keyside in integers': (bits) => byKeyside(bits, 'prime search in integers', false),

    async webcrypto(bits) {
        const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: bits, publicExponent: new Uint8Array([1, 0, 1]) };
        const started = performance.now();
        await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
        return { milliseconds: performance.now() - started };
    },

    /** A fresh worker for each key, as Keyside has it, started before the clock. */
    async rsa(bits) {
        const worker = new Worker(new URL('rsa-worker.js', document.baseURI), { type: 'module' });
        await message(worker);
        try {
            return { milliseconds: await ask(worker, bits) };
        } finally {
            worker.terminate();
        }
    },

    /** One worker for all keys: what the browser has learnt about the code is kept, to node-forge's advantage. */
    async 'node-forge'(bits) {
        if (!forge) {
            forge = new Worker(new URL('forge-worker.js', document.baseURI), { type: 'module' });
            await message(forge);
        }
        return { milliseconds: await ask(forge, bits) };
    },
};
