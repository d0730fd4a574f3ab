// Register: the certificate type, and the form.
import { transactionId } from './submitted.js';

/** The certificate type that the tests register for. */
export const TYPE = 'Participants & External Users';

/** Fills in the form, wherever it was reached from; does not submit it. */
export async function fillInForm(tab, { name, email = 'ada@example.com', passphrase }) {
    await tab.heading('Certificate Request');
    if (name) await tab.type('Common Name', name);
    if (email) await tab.type('Email Address', email);
    await tab.type('Pickup Passphrase', passphrase);
    await tab.type('Pickup Passphrase Confirmation', passphrase);
}

/** Waits until the form has this authorization code, which its link or the draft has filled in. */
export async function hasCode(tab, code) {
    await tab.holds('Authorization Code', code);
}

/** Types an authorization code into the form, which keeps the field folded until then. */
export async function typeCode(tab, code) {
    const summary = await tab.awaited(() => [...document.querySelectorAll('summary')]
        .find((summary) => summary.textContent === 'I have an authorization code'));
    if (await summary.evaluate((summary) => !summary.parentElement.open)) await summary.asElement().click();
    await tab.type('Authorization Code', code);
}

/** Chooses the certificate type at the site `url` and fills in the form; does not submit it. */
export async function fillIn(tab, url, applicant) {
    await tab.open(new URL('register', url).href);
    await tab.press(TYPE);
    await fillInForm(tab, applicant);
}

/** Registers; gives the transaction ID. */
export async function register(tab, url, applicant) {
    await fillIn(tab, url, applicant);
    await tab.press('Submit');
    return transactionId(tab);
}

/** How many of the passphrase's rules are ticked off. */
export function rulesMet(tab) {
    return tab.evaluate(() => document.querySelectorAll('.rules .met').length);
}

/** Waits until the form is back that Cancel leads to. */
export async function formIsBack(tab) {
    await tab.until(() => document.querySelector('#submit')?.checkVisibility());
}
