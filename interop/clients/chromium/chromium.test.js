'use strict';
// The server under a real browser.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { LARGE, MIB, serverOf } = require('../telsiz.js');
const { Client } = require('../npm-ws/client.js');
const { json } = require('../npm-ws/rooms.js');
const { Browser } = require('./browser.js');

let browser;
before(async () => {
  browser = await Browser.launch();
});
after(() => browser.close());

/** A page with one open socket, called `a`. */
async function connected(t, server, path) {
  const page = await browser.page(t);
  assert.equal(await open(page, 'a', server, path), 'open');
  return page;
}

const open = (page, name, server, path) => page.evaluate(([name, url]) => window.openSocket(name, url), [name, server.url(path)]);
const ask = (page, name, text) => page.evaluate(([name, text]) => window.ask(name, text), [name, text]);
const next = (page, name) => page.evaluate((name) => window.next(name), name);
const close = (page, name, ...how) => page.evaluate(([name, how]) => window.closeSocket(name, ...how), [name, how]);

for (const tls of [false, true]) {
  describe(tls ? 'over TLS' : 'plain', () => {
    const serve = (t, ...args) => serverOf(t)(...args, { tls });

    test('text comes back, the empty one too', async (t) => {
      const page = await connected(t, await serve(t, 'echo'), '/echo');
      for (const text of ['merhaba', '', 'Günaydın, İstanbul!', '📻🇹🇷', '\0', 'x'.repeat(65_536)]) {
        assert.equal(await ask(page, 'a', text), text);
      }
    });

    test('binary comes back from a buffer and from a blob, the empty one too', async (t) => {
      const page = await connected(t, await serve(t, 'echo'), '/echo');
      const bytes = Array.from({ length: 256 }, (_, byte) => byte);
      for (const asBlob of [false, true]) {
        for (const data of [bytes, []]) {
          const answer = await page.evaluate(([data, asBlob]) => window.askBytes('a', data, asBlob), [data, asBlob]);
          assert.deepEqual(answer, data);
        }
      }
    });

    test('one mebibyte of text and of binary come back', async (t) => {
      const page = await connected(t, await serve(t, 'echo', ...LARGE), '/echo');
      const same = await page.evaluate(async (size) => {
        const text = 'x'.repeat(size);
        const bytes = Uint8Array.from({ length: size }, (_, place) => place % 251);
        const textBack = await window.ask('a', text);
        const bytesBack = new Uint8Array(await window.ask('a', bytes));
        return [textBack === text, bytesBack.length === size && bytesBack.every((byte, place) => byte === place % 251)];
      }, MIB);
      assert.deepEqual(same, [true, true]);
    });

    test('a thousand messages sent at once come back in order', async (t) => {
      const page = await connected(t, await serve(t, 'echo'), '/echo');
      const received = await page.evaluate(async () => {
        const received = [];
        for (let number = 0; number < 1000; number += 1) window.send('a', String(number));
        while (received.length < 1000) received.push(await window.next('a'));
        return received;
      });
      assert.deepEqual(received, Array.from({ length: 1000 }, (_, number) => String(number)));
    });

    for (const [code, reason] of [[1000, ''], [3000, 'hoşça kal'], [4999, 'x'.repeat(123)]]) {
      test(`a close with ${code} is echoed with its reason`, async (t) => {
        const page = await connected(t, await serve(t, 'echo'), '/echo');
        assert.deepEqual(await close(page, 'a', code, reason), { code, reason, wasClean: true });
      });
    }

    test('an oversized message is told and closed with 1009', async (t) => {
      const page = await connected(t, await serve(t, 'echo'), '/echo');
      assert.equal(await ask(page, 'a', 'x'.repeat(65_537)), '{"error":"Message too large","max_size":65536}');
      const end = await close(page, 'a');
      assert.deepEqual([end.code, end.wasClean], [1009, true]);
    });

    test('an unknown path is accepted and closed with 1008', async (t) => {
      const page = await connected(t, await serve(t), '/nowhere');
      assert.deepEqual(await close(page, 'a'), { code: 1008, reason: 'Unknown endpoint', wasClean: true });
    });

    test('a server that vanishes is seen as 1006', async (t) => {
      const server = await serve(t, 'echo');
      const page = await connected(t, server, '/echo');
      await server.vanish();
      assert.deepEqual(await close(page, 'a'), { code: 1006, reason: '', wasClean: false });
    });

    test('a stop closes every socket with 1012 and ends the process', async (t) => {
      const server = await serve(t);
      const page = await connected(t, server, '/echo');
      assert.equal(await open(page, 'b', server, '/ws'), 'open');
      server.terminate();
      for (const name of ['a', 'b']) {
        const end = await close(page, name);
        assert.deepEqual([end.code, end.wasClean], [1012, true]);
      }
      assert.equal(await server.stopped(), 0);
    });
  });
}

