'use strict';
// What a Node client sends to `telsiz serve echo` comes back.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { LARGE, MIB, serverOf, within } = require('../telsiz.js');
const { Client } = require('./client.js');

for (const tls of [false, true]) {
  describe(tls ? 'over TLS' : 'plain', () => {
    const client = async (t) => Client.open(t, await serverOf(t)('echo', ...LARGE, { tls }), '/echo');

    for (const text of ['merhaba', 'Günaydın, İstanbul!', '📻🇹🇷', '\0', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65536)]) {
      test(`text of ${text.length} units that starts with ${JSON.stringify(text[0])} comes back`, async (t) => {
        assert.equal(await (await client(t)).ask(text), text);
      });
    }

    test('every byte value comes back as binary', async (t) => {
      const data = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      assert.deepEqual(await (await client(t)).ask(data), data);
    });

    test('empty text and empty binary keep their kind', async (t) => {
      const echo = await client(t);
      assert.equal(await echo.ask(''), '');
      assert.deepEqual(await echo.ask(Buffer.alloc(0)), Buffer.alloc(0));
    });

    test('a fragmented message comes back whole, a ping between its fragments is answered at once', async (t) => {
      const echo = await client(t);
      echo.send('mer', { fin: false });
      echo.send('ha', { fin: false });
      echo.socket.ping('between');
      const [payload] = await within(once(echo.socket, 'pong'), 'a pong');
      assert.equal(payload.toString(), 'between');
      echo.send('ba', { fin: true });
      assert.equal(await echo.next(), 'merhaba');
      echo.send(Buffer.from([0, 1]), { fin: false });
      echo.send(Buffer.from([2]), { fin: true });
      assert.deepEqual(await echo.next(), Buffer.from([0, 1, 2]));
    });

    test('one mebibyte of text and of binary come back', async (t) => {
      const echo = await client(t);
      const data = Buffer.alloc(MIB, 'telsiz');
      assert.ok(data.equals(await echo.ask(data)));
      assert.equal(await echo.ask(data.toString()), data.toString());
    });

    test('a thousand messages sent at once come back in order', async (t) => {
      const echo = await client(t);
      const sent = Array.from({ length: 1000 }, (_, number) => String(number));
      for (const message of sent) echo.send(message);
      const received = [];
      while (received.length < sent.length) received.push(await echo.next());
      assert.deepEqual(received, sent);
    });

    test('a ping is answered with its own payload', async (t) => {
      const { socket } = await client(t);
      socket.ping('x'.repeat(125));
      const [payload] = await within(once(socket, 'pong'), 'a pong');
      assert.equal(payload.toString(), 'x'.repeat(125));
    });
  });
}

test('messages come back through compression', async (t) => {
  const client = await Client.open(t, await serverOf(t)('echo'), '/echo', { perMessageDeflate: { threshold: 0 } });
  assert.equal(client.socket.extensions, 'permessage-deflate');
  for (const size of [0, 1, 1000, 1024, 20_000]) {
    assert.equal(await client.ask('ğ'.repeat(size)), 'ğ'.repeat(size));
    assert.deepEqual(await client.ask(Buffer.alloc(size, 7)), Buffer.alloc(size, 7));
  }
});

test('a compression offer can be declined', async (t) => {
  const { socket } = await Client.open(t, await serverOf(t)('echo', '--deflate', 'off'), '/echo', { perMessageDeflate: true });
  assert.equal(socket.extensions, '');
});
