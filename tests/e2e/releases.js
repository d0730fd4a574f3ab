// A second release of the page, made of the first: all its programs say that they are of another build, and have other names.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A name with the hash of the file's contents, in three parts. */
const HASHED = /^(.+-)[0-9a-f]{16}((?:_bg)?\.\w+)$/;
/** What `crates/core/build.rs` calls a build. Names of the same length leave the programs as they are otherwise. */
const BUILD = /build-[0-9a-f]{16}/g;
/** A custom section (WebAssembly, section 5.5.3): each program gets one, so that its contents and its name change. */
const CUSTOM_SECTION = Buffer.from([0, 2, 1, 120]);

const digest = (contents) => createHash('sha384').update(contents).digest();

/** Makes it of the page in `folder`, in the folder `second`. */
export async function makeSecondRelease(folder, second) {
    await rm(second, { recursive: true, force: true });
    await mkdir(second);
    const names = (await readdir(folder)).filter((name) => !/\.(br|gz)$/.test(name));
    const renamed = [];
    const rename = (text) => renamed.reduce((text, [from, to]) => text.replaceAll(from, to), text);
    // Scripts name WebAssembly, and the document names both.
    for (const end of ['.wasm', '.js', '.css', '.svg', '.html']) {
        for (const name of names.filter((name) => name.endsWith(end))) {
            const first = await readFile(join(folder, name));
            const contents = end === '.wasm'
                ? Buffer.concat([Buffer.from(first.toString('latin1').replaceAll(BUILD, `build-${'f'.repeat(16)}`), 'latin1'), CUSTOM_SECTION])
                : Buffer.from(rename(first.toString()));
            const hashed = name.match(HASHED);
            const to = hashed ? hashed[1] + digest(contents).toString('hex').slice(0, 16) + hashed[2] : name;
            renamed.push([name, to], [digest(first).toString('base64'), digest(contents).toString('base64')]);
            await writeFile(join(second, to), contents);
        }
    }
    return second;
}
