// A file can be dropped wherever one can be picked.
import { site } from './fixture.js';
import { drop } from './pages/components.js';

const { test, gateway, browser } = site();

for (const [path, label, text, said] of [
    ['inspect', 'File', 'rubbish', 'This file is of no kind that can be inspected'],
    ['', 'Backup file', 'Dear reader,\n', 'This file is not a backup.'],
    ['renew', 'PKCS#12 file', 'rubbish', 'dropped.txt'],
    ['devices', 'File of the certificate request', 'rubbish', 'This is not a certificate request'],
]) {
    test(`a file is dropped on /${path}`, async () => {
        const tab = await browser.tab(gateway.at(path));
        if (path === '') await tab.unfold();
        await drop(tab, label, text);
        await tab.text(said);
    });
}
