// What several pages have: the summary of faults, the list of requests, the panel for backups.

/** Waits until the summary of faults has the focus, and has so many entries if `count` is given. Gives their texts. */
export function faults(tab, count = null) {
    return tab.until((count) => {
        const summary = document.querySelector('#error-summary');
        if (!summary || document.activeElement !== summary) return undefined;
        const entries = [...summary.querySelectorAll('li')].map((entry) => entry.innerText);
        return (count === null || entries.length === count) && entries;
    }, count);
}

/** Waits until the summary of faults has so many entries, wherever the focus is. */
export async function faultsLeft(tab, count) {
    await tab.until((count) => document.querySelectorAll('#error-summary li').length === count, count);
}

/** The texts beside the fields with faults, and those that the fields name as their description. */
export function faultsBesideFields(tab) {
    return tab.evaluate(() => ({
        beside: [...document.querySelectorAll('.field-error')].map((text) => text.innerText),
        tied: [...document.querySelectorAll('[aria-invalid="true"]')].map((field) =>
            document.getElementById(field.getAttribute('aria-describedby').split(' ')[0])?.innerText),
    }));
}

/** Waits for the entry in the list of requests with this name, and with all these texts. Gives its text. */
export function entry(tab, name, ...texts) {
    return tab.until((texts) => [...document.querySelectorAll('.requests li')].map((item) => item.innerText)
        .find((shown) => texts.every((text) => shown.includes(text))), [name, ...texts]);
}

/** Waits until the list of requests has no entry with this name. */
export async function noEntry(tab, name) {
    await tab.until((name) => !document.querySelector('.requests')?.innerText.includes(name), name);
}

/** Waits until the state of the request on the page, or of the one with this name in a list, is this. */
export async function state(tab, text, name = null) {
    await tab.until((text, name) => [...document.querySelectorAll(name === null ? '.state' : '.requests li')].some((place) =>
        (name === null || place.querySelector('h3')?.textContent === name)
            && place.querySelector('.standing')?.textContent === text), text, name);
}

/** The codes that the list of requests shows, once there are so many: transaction IDs and serial numbers. */
export function codes(tab, count) {
    return tab.until((count) => {
        const shown = [...document.querySelectorAll('.requests .code')].map((code) => code.textContent.replaceAll(':', '').toLowerCase());
        return shown.length >= count && shown;
    }, count);
}

/** Opens the panel for backups, unless it is open. */
export async function openRestore(tab) {
    const summary = await tab.awaited(() => document.querySelector('details.restore > summary'));
    if (await summary.evaluate((summary) => !summary.parentElement.open)) await summary.asElement().click();
}

/** Picks a backup in that panel. */
export async function pickBackup(tab, path) {
    await openRestore(tab);
    await tab.pick('Backup file', path);
}

/** Picks a file with these bytes in the field with this label and submits its form, in one task, so that the file cannot have been read in
 * between. */
export async function pickAndSubmit(tab, label, bytes) {
    await (await tab.field(label)).evaluate((field, base64) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], 'picked'));
        field.files = transfer.files;
        const { form } = field;
        field.dispatchEvent(new Event('change', { bubbles: true }));
        form.requestSubmit();
    }, Buffer.from(bytes).toString('base64'));
}

/** Drops a file of this text on the field with this label, as the browser tells the page of it. */
export async function drop(tab, label, text) {
    await (await tab.field(label)).evaluate((field, text) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], 'dropped.txt'));
        const over = new DragEvent('dragover', { dataTransfer, bubbles: true, cancelable: true });
        field.dispatchEvent(over);
        if (!over.defaultPrevented) throw new Error('the page does not take files here');
        field.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
    }, text);
}
