// Makes the README's pictures: the real pages, from the release build. With a folder's name, pictures of every page and state go there,
// wide, dark and 360 pixels narrow, to look at.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { Browser } from './browser.js';
import { Gateway } from './gateway.js';
import { collect } from './pages/collect.js';
import { state } from './pages/components.js';
import { fillIn } from './pages/register.js';
import { transactionId } from './pages/submitted.js';

const everything = process.argv[2];
const folder = everything ?? join(import.meta.dirname, '../screenshots');
const README = ['register', 'submitted', 'collect'];
const passphrase = 'Correct-4-horse!';
await mkdir(folder, { recursive: true });
const gateway = await Gateway.start();
const browser = await Browser.start();
try {
    const tab = await browser.tab();
    const { page } = tab;
    const variants = everything ? [['', 1000, 'light'], ['-dark', 1000, 'dark'], ['-360', 360, 'light']] : [['', 1000, 'light']];
    const picture = async (name) => {
        if (!everything && !README.includes(name)) return;
        for (const [suffix, width, scheme] of variants) {
            await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
            await page.setViewport({ width, height: 800 });
            await page.screenshot({ path: join(folder, `${name}${suffix}.png`), fullPage: true });
        }
        await page.setViewport({ width: 1000, height: 800 });
    };
    await tab.open(gateway.url);
    await picture('home');
    await tab.press('Register');
    await tab.heading('Choose Certificate Type');
    await picture('types');
    await fillIn(tab, gateway.url, { name: 'Ada Example', passphrase });
    await tab.type('Pickup Passphrase Confirmation', 'Correct');
    await tab.press('Submit');
    await tab.heading('Some entries need your attention');
    await picture('faults');
    await fillIn(tab, gateway.url, { name: 'Ada Example', passphrase });
    await picture('register');
    await tab.choose('RSA 4096');
    await tab.press('Submit');
    await tab.heading('Making your key pair');
    await picture('working');
    await tab.press('Cancel');
    await tab.choose('RSA 2048');
    await tab.press('Submit');
    const id = await transactionId(tab);
    await picture('submitted');
    await state(tab, 'Ready to collect');
    await picture('issued');
    await collect(tab, gateway.url, id, 'Wrong-4-horse!');
    await tab.heading('The passphrase is wrong');
    await picture('wrong-passphrase');
    await tab.type('Pickup Passphrase', passphrase);
    await tab.press('Collect');
    await tab.heading('Your certificate is ready');
    await picture('collect');
    await tab.navigate('Trust');
    await tab.heading('No longer used');
    await picture('trust');
    for (const name of ['Devices', 'Inspector', 'Help', 'About', 'Home']) {
        await tab.navigate(name);
        await tab.heading(name === 'Home' ? 'Your certificate, made in your browser' : name);
        await picture(name.toLowerCase() + (name === 'Home' ? '-with-requests' : ''));
    }
} finally {
    await browser.stop();
    await gateway.stop();
}
