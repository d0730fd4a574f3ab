// What officers do in the console, in a browser.
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
    await tab.page.select('#certificate_type', 'participants');
    await tab.type('Common Name', name);
    await tab.type('Email Address', email);
    const until = new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString().slice(0, 10);
    await (await tab.field('Until')).evaluate((field, value) => { field.value = value; }, until);
}
