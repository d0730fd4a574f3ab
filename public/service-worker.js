// Keeps the page's own files for use without a network. The document comes from the network first, so no one is left on an old release.
// The API is never answered from here.
const CACHE = 'keyside';
const scope = new URL(self.registration.scope);
// A file with a hash in its name never changes.
const HASHED = /-[0-9a-f]{16}(_bg)?\.\w+$/;

/** The URLs of the files that a document names in its head, each with the integrity that the file must have. */
const filesOf = (html) => {
    const [head] = html.split('</head>');
    const files = new Map();
    for (const [tag, file] of head.matchAll(/<(?:link|script)\b[^>]*\b(?:href|src)="([^"#]+)"[^>]*>/g)) {
        const { href, origin } = new URL(file, scope);
        if (origin === scope.origin && href !== scope.href) {
            files.set(href, tag.match(/\bintegrity="([^"]+)"/)?.[1]);
        }
    }
    return files;
};

/** Brings the cache to what `document` needs. */
const keep = async (document) => {
    const html = await document.clone().text();
    // Another answer than the page, such as a proxy's notice or a file that was opened by itself, must not take its place.
    const isHtml = document.headers.get('content-type')?.startsWith('text/html');
    if (!isHtml || !html.includes('<meta name="keyside-gateway"')) {
        return;
    }
    const cache = await caches.open(CACHE);
    const wanted = filesOf(html);
    const kept = new Set((await cache.keys()).map((request) => request.url));
    const missing = [...wanted].filter(([url]) => !kept.has(url) || !HASHED.test(url));
    await cache.addAll(missing.map(([url, integrity]) => new Request(url, { cache: 'no-cache', integrity })));
    const previous = await (await cache.match(scope.href))?.text();
    await cache.put(scope.href, document);
    if (previous !== html) {
        // The previous release stays, for tabs in which it is still open. Older ones go.
        const used = new Set([scope.href, ...wanted.keys(), ...filesOf(previous ?? '').keys()]);
        await Promise.all([...kept].filter((url) => !used.has(url)).map((url) => cache.delete(url)));
    }
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
        if (HASHED.test(url.pathname) && request.cache !== 'reload') {
            const file = await kept();
            if (file) return file;
        }
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
