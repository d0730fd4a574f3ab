// What every benchmark prints and writes.
import { writeFile } from 'node:fs/promises';
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

/** Writes `results`, if a file is wanted. */
export async function writeJson(path, results) {
    if (path) await writeFile(path, `${JSON.stringify(results, undefined, 2)}\n`);
}
