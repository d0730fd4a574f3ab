// Keeps the page's own files for use without a network. The network always comes first, so nobody is left on an old version; the API is
// never answered from here.
const CACHE = 'keyside';
const scope = new URL(self.registration.scope);
// The workers' files have no hash in their names, and the document does not mention them. They are kept before anyone uses them: without a
// network it is too late.
const WORKER_FILES = ['worker', 'certificates', 'inspector'].flatMap((name) => [`${name}_loader.js`, `${name}.js`, `${name}_bg.wasm`]);

// Brings the cache to what `document` needs. Files with a hash in their names never change, so those that are kept stay.
const keep = async (document) => {
    const cache = await caches.open(CACHE);
    const html = await document.clone().text();
    // Another answer than the page, such as a proxy's notice or a file that was opened by itself, must not take its place.
    const isHtml = document.headers.get('content-type')?.startsWith('text/html');
    if (!isHtml || !html.includes('<meta name="keyside-gateway"')) {
        return;
    }
    const [head] = html.split('</head>');
    const address = (file) => new URL(file, scope).href;
    // With the integrity that each must have, where the document tells it: nothing else may be kept under its name.
    const wanted = new Map(WORKER_FILES.map((file) => [address(file), undefined]));
    for (const [tag, file] of head.matchAll(/<(?:link|script)\b[^>]*\b(?:href|src)="([^"#]+)"[^>]*>/g)) {
        wanted.set(address(file), tag.match(/\bintegrity="([^"]+)"/)?.[1]);
    }
    for (const url of wanted.keys()) {
        if (!url.startsWith(scope.origin) || url === scope.href) wanted.delete(url);
    }
    const changing = new Set(WORKER_FILES.map(address));
    const kept = new Set((await cache.keys()).map((request) => request.url));
    const missing = [...wanted].filter(([url]) => changing.has(url) || !kept.has(url));
    await cache.addAll(missing.map(([url, integrity]) => new Request(url, { cache: 'no-cache', integrity })));
    await cache.put(scope.href, document);
    const old = [...kept].filter((url) => url !== scope.href && !wanted.has(url));
    await Promise.all(old.map((url) => cache.delete(url)));
};

const install = async () => {
    await keep(await fetch(scope, { cache: 'no-cache' }));
    await self.skipWaiting();
};

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
    const { request } = event;
    const url = new URL(request.url);
    const own = url.origin === scope.origin && url.pathname.startsWith(scope.pathname);
    const elsewhere = /^(api|console|pki|problems)(\/|$)/.test(url.pathname.slice(scope.pathname.length));
    if (request.method !== 'GET' || !own || elsewhere) {
        return;
    }
    const isDocument = request.mode === 'navigate';
    const answer = async () => {
        const kept = async () => (await caches.open(CACHE)).match(isDocument ? scope.href : request.url);
        try {
            const response = await fetch(request);
            // A proxy in front of a server that is down answers in its place.
            if ([502, 503, 504].includes(response.status)) {
                return (await kept()) ?? response;
            }
            if (isDocument && response.ok) {
                // Not waited for: the page comes first. What cannot be kept now is kept next time.
                event.waitUntil(keep(response.clone()).catch(() => undefined));
            }
            return response;
        } catch (error) {
            const response = await kept();
            if (response) {
                return response;
            }
            throw error;
        }
    };
    event.respondWith(answer());
});
