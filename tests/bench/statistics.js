// What is said about measured times.

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The value that this part of all values does not exceed (nearest rank). */
export function quantile(values, part) {
    const sorted = values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}

export function median(values) {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = sorted.length / 2;
    return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** Random numbers that are the same in each run (mulberry32), so that the same times give the same interval. */
function* numbers() {
    let state = 1;
    for (;;) {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    }
}

/**
 * The ratio of the means of `values` and `reference`, and where it lies with 95 % confidence: both are drawn anew, with replacement,
 * and the middle 95 % of the ratios are kept (percentile bootstrap).
 */
export function ratioOfMeans(values, reference) {
    const random = numbers();
    const drawn = (from) => mean(from.map(() => from[Math.floor(random.next().value * from.length)]));
    const ratios = Array.from({ length: 5000 }, () => drawn(values) / drawn(reference));
    return { ratio: mean(values) / mean(reference), low: quantile(ratios, 0.025), high: quantile(ratios, 0.975) };
}
