// What must not leave, and the search for it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';

import { run } from './judges.js';

/** The passphrase, and the parts of the private key in a PKCS#12 file, as bytes. */
export async function secretsOf(pfx, passphrase) {
    const pem = await run('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${passphrase}`, '-nodes', '-nocerts');
    const text = await rsaText(pem);
    const part = (name) => {
        const digits = text.match(new RegExp(`^${name}:\\s*((?:[0-9a-f]{2}:?\\s*)+)`, 'm'))?.[1];
        assert.ok(digits, `openssl shows ${name}`);
        const bytes = Buffer.from(digits.replace(/[^0-9a-f]/g, ''), 'hex');
        // A stretch from the middle: the ends may be padded or cut off in some encoding.
        return bytes.subarray(16, 48);
    };
    return {
        passphrase,
        'the private exponent': part('privateExponent'),
        'the first prime': part('prime1'),
        'the second prime': part('prime2'),
    };
}

async function rsaText(pem) {
    return new Promise((resolve, reject) => {
        const child = execFile('openssl', ['rsa', '-noout', '-text'], (error, stdout) => (error ? reject(error) : resolve(stdout)));
        child.stdin.end(pem);
    });
}

/** The stretches of base64 that `bytes` contains wherever it stands in a longer text: one for each alignment. */
function base64Stretches(bytes) {
    return [0, 1, 2].map((shift) => {
        const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').replace(/=+$/, '');
        // The first and the last symbols mix with their neighbours.
        return encoded.slice(shift === 0 ? 0 : 4, encoded.length - (encoded.length % 4 || 4));
    });
}

/** Where which secret appears: raw, as hexadecimal, base64, URL-encoded or UTF-16. */
export function appearancesOf(secrets, places) {
    const found = [];
    for (const [name, secret] of Object.entries(secrets)) {
        if (!secret) continue;
        const bytes = Buffer.from(secret);
        const needles = [bytes, bytes.toString('hex'), bytes.toString('hex').toUpperCase(), ...base64Stretches(bytes)];
        if (typeof secret === 'string') {
            needles.push(encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), Buffer.from(secret, 'utf16le'), Buffer.from(secret, 'utf16le').swap16());
        }
        for (const [place, content] of Object.entries(places)) {
            const haystack = Buffer.from(content);
            if (needles.some((needle) => haystack.includes(needle))) found.push(`${name} in ${place}`);
        }
    }
    return found;
}
