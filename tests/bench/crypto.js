// How long requests, sealed keys and PKCS#12 files take: Keyside, node-forge and @peculiar/x509 with WebCrypto, in turns in one page.
import { parseArgs } from 'node:util';

import { Bench } from './interleave.js';
import { OUTPUT, machine, milliseconds, report, table } from './report.js';
import { mean, median, quantile } from './statistics.js';

const { values: options } = parseArgs({
    options: {
        ...OUTPUT,
        runs: { type: 'string', default: '20' },
        browser: { type: 'string', multiple: true, default: ['chromium', 'firefox'] },
    },
});
const RUNS = Number(options.runs);
/** node-forge takes seconds for 600,000 iterations. */
const runsOf = (operation, library) => (library === 'node-forge' && operation.includes('PBKDF2') ? Math.max(2, Math.round(RUNS / 10)) : RUNS);
const [results, browsers, rows] = [[], [], []];

for (const browser of options.browser) {
    const bench = await Bench.start(browser);
    browsers.push(bench.name);
    try {
        const operations = await bench.page.evaluate(() => window.bench.libraries);
        for (const [operation, libraries] of Object.entries(operations)) {
            console.error(`${bench.name}: ${operation}`);
            const contestants = Object.fromEntries(libraries.map((library) => [library, runsOf(operation, library)]));
            const times = await Bench.takeTurns(contestants, (library) => bench.call('crypto', 'call', operation, library));
            for (const [library, values] of Object.entries(times)) {
                results.push({ browser, operation, library, runs: values.length, mean_ms: mean(values) });
                rows.push([bench.name, operation, library, values.length, ...[mean(values), median(values), quantile(values, 0.95)].map(milliseconds)]);
            }
        }
    } finally {
        await bench.stop();
    }
}
await report('crypto', options, results, [
    `${machine(browsers)}; RSA with 2048 bits.`,
    table(['browser', 'operation', 'library', 'runs', 'mean ms', 'median ms', 'p95 ms'], rows),
]);
