// The officers' console.
import assert from 'node:assert/strict';

/** Invites an officer to the console of `gateway`; gives the one-time link. */
export async function invite(gateway, role, name, ...more) {
    const email = `${name.split(' ')[0].toLowerCase()}@example.com`;
    const text = await gateway.officer('invite', '--role', role, '--name', name, '--email', email, ...more);
    const link = text.match(/\/console\/sign-in\/\S+/)?.[0];
    assert.ok(link, text);
    return new URL(link, gateway.url).href;
}

/** Signs in by a one-time link. */
export async function signIn(tab, link) {
    await tab.open(link);
    await tab.heading('Sign in');
    await tab.accessible();
    await tab.press('Sign in');
    await tab.heading('Requests');
}

/** The text of the row that has this text. */
export function row(tab, text) {
    return tab.until(
        (text) => [...document.querySelectorAll('tbody tr')].find((row) => row.innerText.includes(text))?.innerText, text);
}

/** Fills in the form that authorises a person, for thirty days from now; does not submit it. */
export async function fillInAuthorisation(tab, { name, email }) {
    const set = async (label, value) => (await tab.field(label)).evaluate((field, value) => {
        field.value = value;
        field.dispatchEvent(new Event('change', { bubbles: true }));
    }, value);
    await set('Certificate type', 'participants');
    await tab.type('Common Name', name);
    await tab.type('Email Address', email);
    await set('Until', new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString().slice(0, 10));
}

/** The authorization code that the page shows this once. */
export function shownCode(tab) {
    return tab.until(() => [...document.querySelectorAll('.card code, .card .code')].map((code) => code.textContent.trim())
        .find((text) => /^(\w{3}-){8}\w{3}$/.test(text)));
}

/** The link for the authorised person. */
export function registrationLink(tab) {
    return tab.until(() => document.querySelector('.card a[href*="/register/"]')?.href);
}

/** Whether there is anything to decide on the page. */
export function canDecide(tab) {
    return tab.evaluate(() => document.querySelector('main .button') !== null);
}

export async function signOut(tab) {
    await (await tab.awaited(() => document.querySelector('header button'))).asElement().click();
    await tab.heading('Sign in');
}

/** The history of the request that the page shows. */
export function history(tab) {
    return tab.evaluate(() => document.querySelector('.history').innerText);
}

/** Whether the page has no script at all. */
export function hasNoScripts(tab) {
    return tab.evaluate(() => document.scripts.length === 0);
}
