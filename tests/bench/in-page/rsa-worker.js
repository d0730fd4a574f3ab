// The plain crate `rsa` in one worker.
import init, { generate } from './rsa.js';

await init();
self.onmessage = ({ data: bits }) => {
    generate(bits);
    self.postMessage('done');
};
self.postMessage('ready');
