// The main job, step by step, as one person does it in one tab.
import { rm } from 'node:fs/promises';

import { Tab } from '../e2e/browser.js';
import { state } from '../e2e/pages/components.js';
import { transactionId } from '../e2e/pages/submitted.js';
import { PASSPHRASE } from './in-page/keyside.js';

/** A new tab without the end-to-end tests' instruments, which would be measured, too. */
export async function openTab(context) {
    const page = await context.newPage();
    await page.setViewport({ width: 1280, height: 900 });
    return new Tab(page);
}

/** Goes from Home to the form, and fills it in. */
export async function fillIn(tab) {
    await tab.press('Register');
    await tab.heading('Choose Certificate Type');
    await tab.press('Participants & External Users');
    await tab.heading('Certificate Request');
    await tab.type('Common Name', 'Ada Example');
    await tab.type('Email Address', 'ada@example.com');
    await tab.type('Pickup Passphrase', PASSPHRASE);
    await tab.type('Pickup Passphrase Confirmation', PASSPHRASE);
}

/** The steps, in order: each has a name and what is done. */
export const STEPS = [
    ['loading the page', async ({ tab, url }) => tab.open(url)],
    ['filling in the form', ({ tab }) => fillIn(tab)],
    ['key generation', async ({ tab }) => {
        await tab.press('Submit');
        await transactionId(tab);
    }],
    ['waiting for approval', ({ tab }) => state(tab, 'Ready to collect')],
    ['collecting: decryption and checks', async ({ tab }) => {
        await tab.press('Collect the certificate');
        await tab.heading('Collect');
        await tab.type('Pickup Passphrase', PASSPHRASE);
        await tab.press('Collect');
        await tab.heading('Your certificate is ready');
    }],
    ['downloading: PKCS#12 assembly', async ({ tab, browser }) => {
        await tab.press('Download PKCS#12');
        const { path } = await browser.downloaded(/\.p12$/);
        // So that the next one is not taken for it.
        await rm(path);
    }],
];
