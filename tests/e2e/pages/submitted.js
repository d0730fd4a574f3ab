// Submitted, and the page of a request: the transaction ID, the state, and what can be done next.
import { state } from './components.js';

/** Waits for the transaction ID; gives it. */
export function transactionId(tab) {
    return tab.until(() => document.querySelector('output')?.textContent);
}

/** Waits until the page shows the request with this transaction ID. */
export async function showsRequest(tab, id) {
    await tab.until((id) => document.querySelector('output')?.textContent === id, id);
}

/** The name under which assistive technology announces the transaction ID. */
export function transactionIdLabel(tab) {
    return tab.evaluate(() => document.querySelector('output').labels[0].innerText);
}

/** Waits until the request can be collected, and goes to Collect. */
export async function goOnToCollect(tab) {
    await state(tab, 'Ready to collect');
    await tab.press('Collect the certificate');
    await tab.heading('Collect');
}

/** Waits until the question whether to remove the request has the focus. */
export async function asksBeforeRemoving(tab) {
    await tab.until(() => document.activeElement.id === 'remove-question');
}

/** Waits until that question is gone. */
export async function asksNoMore(tab) {
    await tab.until(() => !document.querySelector('#remove-question'));
}

/** Opens what can be unfolded around the button that removes the request. */
export async function openRemove(tab) {
    await (await tab.awaited(() => document.querySelector('#remove'))).evaluate((heading) => { heading.parentElement.open = true; });
}
