// Starts the page: of the three programs that it comes as, the one that has the page at this address. Until that is there, the document
// shows what index.html has.
// src/ui/programs.rs has the same table.
const PROGRAMS = new Map([['', 'app'], ['collect', 'app'], ['register', 'register'], ['submitted', 'register']]);
const base = new URL(document.baseURI).pathname;
const program = PROGRAMS.get(location.pathname.slice(base.length).split('/')[0]) ?? 'more';
const firstPaint = document.getElementById('first-paint');
const show = (id) => {
    for (const part of ['home', 'loading', 'unsupported']) {
        document.getElementById(part).hidden = part !== id;
    }
};

/** The link in the document's head that names one of the program's files; it has the integrity that the file must have. */
const file = (ending) => {
    const name = new RegExp(`/${program}(-[0-9a-f]+)?${ending}$`);
    return [...document.querySelectorAll('head > link')].find(({ href }) => name.test(href));
};

/** Loads a module and has its integrity checked: a link of this kind can have that done, `import` cannot. */
const load = ({ href, integrity }) => new Promise((resolve, reject) => {
    const link = document.createElement('link');
    if (!link.relList.supports('modulepreload')) {
        resolve(import(href));
        return;
    }
    Object.assign(link, { rel: 'modulepreload', href, integrity, crossOrigin: 'anonymous' });
    link.addEventListener('load', () => resolve(import(href)));
    link.addEventListener('error', () => reject(new Error(`${href} cannot be loaded`)));
    document.head.append(link);
});

/** Whether a link of this page led here: the heading then takes the focus, as it does between pages of one program. */
const isFollowed = () => {
    const FOLLOWED = 'keyside-followed';
    try {
        const followed = sessionStorage.getItem(FOLLOWED);
        addEventListener('click', ({ target }) => {
            const link = target.closest?.('a');
            if (link) sessionStorage.setItem(FOLLOWED, link.href);
        });
        return followed === location.href && performance.getEntriesByType('navigation')[0]?.type === 'navigate';
    } catch {
        // A browser that keeps nothing.
        return false;
    }
};

// What has been removed meanwhile, or a passphrase, must not come back with a page that the browser has kept in its memory.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

const byLink = isFollowed();
document.getElementById('unsupported').className = '';
show(location.pathname === base ? 'home' : 'loading');
for (const link of firstPaint.querySelectorAll('nav a')) {
    if (link.pathname === location.pathname || (link.pathname !== base && location.pathname.startsWith(`${link.pathname}/`))) {
        link.setAttribute('aria-current', 'page');
    }
}
try {
    const wasm = file('_bg\\.wasm');
    const get = (cache) => fetch(wasm.href, { integrity: wasm.integrity, cache });
    // What the browser has kept may be damaged.
    const code = get('default').catch(() => get('reload'));
    // It is waited for below, if it comes to that.
    code.catch(() => undefined);
    const { default: init, mount } = await load(file('\\.js'));
    await init({ module_or_path: code });
    // A task of its own: in between, the browser answers whoever presses a key or a link.
    await new Promise((resolve) => setTimeout(resolve));
    // Nothing is painted in between. Whoever has gone to a link with the keyboard already stays there.
    const focused = firstPaint.contains(document.activeElement) && document.activeElement;
    mount(byLink && !focused);
    firstPaint.remove();
    if (focused) {
        const part = focused.closest('main') ? 'main' : 'header';
        setTimeout(() => [...document.querySelectorAll(`${part} a`)].find(({ href }) => href === focused.href)?.focus());
    }
} catch (error) {
    console.error(error);
    show('unsupported');
}

// Keeps the page's own files, so that a certificate can be collected again without a network. That loads them all, and takes processor and
// link from whoever goes on to the next page at once: so it begins on the page on which somebody stays for this long, in milliseconds.
const REST = 3000;
if ('serviceWorker' in navigator) {
    await new Promise((resolve) => setTimeout(resolve, REST));
    navigator.serviceWorker
        .register(new URL('service-worker.js', document.baseURI), { updateViaCache: 'none' })
        .catch((error) => console.info('The page will not open without a network:', error.message));
}
