'use strict';
// The pages of the server under a real browser, which keeps them to their policy.

const assert = require('node:assert/strict');
const { after, before, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Browser } = require('./browser.js');

let browser;
before(async () => {
  browser = await Browser.launch();
});
after(() => browser.close());

/** A page of a server, and what the browser complained about. */
async function opened(t, path, lang) {
  const server = await serverOf(t)();
  const page = await browser.context.newPage();
  t.after(() => page.close());
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.setExtraHTTPHeaders({ 'Accept-Language': lang });
  await page.goto(server.http(path));
  return { page, complaints };
}

/** What the form under this heading is answered. */
async function answered(page, heading, fields, button) {
  const section = page.getByRole('region', { name: heading, exact: true });
  for (const [label, value] of Object.entries(fields)) {
    const exactly = new RegExp(`^${label.replace(/[()]/g, '\\$&')}(:|$)`);
    await section.getByLabel(exactly).fill(value);
  }
  await section.getByRole('button', { name: button }).click();
  const status = section.getByRole('status');
  await status.filter({ hasText: /\d{3} application/ }).waitFor();
  return status.textContent();
}

for (const [lang, button, body] of [
  ['tr', 'Gönder', 'Gövde (JSON)'],
  ['en', 'Send', 'Body (JSON)'],
]) {
  test(`what is said on /docs is in the history, in ${lang}`, async (t) => {
    const { page, complaints } = await opened(t, '/docs', lang);
    assert.equal(await page.locator('html').getAttribute('lang'), lang);
    const said = { room_id: 'a b/ğ', [body]: '{"message":"<b>merhaba</b>"}' };
    const stands = await answered(page, 'POST /api/rooms/{room_id}/messages', said, button);
    assert.match(stands, /^POST \/api\/rooms\/a%20b%2F%C4%9F\/messages\n200 application\/json\n/);
    const asked = { room_id: 'a b/ğ', page: '1' };
    const history = await answered(page, 'GET /api/rooms/{room_id}/messages', asked, button);
    assert.match(history, /\?page=1\n200 application\/json\n/);
    assert.ok(history.includes('"message": "<b>merhaba</b>"'));
    assert.deepEqual(complaints, []);
    const wrong = await answered(page, 'GET /rooms', { page: '0' }, button);
    assert.match(wrong, /\n400 application\/problem\+json\n/);
  });
}

test('the start page leads to the documentation', async (t) => {
  const { page, complaints } = await opened(t, '/', 'en');
  await page.getByRole('link', { name: '/docs' }).click();
  await page.getByRole('heading', { name: 'Telsiz: HTTP' }).waitFor();
  assert.deepEqual(complaints, []);
});
