// The folder that the benchmarks' gateway serves: the delivered page, and beside it the benchmarks' own.
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

import { required } from '../e2e/gateway.js';

/** The benchmarks' page, where all runs. */
export const BENCH_PAGE = 'bench.html';
/** The page that does the main job with WebCrypto and node-forge. */
export const PEER_PAGE = 'peer.html';

/** Makes it anew; gives its path. */
export async function makeSite() {
    const folder = join(required('KEYSIDE_BENCH'), 'site');
    await rm(folder, { recursive: true, force: true });
    await cp(required('KEYSIDE_PAGE'), folder, { recursive: true });
    await cp(join(required('KEYSIDE_BENCH'), 'rsa-worker'), folder, { recursive: true });
    await build({
        absWorkingDir: import.meta.dirname,
        entryPoints: ['in-page/main.js', 'in-page/forge-worker.js', 'in-page/rsa-worker.js', 'in-page/peer.js'],
        outdir: folder,
        bundle: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2022',
        // What wasm-bindgen made finds its WebAssembly beside itself.
        external: ['./rsa.js'],
        logLevel: 'warning',
    });
    // The workers' programs are found by the document's links.
    const links = (await readFile(join(folder, 'index.html'), 'utf8')).match(/<link rel="worker"[^>]*>/g).join('');
    const html = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Benchmarks</title>${links}<script type="module" src="main.js"></script></html>\n`;
    await writeFile(join(folder, BENCH_PAGE), html);
    await cp(join(import.meta.dirname, 'in-page', PEER_PAGE), join(folder, PEER_PAGE));
    return folder;
}
