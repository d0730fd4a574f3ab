// What the benchmarks call in their page.
import { derivations, operations } from './crypto.js';
import { generators } from './keygen.js';

// The gateway's policy lets no text become a script without one of these. The benchmarks' workers have constant names.
globalThis.trustedTypes?.createPolicy('default', { createScriptURL: (url) => url });

const call = (operation, library) => operations[operation][library]();
const libraries = Object.fromEntries(Object.entries(operations).map(([operation, ways]) => [operation, Object.keys(ways)]));

window.bench = { generators, derivations, crypto: { call }, libraries };
