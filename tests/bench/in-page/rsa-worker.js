// The plain crate `rsa` in one worker.
import init, { generate } from './rsa.js';

await init({ module_or_path: new URL('rsa_bg.wasm', import.meta.url) });
self.onmessage = ({ data: bits }) => {
    generate(bits);
    self.postMessage('done');
};
self.postMessage('ready');
