// The document around the pages, and what it keeps.

/** Waits until it says that the page cannot start: after ten seconds, if nothing came before. */
export async function cannotStart(tab) {
    await tab.until(() => document.querySelector('#unsupported')?.checkVisibility());
}

/** Waits until it says that WebAssembly is switched off. */
export async function hasNoWebAssembly(tab) {
    await tab.until(() => document.querySelector('#no-webassembly')?.checkVisibility());
}

/** Leaves a mark that goes with the document. */
export async function mark(tab) {
    await tab.evaluate(() => { window.marked = true; });
}

/** Whether this is the document that was marked. */
export function isMarked(tab) {
    return tab.evaluate(() => window.marked === true);
}

/** Waits until that document is gone, and another one is there. */
export async function isReplaced(tab) {
    await tab.until(() => !window.marked);
}

/** Whether code ran that `tampered` has put into a script. */
export function ranTampered(tab) {
    return tab.evaluate(() => window.tampered === true);
}

/** Code to put at the end of a script, that `ranTampered` sees. */
export const TAMPERED_SCRIPT = '\n;globalThis.tampered = true;\n';

/** Lets the page believe that so many milliseconds have passed. */
export async function passTime(tab, milliseconds) {
    await tab.evaluate((milliseconds) => {
        const now = Date.now;
        Date.now = () => now() + milliseconds;
    }, milliseconds);
}

/** The names of the program files that the document has loaded it from. */
export function programs(tab) {
    return tab.evaluate(() => [...document.querySelectorAll('link[rel=program]')].map(({ href }) => href.split('/').pop()));
}

/** Adds a link to the page, which is followed as any other. */
export async function addLink(tab, text, href) {
    await tab.evaluate((text, href) => {
        const link = document.createElement('a');
        Object.assign(link, { href, textContent: text });
        document.querySelector('main').append(link);
    }, text, href);
}

/** Empties all stores of IndexedDB, as another tab of the page may. */
export async function clearStores(tab) {
    await tab.evaluate(() => new Promise((resolve, reject) => {
        const opening = indexedDB.open('keyside');
        opening.onerror = reject;
        opening.onsuccess = () => {
            const database = opening.result;
            const names = [...database.objectStoreNames];
            const transaction = database.transaction(names, 'readwrite');
            names.forEach((name) => transaction.objectStore(name).clear());
            transaction.oncomplete = () => resolve(database.close());
        };
    }));
}

/** Deletes the page's database. In this document its creation never ends. */
export async function deleteDatabase(tab) {
    await tab.evaluate(() => new Promise((resolve, reject) => {
        const create = IDBDatabase.prototype.createObjectStore;
        IDBDatabase.prototype.createObjectStore = function (...parameters) {
            window.isCreating = true;
            const store = create.apply(this, parameters);
            // A transaction ends with its last request.
            const ask = () => { store.get(0).onsuccess = ask; };
            ask();
            return store;
        };
        const deleting = indexedDB.deleteDatabase('keyside');
        deleting.onsuccess = resolve;
        deleting.onerror = reject;
    }));
}

/** Waits until that document is creating the database. */
export async function isCreatingDatabase(tab) {
    await tab.until(() => window.isCreating);
}

/** Waits until no service worker is registered or being installed. */
export async function hasNoServiceWorker(tab) {
    await tab.until(async () => (await navigator.serviceWorker.getRegistrations()).length === 0);
}

/** The media types under which files that end so are kept for use without a network. */
export function keptTypes(tab, end) {
    return tab.evaluate(async (end) => {
        const cache = await caches.open('keyside');
        const kept = (await cache.keys()).filter(({ url }) => url.endsWith(end));
        const types = await Promise.all(kept.map(async (request) => (await cache.match(request)).headers.get('content-type')));
        return [...new Set(types)];
    }, end);
}

/**
 * From now on the browser's storage answers with `answer` when it is asked for persistence, and has not promised it before; the page's
 * `persistenceAsked` counts how often it was asked. The prototype is changed: WebKit may forget what was set on `navigator.storage`.
 */
export async function answerPersistence(tab, answer) {
    await tab.evaluate((answer) => {
        window.persistenceAsked = 0;
        StorageManager.prototype.persisted = async () => false;
        StorageManager.prototype.persist = async () => {
            window.persistenceAsked += 1;
            return answer;
        };
    }, answer);
}
