// The connection check's own page: whether the certificate that the browser shows works.

/** The verdict, and the particulars of the certificate by their terms. */
export function seen(tab) {
    return tab.evaluate(() => [
        document.querySelector('#verdict').textContent,
        Object.fromEntries([...document.querySelectorAll('dt')].map((term) => [term.textContent, term.nextElementSibling.textContent])),
    ]);
}
