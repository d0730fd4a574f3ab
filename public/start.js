// Starts the page's program. Until it has taken over, the document shows what index.html has.
const base = new URL(document.baseURI).pathname;
const firstPaint = document.getElementById('first-paint');
const show = (id) => {
    for (const part of ['home', 'loading', 'unsupported', 'no-webassembly']) {
        document.getElementById(part).hidden = part !== id;
    }
};

/** The URLs that a script may be loaded from: those that the document names in its head, and the service worker's. */
const scripts = new Set([
    ...[...document.querySelectorAll('head > link[rel=program], head > link[rel=worker]')].map(({ href }) => href),
    new URL('service-worker.js', document.baseURI).href,
]);
// The one policy by which text becomes a script or markup, where the browser asks for one (Trusted Types). Markup is what the program makes of its
// own constant texts: no script, no attribute that runs one.
globalThis.trustedTypes?.createPolicy('default', {
    createScriptURL: (url) => scripts.has(new URL(url, document.baseURI).href) ? url : null,
    createHTML: (html) => /<(script|iframe|object|embed|base|link|meta)|\son\w+\s*=|javascript:|srcdoc/i.test(html) ? null : html,
});

/** Marks the navigation's link to the page that is shown, or to the one above it. The program calls it whenever it shows another page. */
const markCurrent = (path) => {
    for (const link of document.querySelectorAll('nav a')) {
        const isCurrent = link.pathname === path || (link.pathname !== base && path.startsWith(`${link.pathname}/`));
        if (isCurrent) link.setAttribute('aria-current', 'page');
        else link.removeAttribute('aria-current');
    }
};

/** The link in the document's head to one of the program's files. It has the integrity that the file must have. */
const file = (ending) => [...document.querySelectorAll('head > link[rel=program]')].find(({ href }) => new RegExp(`/app(-[0-9a-f]+)?${ending}$`).test(href));

/** Loads a module and has its integrity checked, by an element: `import` cannot do that, and WebKit does not for `modulepreload`. */
const load = ({ href, integrity }) => new Promise((resolve, reject) => {
    const script = document.createElement('script');
    Object.assign(script, { type: 'module', integrity, crossOrigin: 'anonymous', src: href });
    script.addEventListener('load', () => resolve(import(href)));
    script.addEventListener('error', () => reject(new Error(`${href} cannot be loaded`)));
    document.head.append(script);
});

/** Asks the registration authority for its configuration, as the program would: the answer comes while the program does. */
const askForConfiguration = () => {
    const { content } = document.querySelector('meta[name=keyside-gateway]');
    const headers = { Accept: 'application/json' };
    const answer = fetch(`${content.replace(/\/+$/, '')}/api/v1/configuration`, { cache: 'no-store', headers, signal: AbortSignal.timeout(20_000) });
    // The program tells the user of the fault.
    answer.catch(() => undefined);
    return answer;
};

/** Resolves in a task of its own: in between, the browser answers whoever presses a key or a link. */
const pause = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// What has been removed meanwhile, or a passphrase, must not come back with a page that the browser has kept in its memory.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
document.getElementById('skip-link').addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
});
document.getElementById('unsupported').className = '';
show(location.pathname === base ? 'home' : 'loading');
markCurrent(location.pathname);

let fetchAhead;
if (typeof WebAssembly === 'undefined') {
    show('no-webassembly');
} else {
    try {
        // AbortSignal.timeout is the youngest of what the program needs of a browser: without it the program would stop half-way.
        const configuration = askForConfiguration();
        const wasm = file('_bg\\.wasm');
        const get = (cache) => fetch(wasm.href, { integrity: wasm.integrity, cache });
        // What the browser has kept may be damaged.
        const code = get('default').catch(() => get('reload'));
        // It is waited for below, if it comes to that.
        code.catch(() => undefined);
        const program = await load(file('\\.js'));
        await program.default({ module_or_path: code });
        // The code of this very page, so that its view takes the place of the first paint at once.
        await program.load(location.pathname.slice(base.length));
        await pause();
        // Nothing is painted in between. Whoever has gone to a link of the first paint with the keyboard already stays there.
        const focused = firstPaint.contains(document.activeElement) && document.activeElement.href;
        program.mount(markCurrent, configuration);
        firstPaint.remove();
        if (focused) {
            setTimeout(() => [...document.querySelectorAll('main a')].find(({ href }) => href === focused)?.focus());
        }
        fetchAhead = program.fetch_ahead;
    } catch (error) {
        console.error(error);
        show('unsupported');
    }
}

// The code of all other pages is loaded, and the page's own files are kept for use without a network, once the user has been here for this long,
// in milliseconds: it takes processor and link, which must not be missing to someone who goes on to the next page at once.
const REST = 3000;
await pause(REST);
// Safari has no such callback, and where the page is hidden it may not come.
const whenIdle = window.requestIdleCallback ?? ((run) => run());
await new Promise((resolve) => whenIdle(resolve, { timeout: REST }));
fetchAhead?.();
if ('serviceWorker' in navigator) {
    navigator.serviceWorker
        .register(new URL('service-worker.js', document.baseURI), { updateViaCache: 'none' })
        .catch((error) => console.info('The page will not open without a network:', error.message));
}
