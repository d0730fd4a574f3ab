// Measures several ways of doing the same, in turns, in one page.
import { Browser } from '../e2e/browser.js';
import { Gateway } from '../e2e/gateway.js';
import { BENCH_PAGE, makeSite } from './site.js';

/** How long one turn may take, in milliseconds: node-forge's largest keys take minutes. A bound for what hangs, not a measure. */
const PATIENCE = 1_200_000;

/** A browser with the benchmarks' page open. */
export class Bench {
    static async start(kind) {
        const bench = new Bench();
        bench.gateway = await Gateway.start({ folder: await makeSite() });
        bench.browser = await Browser.start({ as: kind, patience: PATIENCE });
        bench.name = `${kind === 'firefox' ? 'Firefox' : 'Chromium'} ${(await bench.browser.engine.version()).split('/').pop()}`;
        bench.page = await bench.browser.engine.newPage();
        const failed = new Promise((_, reject) => bench.page.once('pageerror', reject));
        await bench.page.goto(new URL(BENCH_PAGE, bench.gateway.url).href);
        await Promise.race([bench.page.waitForFunction(() => window.bench), failed]);
        return bench;
    }

    /** Calls `window.bench[suite][name](...parameters)`. */
    call(suite, name, ...parameters) {
        return this.page.evaluate((suite, name, parameters) => window.bench[suite][name](...parameters), suite, name, parameters);
    }

    /**
     * Takes turns: in each round every contestant has one, and who begins changes from round to round. `contestants` gives for each
     * name how often it is measured; one that is measured less often than others has its turns in rounds all over the run. `turn` measures
     * once. The first round does not count. Gives each one's results.
     */
    static async takeTurns(contestants, turn, onRound = () => {}) {
        const names = Object.keys(contestants);
        const results = Object.fromEntries(names.map((name) => [name, []]));
        const rounds = Math.max(...Object.values(contestants));
        for (let round = 0; round <= rounds; round++) {
            const first = round % names.length;
            for (const name of [...names.slice(first), ...names.slice(0, first)]) {
                if (round > 0 && results[name].length >= Math.floor((round * contestants[name]) / rounds)) continue;
                const result = await turn(name);
                if (round > 0) results[name].push(result);
            }
            onRound(round);
        }
        return results;
    }

    async stop() {
        await this.browser?.stop();
        await this.gateway?.stop();
    }
}
