// Trust: the CA's certificates, its documents, and the CAs that are no longer used.

/** The certificates in a section: each one's name, and its particulars by their terms. */
export function certificates(tab, heading) {
    return tab.evaluate((heading) => {
        const section = [...document.querySelectorAll('section')].find((section) => section.querySelector('h2').textContent === heading);
        return [...section.querySelectorAll('.card')].map((card) => [
            card.querySelector('h3').textContent,
            Object.fromEntries([...card.querySelectorAll('dt')].map((term) => [term.textContent, term.nextElementSibling.textContent])),
        ]);
    }, heading);
}

/** The links to documents, as pairs of text and address. */
export function documents(tab) {
    return tab.evaluate(() => [...document.querySelectorAll('main li a')].map((link) => [link.textContent, link.href]));
}

/** How many buttons there are beside the CAs that are no longer used. */
export function buttonsBesideRetired(tab) {
    return tab.evaluate(() => document.querySelectorAll('#retired ~ * button').length);
}

/** Waits for the buttons; gives the text of the first. */
export function firstButton(tab) {
    return tab.until(() => document.querySelector('main button')?.textContent.trim());
}
