// What the tests of a file share: a gateway, a browser and a folder. They are started by the first test that runs, and put in order
// after each one, so that a failure does not spread to the next.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';

import { Browser, kind, LIMITS } from './browser.js';
import { Gateway } from './gateway.js';
import { run } from './judges.js';
import { Interceptor } from './proxy.js';

export const PASSPHRASE = 'Correct-4-horse!';
/** Another one, where a passphrase is changed. */
export const NEW_PASSPHRASE = 'Another-5-donkeys!';

/** How long a test may take, in milliseconds. */
const TIMEOUT = 300_000;

/**
 * What the tests of a file share, and the function `test` that defines them. `gateway` has the options of their gateway; `prepare` runs
 * once before the first test. Nothing is started before a test needs it. The `needs` of a test, or of the whole file, are a key of LIMITS.
 */
export function site({ gateway: options, prepare, needs: all } = {}) {
    const gateway = new Gateway(options);
    const browser = new Browser();
    const folder = join(tmpdir(), `keyside-files-${process.pid}`);
    /** What ends with the test, and the proxies from `prepare`, which stay. */
    const borrowed = [];
    const proxies = [];
    let starting;

    async function start() {
        await mkdir(folder);
        await gateway.start();
        await browser.start();
        await prepare?.();
        proxies.push(...borrowed.splice(0));
        await tidy();
    }

    /** Ends what the test has borrowed, and closes its tabs. Gives what it has left that should not be. */
    async function tidy() {
        const left = [];
        for (const open of [browser, ...borrowed.filter((borrowed) => borrowed instanceof Browser)]) {
            left.push(...(await open.closeTabs()).map((line) => `on the console: ${line}`));
            if (!open.alive) left.push(`a ${open.kind} that has ended`);
        }
        for (const each of borrowed.splice(0).reverse()) await each.stop();
        for (const proxy of proxies) proxy.reset();
        if (browser.crashed) {
            // Firefox may be unable to store anything after a crash, until it is started once more.
            await browser.stop();
            await browser.start();
        } else if (!browser.alive) {
            await browser.relaunch();
        }
        if (!gateway.alive) {
            left.push(`a gateway that has ended, saying:\n${gateway.log}`);
            await gateway.restart();
        }
        return left;
    }

    afterEach(async ({ name }) => {
        // An error that kept the site from starting is each test's own failure.
        if (!starting || (await starting.then(() => false, () => true))) return;
        const left = await tidy();
        if (left.length > 0) throw new Error(`“${name}” has left behind:\n${left.join('\n')}`);
    });

    after(async () => {
        if (!starting) return;
        await starting.catch(() => {});
        for (const each of [browser, ...proxies, gateway]) await each.stop();
        await rm(folder, { recursive: true, force: true });
    });

    /** Starts something that ends with the test. */
    async function borrow(starting) {
        const started = await starting;
        borrowed.push(started);
        return started;
    }

    return {
        gateway,
        browser,
        /** A folder for files. It exists as soon as a test runs. */
        folder,
        borrow,
        /** Another browser, with a profile of its own, until the test ends. */
        another: (options) => borrow(Browser.start(options)),
        /** A proxy before the gateway, which to a browser is another site: until the test ends or, in `prepare`, for all tests. */
        intercept: () => borrow(Interceptor.start(gateway.url)),
        test(name, ...rest) {
            const body = rest.pop();
            test(`${kind}: ${name}`, { skip: LIMITS[rest[0]?.needs ?? all] ?? false, timeout: TIMEOUT }, async () => {
                await (starting ??= start());
                await body();
            });
        },
    };
}

/** Puts the root's certificate of `gateway` into `folder`, as root.cer and root.pem; gives the path of the latter. */
export async function rootOf(gateway, folder) {
    const [der, pem] = [join(folder, 'root.cer'), join(folder, 'root.pem')];
    await writeFile(der, Buffer.from(await (await fetch(gateway.at('pki/root.cer'))).arrayBuffer()));
    await run('openssl', 'x509', '-inform', 'DER', '-in', der, '-out', pem);
    return pem;
}
