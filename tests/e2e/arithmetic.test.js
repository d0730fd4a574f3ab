// The arithmetic in which primes are tested: fused multiply-add where browser and processor have it, integers elsewhere. Keys are made either way.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

import { kind } from './browser.js';
import { PASSPHRASE, site } from './fixture.js';
import { register } from './pages/register.js';

const { test, gateway, browser, another } = site();

/** A module with one relaxed multiply-add (the WebAssembly specification's binary format: opcode 0xFD, 0x107). */
const RELAXED = [
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b, 0x03, 0x02, 0x01, 0x00,
    0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x87, 0x02, 0x0b,
];

/** True if the browser takes a module with that instruction. */
const takesRelaxed = (tab) => tab.evaluate((bytes) => WebAssembly.validate(new Uint8Array(bytes)), RELAXED);

/** The words of each worker that searches for primes: true if it tests them with fused multiply-add. */
const saidByWorkers = async (tab) => (await tab.crossed())
    .filter(({ from, text }) => from === 'worker' && ['true', 'false'].includes(text))
    .map(({ text }) => text === 'true');

/** Makes a key in this browser, in which the search is fused or not. */
async function makesKey(browser, areFused) {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Ada Example', passphrase: PASSPHRASE });
    const said = await saidByWorkers(tab);
    assert.ok(said.length > 0, 'no worker has searched');
    assert.deepEqual(said, said.map(() => areFused));
}

test('primes are tested with fused multiply-add, where the processor has it', { needs: 'scripts before the page' }, async () => {
    const processor = await readFile('/proc/cpuinfo', 'utf8');
    const areFused = process.arch === 'arm64' || /^flags\s*:.* fma( |$)/m.test(processor);
    await makesKey(browser, areFused);
});

test('without it, primes are tested in integers', { needs: 'scripts before the page' }, async () => {
    const without = kind === 'firefox'
        ? { preferences: { 'javascript.options.wasm_relaxed_simd': false } }
        : { scriptFlags: ['--no-enable-fma3'] };
    const other = await another(without);
    await makesKey(other, false);
    // Firefox refuses the instruction here; Chromium rounds twice.
    assert.equal(await takesRelaxed(await other.tab()), kind !== 'firefox');
});

test('a browser without relaxed SIMD makes keys as well', async () => {
    const tab = await browser.tab();
    await register(tab, gateway.url, { name: 'Ada Example', passphrase: PASSPHRASE });
    assert.equal(await takesRelaxed(tab), kind !== 'webkit');
});
