'use strict';
// The rules for every app: origins, sub-protocols, rates.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client, refusal } = require('./client.js');

const JSON_PATHS = ['/chat', '/envelope', '/typed', '/metrics'];
const PATHS = ['/echo', '/broadcast', '/ws', '/numbered', '/no/app', ...JSON_PATHS];

describe('origins', () => {
  test('a page from elsewhere is refused with 403, and the log says what to set', async (t) => {
    const server = await serverOf(t)();
    for (const path of PATHS) {
      for (const origin of ['https://example.com', 'null']) {
        const { status, headers, body } = await refusal(server, path, { origin });
        assert.equal(status, 403);
        assert.equal(headers['content-type'], 'application/problem+json');
        assert.ok(JSON.parse(body).detail.includes(`--allow-origin ${origin}`), body);
      }
    }
    assert.match(server.said(), /--allow-origin/);
  });

  test('pages of this machine and those that were named are heard', async (t) => {
    const server = await serverOf(t)('--allow-origin', 'https://example.com', '--allow-origin', 'null');
    for (const origin of ['http://localhost:5173', 'http://127.0.0.1', 'https://example.com', 'null', undefined]) {
      const client = await Client.open(t, server, '/echo', { origin });
      assert.equal(await client.ask('a'), 'a');
    }
  });
});

test('our sub-protocol is selected, else one with a token', async (t) => {
  const server = await serverOf(t)();
  for (const path of PATHS) {
    for (const [offered, selected] of [
      [['chat', 'bearer.abc', 'telsiz.v1'], 'telsiz.v1'],
      [['chat', 'bearer.abc'], 'bearer.abc'],
    ]) {
      const client = await Client.open(t, server, path, { protocols: offered });
      assert.equal(client.socket.protocol, selected);
    }
  }
});

for (const [lang, said] of [
  ['tr', (wait) => `Çok sık mesaj gönderdiniz; ${wait} saniye sonra yeniden deneyin`],
  ['en', (wait) => `Too many messages; try again in ${wait} seconds`],
]) {
  test(`the 1201st message in a minute is rejected and the connection stays (${lang})`, async (t) => {
    const server = await serverOf(t)();
    for (const path of JSON_PATHS) {
      const client = await Client.open(t, server, `${path}?lang=${lang}`);
      const answer = async () => {
        for (;;) {
          const message = JSON.parse(await client.next());
          if (!('cpu_usage' in message)) return message;
        }
      };
      for (let number = 0; number < 1202; number += 1) client.send('{"type":"ping"}');
      for (let number = 0; number < 1200; number += 1) assert.deepEqual(await answer(), { type: 'pong' });
      for (let number = 0; number < 2; number += 1) {
        const told = await answer();
        assert.equal(told.error, 'Rate limit exceeded');
        assert.ok(Number.isInteger(told.retry_after) && told.retry_after >= 1 && told.retry_after <= 60);
        const text = told.text ?? told.message ?? told.payload.message;
        if (path !== '/envelope') assert.equal(text, said(told.retry_after));
        else assert.match(text, /^Too many messages/);
      }
    }
  });
}
