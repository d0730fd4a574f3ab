// Files of the page's programs that were changed on their way are refused.
import assert from 'node:assert/strict';

import { site } from './fixture.js';
import { cannotStart, ranTampered, TAMPERED_SCRIPT } from './pages/document.js';

const { test, gateway, browser, intercept } = site();

/** A custom section (WebAssembly, section 5.5.3), which changes nothing but the bytes. */
const CUSTOM_SECTION = Buffer.from([0, 2, 1, 120]);

/** Changes the first of the page's files whose name matches, on their way through `interceptor`. Counts how often it was asked for. */
async function tamper(interceptor, pattern) {
    const html = await (await fetch(gateway.url)).text();
    const [, name] = [...html.matchAll(/(?:href|src)="\/([^"]+)"/g)].find(([, name]) => pattern.test(name));
    const file = Buffer.from(await (await fetch(gateway.at(name))).arrayBuffer());
    const isScript = name.endsWith('.js');
    const body = Buffer.concat([file, isScript ? Buffer.from(TAMPERED_SCRIPT) : CUSTOM_SECTION]);
    const asked = { times: 0 };
    interceptor.rules = [({ url }) => {
        if (url !== `/${name}`) return undefined;
        asked.times++;
        return { type: isScript ? 'text/javascript' : 'application/wasm', body };
    }];
    return asked;
}

for (const [what, pattern] of [
    ['script', /^app-.*\.js$/],
    ['WebAssembly', /^app-.*_bg\.wasm$/],
]) {
    test(`the page does not start with changed ${what} of its program`, async () => {
        const interceptor = await intercept();
        const asked = await tamper(interceptor, pattern);
        const tab = await browser.tab();
        tab.expectComplaints();
        await tab.openAnything(interceptor.url);
        await cannotStart(tab);
        assert.ok(asked.times > 0, 'the file was asked for');
        assert.equal(await ranTampered(tab), false);
    });
}

test('a changed part of the program is refused, and the other pages go on', async () => {
    const interceptor = await intercept();
    const asked = await tamper(interceptor, /^split_.*\.wasm$/);
    const tab = await browser.tab(interceptor.url);
    tab.expectComplaints();
    await tab.navigate('Help');
    await tab.heading('This page can\'t be loaded');
    assert.ok(asked.times > 0, 'the file was asked for');
    await tab.navigate('Register');
    await tab.heading('Choose Certificate Type');
    interceptor.rules = [];
    await tab.navigate('About');
    await tab.heading('About');
});

for (const [what, pattern] of [
    ['script', /^worker-.*\.js$/],
    ['WebAssembly', /^worker-.*_bg\.wasm$/],
]) {
    test(`a worker with changed ${what} is refused, and the page says so`, async () => {
        const interceptor = await intercept();
        const asked = await tamper(interceptor, pattern);
        const tab = await browser.tab();
        tab.expectComplaints();
        await tab.open(interceptor.at('register'));
        await tab.text('This browser does not start the background worker that makes the key');
        assert.ok(asked.times > 0, 'the file was asked for');
    });
}
