// Devices: the certificate request of a device, and what goes along with it.
import { state } from './components.js';

export const TYPE = 'Remote Intelligent Gateway (RIG)';
export const REQUEST_FILE = 'File of the certificate request';
const REQUEST = 'Certificate request (CSR)';

/** Puts a text into the field of the certificate request at once, as pasting does. */
export async function paste(tab, text) {
    const field = await tab.field(REQUEST);
    await field.evaluate((field, text) => {
        field.focus();
        field.select();
        document.execCommand('insertText', false, text);
        // Firefox gives a text field's Enter no line feed through insertText.
        if (field.value.trim() === text.trim()) return;
        field.value = text;
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
    }, text);
}

/** Picks the file of a certificate request. */
export const pick = (tab, path) => tab.pick(REQUEST_FILE, path);

/** Waits until the fault of the certificate request matches. */
export async function fault(tab, pattern) {
    await tab.until((source) => new RegExp(source).test(document.querySelector('#certification-request-error')?.textContent ?? ''), pattern.source);
}

/** Whether the certificate request has a fault. */
export function hasFault(tab) {
    return tab.evaluate(() => document.querySelector('#certification-request-error') !== null);
}

/** Fills in what goes along with a request. */
export async function describe(tab, name, { type = TYPE, email = 'ops@example.com', format } = {}) {
    await tab.choose(type);
    if (name) await tab.type('Device Name', name);
    await tab.type('Email Address', email);
    if (format) await tab.choose(format);
}

/** Waits until the request of the device with this name has this state. */
export const standing = (tab, name, text) => state(tab, text, name);

/** The formats in which the certificate can be collected, in the order in which they are offered. */
export function formatsOnOffer(tab) {
    return tab.evaluate(() => [...document.querySelectorAll('.requests button')].map((button) => button.textContent)
        .filter((text) => text.startsWith('Collect as')).map((text) => text.split(' ')[2]));
}

/** Waits until the question whether to remove a request is gone. */
export async function asksNoMore(tab) {
    await tab.until(() => !document.querySelector('.requests .message'));
}

/** Waits until a recipe is there, and has this text in it: `openssl`, `keytool-key`, `keytool-request` or `keytool-import`. */
export function recipe(tab, name, text = '') {
    return tab.until((id, text) => {
        const shown = document.querySelector(id);
        return shown?.checkVisibility() && shown.textContent.includes(text) && shown.textContent;
    }, `#${name}-recipe`, text);
}
