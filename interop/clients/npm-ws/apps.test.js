'use strict';
// The wire contract of the apps, as a client written for one of the source systems relies on it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client } = require('./client.js');

/** Opens some clients one after the other. */
async function open(t, server, ...paths) {
  const clients = [];
  for (const path of paths) clients.push(await Client.open(t, server, path));
  return clients;
}

describe('broadcast', () => {
  test('a message reaches all others unchanged, in its kind and in order, and not its sender', async (t) => {
    const server = await serverOf(t)();
    const [sender, second, third] = await open(t, server, '/broadcast', '/broadcast', '/broadcast');
    const messages = ['merhaba ğ', Buffer.from([0, 255]), '', Buffer.alloc(0)];
    for (const message of messages) sender.send(message);
    for (const other of [second, third]) {
      for (const message of messages) assert.deepEqual(await other.next(), message);
    }
    second.send('from the second');
    assert.equal(await sender.next(), 'from the second');
    assert.equal(await third.next(), 'from the second');
  });

  test('a client that was cut off keeps nobody from receiving', async (t) => {
    const [sender, lost, stays] = await open(t, await serverOf(t)('broadcast'), '/', '/', '/');
    lost.socket.terminate();
    for (let number = 0; number < 20; number += 1) sender.send(String(number));
    for (let number = 0; number < 20; number += 1) assert.equal(await stays.next(), String(number));
  });
});

describe('relay', () => {
  test('the sender gets a receipt and everyone else the text, each in the language it asked for', async (t) => {
    const server = await serverOf(t)();
    const [turkish, english, other] = await open(t, server, '/ws', '/ws?lang=en', '/ws?lang=xx');
    assert.equal(await turkish.ask('Merhaba dünya'), 'Mesajınız: Merhaba dünya');
    assert.equal(await english.next(), 'From another client: Merhaba dünya');
    assert.equal(await other.next(), 'Başka bir istemciden: Merhaba dünya');
    assert.equal(await english.ask(''), 'Your message: ');
    assert.equal(await turkish.next(), 'Başka bir istemciden: ');
  });

  test('the flag sets the language of those who ask for none', async (t) => {
    const [plain, turkish] = await open(t, await serverOf(t)('--lang', 'en'), '/ws', '/ws?lang=tr');
    assert.equal(await plain.ask('{}'), 'Your message: {}');
    assert.equal(await turkish.next(), 'Başka bir istemciden: {}');
  });

  test('GET and POST /send go through the relay as a client would', async (t) => {
    const server = await serverOf(t)();
    const [client] = await open(t, server, '/ws');
    const text = 'Günaydın dünya';
    const expected = { sent: text, response: `Mesajınız: ${text}` };
    const got = await fetch(server.http(`/send/${encodeURIComponent(text)}`));
    assert.deepEqual(await got.json(), expected);
    assert.equal(await client.next(), `Başka bir istemciden: ${text}`);
    const posted = await fetch(server.http('/send'), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ message: text }),
    });
    assert.deepEqual(await posted.json(), expected);
    assert.equal(await client.next(), `Başka bir istemciden: ${text}`);
  });

  test('without a relay /send answers 500 with a detail', async (t) => {
    const response = await fetch((await serverOf(t)('echo')).http('/send/x'));
    assert.equal(response.status, 500);
    assert.match((await response.json()).detail, /^WebSocket hatası: /);
  });

  test('the start page counts the connected clients', async (t) => {
    const server = await serverOf(t)();
    await open(t, server, '/ws', '/echo');
    const response = await fetch(server.http('/'), { headers: { Accept: 'application/json' } });
    assert.deepEqual(await response.json(), { message: 'WebSocket Sunucusu Çalışıyor', connected_clients: 2 });
  });
});

