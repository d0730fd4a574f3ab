// Inspector: a file in, cards with what is in it out.

export const pick = (tab, path) => tab.pick('File', path);

/** The headings of the cards. */
export function found(tab) {
    return tab.evaluate(() => [...document.querySelectorAll('.found h3')].map((heading) => heading.textContent));
}

/** Whether the page asks for the file's passphrase. */
export function asksForPassphrase(tab) {
    return tab.evaluate(() => document.querySelector('#inspect-passphrase') !== null);
}

/** Whether the field with this label is marked as wrong. */
export async function isMarkedWrong(tab, label) {
    return (await tab.field(label)).evaluate((field) => field.getAttribute('aria-invalid') === 'true');
}

/** Waits until so many cards link to a request in this browser, and follows the first. */
export async function goToRequest(tab, count) {
    await tab.until((count) => document.querySelectorAll('.found a[href*="/requests/"]').length === count, count);
    const link = await tab.awaited(() => document.querySelector('.found a[href*="/requests/"]'));
    await link.asElement().click();
}
