// What every benchmark prints and writes.
import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Rows of cells as a Markdown table, its columns aligned; numbers stand to the right. */
export function table(heads, rows) {
    const cells = [heads, ...rows].map((row) => row.map(String));
    const widths = heads.map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
    const right = heads.map((_, column) => rows.length > 0 && rows.every((row) => /^[\d\s.,–—-]+/.test(String(row[column]))));
    const line = (row) => `| ${row.map((cell, column) => (right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join(' | ')} |`;
    const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${right[column] ? ':' : '-'}`).join('|')}|`;
    return [line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n');
}

/** Where it was measured. */
export const machine = (browsers) => `${browsers.join(', ')}; ${cpus().length} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}`;

export const milliseconds = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

/** The options that every benchmark has. */
export const OUTPUT = { json: { type: 'string' }, markdown: { type: 'string' } };

/**
 * Prints `paragraphs`; writes `results` as JSON where a file for it is named, and puts the paragraphs into the Markdown file that is named,
 * between the marks of the benchmark `name`.
 */
export async function report(name, { json, markdown }, results, paragraphs) {
    const text = paragraphs.join('\n\n');
    console.log(`\n${text}`);
    if (json) await writeFile(json, `${JSON.stringify(results, undefined, 2)}\n`);
    if (!markdown) return;
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [before, inside] = (await readFile(markdown, 'utf8')).split(begin);
    const after = inside?.split(end)[1];
    if (after === undefined) throw new Error(`${markdown} has no place between ${begin} and ${end}`);
    await writeFile(markdown, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}