describe('numbered', () => {
  test('clients are numbered, announced, quoted with their number, and never numbered again', async (t) => {
    const server = await serverOf(t)();
    const [first] = await open(t, server, '/numbered');
    assert.equal(await first.next(), 'Welcome to chat! Your ID: 1');
    const [second] = await open(t, server, '/numbered?lang=tr');
    assert.equal(await second.next(), 'Welcome to chat! Your ID: 2');
    assert.equal(await first.next(), 'User 2 joined');
    first.send('merhaba');
    assert.equal(await second.next(), '[1] merhaba');
    second.socket.close();
    assert.equal(await first.next(), 'User 2 left');
    const [third] = await open(t, server, '/numbered');
    assert.equal(await third.next(), 'Welcome to chat! Your ID: 3');
    assert.equal(await first.next(), 'User 3 joined');
    third.socket.terminate();
    assert.equal(await first.next(), 'User 3 left');
  });
});

describe('typed', () => {
  const CHAT = { type: 'chat', room_id: 'genel', user_id: 'u1', username: 'Ayşe', message: 'Merhaba!' };
  const INVALID = { type: 'system', message: 'Geçersiz mesaj formatı', level: 'error' };
  const typed = async (t, ...args) => (await open(t, await serverOf(t)(...args), '/typed'))[0];
  const fields = (answer) => answer.errors.map((error) => error.field);

  test('a chat comes back with the time filled in, or with the time that it brought', async (t) => {
    const client = await typed(t);
    const { timestamp, ...rest } = await client.askJson(CHAT);
    assert.deepEqual(rest, CHAT);
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const timed = { ...CHAT, timestamp: '2024-05-01T12:00:00.000Z' };
    assert.deepEqual(await client.askJson(timed), timed);
  });

  test('a blank chat is invalid', async (t) => {
    const answer = await (await typed(t)).askJson({ ...CHAT, message: '  ' });
    assert.deepEqual(answer, { ...INVALID, errors: [{ field: 'message', expected: 'Mesaj boş olamaz' }] });
  });

  test('joining and leaving are confirmed', async (t) => {
    const client = await typed(t);
    const info = (message) => ({ type: 'system', message, level: 'info' });
    const ask = (type) => client.askJson({ type, room_id: 'genel' });
    assert.deepEqual(await ask('join_room'), info('genel odasına katılma işlemi başarılı'));
    assert.deepEqual(await ask('leave_room'), info('genel odasına ayrılma işlemi başarılı'));
  });

  test('a system message comes back with its level filled in, or with its own', async (t) => {
    const client = await typed(t);
    const message = { type: 'system', message: 'bakım' };
    assert.deepEqual(await client.askJson(message), { ...message, level: 'info' });
    for (const level of ['info', 'warning', 'error']) {
      assert.deepEqual(await client.askJson({ ...message, level }), { ...message, level });
    }
    assert.deepEqual(fields(await client.askJson({ ...message, level: 'loud' })), ['level']);
  });

  test('an error names the field, and none for what is no JSON', async (t) => {
    const client = await typed(t);
    assert.deepEqual(JSON.parse(await client.ask('no json')), { ...INVALID, errors: [] });
    assert.deepEqual(fields(await client.askJson({ type: 'no_such_type' })), ['type']);
    assert.deepEqual(fields(await client.askJson({ type: 'join_room' })), ['room_id']);
    assert.deepEqual(fields(await client.askJson({ ...CHAT, username: 5 })), ['username']);
  });

  test('a ping gets a pong and heartbeats are accepted silently', async (t) => {
    const client = await typed(t);
    client.send('{"type":"heartbeat"}');
    client.send('{"type":"pong"}');
    assert.deepEqual(await client.askJson({ type: 'ping' }), { type: 'pong' });
  });

  test('an oversized message is told in the shape of the app too, and closed with 1009', async (t) => {
    const client = await typed(t);
    const { error, max_size, type, level } = await client.askJson({ ...CHAT, message: 'x'.repeat(65_536) });
    assert.deepEqual(
      { error, max_size, type, level },
      { error: 'Message too large', max_size: 65_536, type: 'system', level: 'error' },
    );
    assert.equal((await client.closed()).code, 1009);
  });
});
