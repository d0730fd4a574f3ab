// Starts the page: imports the module and instantiates the WebAssembly that the build names in the document's links.
const module = document.querySelector('link[rel="modulepreload"]').href;
const wasm = document.querySelector('link[as="fetch"]');

document.getElementById('loading').hidden = false;
try {
    const code = fetch(wasm.href, { integrity: wasm.integrity });
    const { default: init } = await import(module);
    await init({ module_or_path: code });
    document.getElementById('loading').remove();
    document.getElementById('unsupported').remove();
} catch (error) {
    console.error(error);
    document.getElementById('loading').hidden = true;
    document.getElementById('unsupported').hidden = false;
}

// Keeps the page's own files, so that a certificate can be collected again without a network.
if ('serviceWorker' in navigator) {
    navigator.serviceWorker
        .register(new URL('service-worker.js', document.baseURI), { updateViaCache: 'none' })
        .catch((error) => console.info('The page will not open without a network:', error.message));
}
