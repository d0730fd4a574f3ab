// Collect: transaction ID and passphrase in, a file out.

export const READY = 'Your certificate is ready';

/** Tries to collect at the site `url`. */
export async function collect(tab, url, id, passphrase) {
    await tab.open(new URL('collect', url).href);
    await tab.type('Transaction ID', id);
    await tab.type('Pickup Passphrase', passphrase);
    await tab.press('Collect');
}

/** Collects with the passphrase on the page as it is, and waits for the certificate. */
export async function collectHere(tab, passphrase) {
    await tab.type('Pickup Passphrase', passphrase);
    await tab.press('Collect');
    await tab.heading(READY);
}

/** The name of the file that the page says it has saved. */
export function savedName(tab) {
    return tab.until(() => document.querySelector('main .message .quiet')?.textContent);
}

/** Waits until some file is on offer for download. */
export async function offersDownload(tab) {
    await tab.until(() => [...document.querySelectorAll('main a, main button')].some((element) => /Download/.test(element.textContent)));
}
