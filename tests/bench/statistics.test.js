// The numbers that the benchmarks report, on values whose answers are known.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mean, median, quantile, ratioOfMeans } from './statistics.js';

test('mean, median and quantile', () => {
    const values = [9, 1, 5, 3, 7, 11];
    assert.equal(mean(values), 6);
    assert.equal(median(values), 6);
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4]), 4);
    assert.equal(quantile(values, 0.95), 11);
    assert.equal(quantile(values, 0.5), 5);
    assert.equal(quantile(Array.from({ length: 100 }, (_, index) => index + 1), 0.95), 95);
});

test('the interval of a ratio is there where it should be', () => {
    assert.deepEqual(ratioOfMeans([6, 6, 6], [3, 3, 3]), { ratio: 2, low: 2, high: 2 });
    const spread = Array.from({ length: 100 }, (_, index) => index + 50);
    const { ratio, low, high } = ratioOfMeans(spread.map((value) => 2 * value), spread);
    assert.equal(ratio, 2);
    // A mean's standard error is 2.9 % here, a ratio's 4.1 %.
    assert.ok(low > 1.8 && low < 1.9 && high > 2.1 && high < 2.25, `${low} to ${high}`);
    assert.deepEqual(ratioOfMeans(spread, [1, 2]), ratioOfMeans(spread, [1, 2]));
});
