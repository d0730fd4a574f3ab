// How long a key pair takes: Keyside, WebCrypto, the plain crate rsa and node-forge, in turns in one page.
import { parseArgs } from 'node:util';

import { Bench } from './interleave.js';
import { OUTPUT, machine, milliseconds, report, table } from './report.js';
import { mean, median, quantile, ratioOfMeans } from './statistics.js';

const { values: options } = parseArgs({
    options: {
        ...OUTPUT,
        keys: { type: 'string', default: '30' },
        bits: { type: 'string', multiple: true, default: ['2048', '3072', '4096'] },
        browser: { type: 'string', multiple: true, default: ['chromium', 'firefox'] },
    },
});
const KEYS = Number(options.keys);
/** Of those whose ratio is far from 1 fewer keys tell enough: one of 4096 bits takes node-forge half a minute. */
const share = (divisor) => Math.max(2, Math.round(KEYS / divisor));
const RSA_DIVISOR = 10;
const FORGE_DIVISORS = { 2048: 20, 3072: 40, 4096: 100 };
/** A worker that starts is short against a key; the start is told apart. */
const starts = [];
const [results, browsers, rows] = [[], [], []];

for (const browser of options.browser) {
    const bench = await Bench.start(browser);
    browsers.push(bench.name);
    try {
        for (const bits of options.bits.map(Number)) {
            const contestants = { keyside: KEYS, 'keyside in integers': KEYS, webcrypto: KEYS, rsa: share(RSA_DIVISOR), 'node-forge': share(FORGE_DIVISORS[bits]) };
            const times = await Bench.takeTurns(contestants, (generator) => bench.call('generators', generator, bits), (round) => {
                console.error(`${bench.name}, ${bits} bits: round ${round} of ${KEYS}`);
            });
            const reference = times.webcrypto.map(({ milliseconds }) => milliseconds);
            for (const [generator, turns] of Object.entries(times)) {
                const values = turns.map(({ milliseconds }) => milliseconds);
                const { ratio, low, high } = ratioOfMeans(values, reference);
                results.push({ browser, bits, generator, keys: values.length, mean_ms: mean(values), ratio_to_webcrypto: ratio });
                const interval = generator === 'webcrypto' ? '' : `${low.toFixed(2)}–${high.toFixed(2)}`;
                rows.push([bench.name, bits, generator, values.length, ...[mean(values), median(values), quantile(values, 0.95)]
                    .map(milliseconds), ratio.toFixed(2), interval]);
            }
            const of = (part) => times.keyside.map((turn) => turn[part]);
            starts.push([bench.name, bits, ...[mean(of('start')), median(of('start')), mean(of('job')), quantile(of('job'), 0.95)].map(milliseconds)]);
        }
    } finally {
        await bench.stop();
    }
}
await report('keygen', options, results, [
    `${machine(browsers)}.`,
    table(['browser', 'bits', 'generator', 'keys', 'mean ms', 'median ms', 'p95 ms', 'ratio to WebCrypto', '95 % interval'], rows),
    'Keyside’s worker, from its start to Ready, and the whole job (key, request, sealing):',
    table(['browser', 'bits', 'start mean ms', 'start median ms', 'job mean ms', 'job p95 ms'], starts),
]);