for (const app of ['relay', 'numbered', 'typed']) {
  test(`a binary frame to ${app} is closed with 1003`, async (t) => {
    const page = await connected(t, await serverOf(t)(app), '/');
    await page.evaluate(() => window.send('a', new Uint8Array([0, 1])));
    assert.equal((await close(page, 'a')).code, 1003);
  });
}

test('a port on which nobody listens is an end with 1006', async (t) => {
  const server = await serverOf(t)('echo');
  await server.vanish();
  const page = await browser.page(t);
  assert.deepEqual(await open(page, 'a', server, '/echo'), { code: 1006, reason: '', wasClean: false });
});

test('two pages talk through relay, broadcast and numbered', async (t) => {
  const server = await serverOf(t)();
  const first = await browser.page(t);
  const second = await browser.page(t);
  for (const [name, path, otherPath] of [['relay', '/ws', '/ws?lang=en'], ['all', '/broadcast', '/broadcast'], ['chat', '/numbered', '/numbered']]) {
    assert.equal(await open(first, name, server, path), 'open');
    assert.equal(await open(second, name, server, otherPath), 'open');
  }
  assert.equal(await ask(first, 'relay', 'selam'), 'Mesajınız: selam');
  assert.equal(await next(second, 'relay'), 'From another client: selam');
  await first.evaluate(() => window.send('all', 'herkese'));
  assert.equal(await next(second, 'all'), 'herkese');
  assert.equal(await next(first, 'chat'), 'Welcome to chat! Your ID: 1');
  assert.equal(await next(first, 'chat'), 'User 2 joined');
  assert.equal(await next(second, 'chat'), 'Welcome to chat! Your ID: 2');
  await first.evaluate(() => window.send('chat', 'merhaba'));
  assert.equal(await next(second, 'chat'), '[1] merhaba');
  await second.close();
  assert.equal(await next(first, 'chat'), 'User 2 left');
});

test('a page with rooms and a client of room are in one room, and the page finds it again', async (t) => {
  const server = await serverOf(t)();
  const page = await browser.page(t);
  const rooms = server.url('/ws/u1?username=Ay%C5%9Fe');
  assert.equal(await page.evaluate((url) => window.openSocket('a', url), rooms), 'open');
  const asked = async (message) => JSON.parse(await ask(page, 'a', JSON.stringify(message)));
  const heard = async () => JSON.parse(await next(page, 'a'));
  assert.equal((await asked({ type: 'join_room', room_id: 'genel' })).message, "'genel' odasına katıldınız");

  const client = await Client.open(t, server, '/ws/chat/genel?user_id=u2&username=Ahmet');
  assert.equal((await json(client)).type, 'user_joined');
  assert.deepEqual((await json(client)).members.sort(), ['u1', 'u2']);
  assert.equal((await heard()).message, 'Ahmet odaya katıldı');
  client.send('Merhaba!');
  assert.equal((await json(client)).content, 'Merhaba!');
  const first = await heard();
  assert.deepEqual([first.type, first.client_id, first.message], ['chat', 'u2', 'Merhaba!']);
  const second = await asked({ type: 'chat', room_id: 'genel', message: '📻' });
  assert.equal(second.username, 'Ayşe');
  const { content, user_id } = await json(client);
  assert.deepEqual([content, user_id], ['📻', 'u1']);

  await server.vanish();
  assert.equal((await close(page, 'a')).code, 1006);
  await server.again();
  assert.equal(await page.evaluate((url) => window.openSocket('a', url), rooms), 'open');
  const since = { epoch: first.epoch, seq: first.seq };
  assert.equal((await asked({ type: 'join_room', room_id: 'genel', since })).type, 'system');
  assert.deepEqual(await heard(), second);
});

test('a page reads JSON from typed', async (t) => {
  const page = await connected(t, await serverOf(t)(), '/typed');
  const answer = JSON.parse(await ask(page, 'a', '{"type":"join_room","room_id":"genel"}'));
  assert.deepEqual(answer, { type: 'system', message: 'genel odasına katılma işlemi başarılı', level: 'info' });
});
