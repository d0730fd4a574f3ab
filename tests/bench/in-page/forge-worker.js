// node-forge's own key generation, in JavaScript alone: neither WebCrypto nor its helpers' workers.
import forge from 'node-forge';

forge.options.usePureJavaScript = true;

self.onmessage = ({ data: bits }) => {
    // Without a callback it is the synchronous generator.
    forge.pki.rsa.generateKeyPair({ bits, e: 0x10001 });
    self.postMessage('done');
};
self.postMessage('ready');
