// Install and connect: guides, commands and programs with the names of the user's own files.

/** The heading of the first guide. */
export function firstGuide(tab) {
    return tab.evaluate(() => document.querySelector('#install ~ .card h3').textContent);
}

/** Waits until the commands name this file. */
export async function names(tab, file) {
    await tab.until((file) => document.querySelector('#curl-pkcs12').textContent.includes(file), file);
}

/** The names of the user's files, as the page lists them. */
export function files(tab) {
    return tab.evaluate(() => [...document.querySelectorAll('#whose ~ dl dd')].map((detail) => detail.textContent));
}

/** The commands and programs, by their IDs. */
export function snippets(tab) {
    return tab.evaluate(() => Object.fromEntries([...document.querySelectorAll('.copyable')].map((block) => [block.id, block.textContent])));
}

/** Waits for the answer to a press on Copy beside the snippet with this ID. */
export async function copied(tab, id) {
    await tab.until((id) => /Copied|select the text/.test(document.querySelector(`#${id} + .actions [role=status]`).textContent), id);
}

/** The link that has the focus. */
export function focusedLink(tab) {
    return tab.evaluate(() => {
        const { href, target, rel } = document.activeElement;
        return { href, target, rel };
    });
}
