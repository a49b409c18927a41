'use strict';
// The wire contract of lobby, envelope and stats, as a client written for one of the source systems relies on it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client } = require('./client.js');

const next = async (client) => JSON.parse(await client.next());
const send = (client, message) => client.send(JSON.stringify(message));

describe('lobby', () => {
  const flat = (type, nick, text = '') => ({ type, nick, text });
  const error = (text) => flat('error', 'server', text);

  async function joined(t, server, nick) {
    const client = await Client.open(t, server, '/chat');
    assert.equal((await client.askJson(flat('join', nick))).type, 'info');
    return client;
  }

  for (const [lang, welcome] of [
    ['tr', 'Hoşgeldin ayşe! Odada 2 kişi var.'],
    ['en', 'Welcome ayşe! There are 2 people in the room.'],
  ]) {
    test(`who joins is welcomed and announced, and so is who leaves (${lang})`, async (t) => {
      const server = await serverOf(t)();
      const witness = await joined(t, server, 'ahmet');
      const client = await Client.open(t, server, `/chat?lang=${lang}`);
      assert.deepEqual(await client.askJson(flat('join', ' ayşe ')), flat('info', 'server', welcome));
      assert.deepEqual(await next(witness), flat('join', 'ayşe'));
      client.socket.terminate();
      assert.deepEqual(await next(witness), flat('leave', 'ayşe'));
    });
  }

  test('a chat goes to everyone, cut, with the nick of the connection', async (t) => {
    const server = await serverOf(t)();
    const ahmet = await joined(t, server, 'ahmet');
    const ayse = await joined(t, server, 'ayşe');
    await next(ahmet);
    for (const [sent, text] of [['Merhaba!', 'Merhaba!'], [undefined, ''], ['ğ'.repeat(501), 'ğ'.repeat(500)]]) {
      send(ayse, { type: 'chat', nick: 'somebody else', text: sent });
      for (const client of [ahmet, ayse]) assert.deepEqual(await next(client), flat('chat', 'ayşe', text));
    }
  });

  for (const [nick, becomes] of [[undefined, 'anonim'], ['  ', 'anonim'], ['x'.repeat(30), 'x'.repeat(20)]]) {
    test(`a nick of ${nick?.length ?? 'no'} characters becomes ${becomes}`, async (t) => {
      const client = await Client.open(t, await serverOf(t)(), '/chat');
      const { text } = await client.askJson({ nick });
      assert.equal(text, `Hoşgeldin ${becomes}! Odada 1 kişi var.`);
    });
  }

  for (const [lang, taken, first] of [
    ['tr', "'ahmet' takma adı zaten kullanımda.", 'Önce odaya katılın: {"type":"join","nick":"…"}'],
    ['en', "The nick 'ahmet' is already in use.", 'Join first: {"type":"join","nick":"…"}'],
  ]) {
    test(`who cannot come in is told why and closed with 1008 (${lang})`, async (t) => {
      const server = await serverOf(t)('--lang', lang);
      const holder = await joined(t, server, 'ahmet');
      for (const [sent, said, reason] of [
        [JSON.stringify(flat('join', 'ahmet')), taken, 'Nick taken'],
        [JSON.stringify({ type: 'chat', text: 'a' }), first, 'Join first'],
        ['no json', first, 'Join first'],
      ]) {
        const client = await Client.open(t, server, '/chat');
        assert.deepEqual(JSON.parse(await client.ask(sent)), error(said));
        assert.deepEqual(await client.closed(), { code: 1008, reason });
      }
      const client = await Client.open(t, server, '/chat');
      assert.equal((await client.askJson(flat('join', 'a\x00b'))).type, 'error');
      assert.deepEqual(await client.closed(), { code: 1008, reason: 'Invalid nick' });
      assert.deepEqual(await holder.askJson({ type: 'chat', text: 'here' }), flat('chat', 'ahmet', 'here'));
    });
  }

  test('an error leaves the connection open', async (t) => {
    const client = await joined(t, await serverOf(t)(), 'ahmet');
    assert.deepEqual(JSON.parse(await client.ask('no json')), error('JSON formatında mesaj göndermelisiniz'));
    assert.deepEqual(await client.askJson({ type: 'chat', text: 5 }), error('text: bir metin bekleniyordu'));
    assert.deepEqual(await client.askJson(flat('join', 'again')), error('Odaya zaten katıldınız'));
    assert.deepEqual(await client.askJson({ type: 'ping' }), { type: 'pong' });
  });
});

describe('envelope', () => {
  const envelope = (type, payload) => ({ type, payload });

  async function connected(t, server, ...topics) {
    const client = await Client.open(t, server, '/envelope?lang=tr');
    for (const topic of topics) {
      assert.deepEqual(await client.askJson(envelope('subscribe', { topic })), envelope('subscribed', { topic }));
    }
    return client;
  }

  const hearsNothing = async (client) => assert.deepEqual(await client.askJson({ type: 'ping' }), { type: 'pong' });

  function packed(temp, humidity, ts) {
    const bytes = Buffer.alloc(16);
    bytes.writeFloatBE(temp, 0);
    bytes.writeFloatBE(humidity, 4);
    bytes.writeBigInt64BE(ts, 8);
    return bytes;
  }

  test('a command is acknowledged and published, and one without an action is unknown', async (t) => {
    const server = await serverOf(t)();
    const listener = await connected(t, server, 'commands');
    const client = await connected(t, server);
    const data = { action: 'on', target: 'lamp' };
    assert.deepEqual(await client.askJson(envelope('command', data)), envelope('ack', { action: 'on', status: 'ok' }));
    assert.deepEqual(await next(listener), envelope('event', { topic: 'commands', data }));
    const unknown = envelope('error', { code: 404, message: 'Unknown command' });
    for (const payload of [{ target: 'lamp' }, { action: 5 }]) {
      assert.deepEqual(await client.askJson(envelope('command', payload)), unknown);
    }
  });

  test('what is published comes to who subscribed, to who hears all once, and to nobody else', async (t) => {
    const server = await serverOf(t)();
    const news = await connected(t, server, 'haber');
    const both = await connected(t, server, 'all', 'haber');
    const other = await connected(t, server, 'spor');
    const publisher = await connected(t, server);
    const payload = { topic: 'haber', data: { a: [1, null, 'ğ'] } };
    send(publisher, envelope('publish', payload));
    for (const client of [news, both]) assert.deepEqual(await next(client), envelope('event', payload));
    for (const client of [publisher, other, both]) await hearsNothing(client);
    assert.deepEqual(await both.askJson({ type: 'unsubscribe' }), envelope('unsubscribed', { topic: 'all' }));
    const sport = { topic: 'spor', data: 1 };
    assert.deepEqual(await other.askJson(envelope('publish', sport)), envelope('event', sport));
    await hearsNothing(both);
  });

  test('a sensor comes unchanged', async (t) => {
    const server = await serverOf(t)();
    const listener = await connected(t, server, 'sensors');
    const sensor = await connected(t, server);
    const sent = '{"type":"sensor","payload":{"temp":21.50,"unit":"C","ts":1,"place":"mutfak"}}';
    sensor.send(sent);
    assert.equal(await listener.next(), sent);
  });

  test('a packed sensor comes as JSON, or packed to who asked for that', async (t) => {
    const server = await serverOf(t)();
    const asJson = await connected(t, server, 'sensors');
    const asPacked = await connected(t, server);
    const asked = envelope('subscribe', { topic: 'sensors', format: 'binary' });
    assert.deepEqual(await asPacked.askJson(asked), envelope('subscribed', { topic: 'sensors' }));
    const sensor = await connected(t, server);
    sensor.send(packed(21.1, 45, 1_714_557_600_000n));
    const told = { temp: 21.1, humidity: 45, unit: 'C', ts: 1_714_557_600_000 };
    assert.deepEqual(await next(asJson), envelope('sensor', told));
    assert.deepEqual(await asPacked.next(), packed(21.1, 45, 1_714_557_600_000n));
  });

  test('what is wrong is told in English and leaves the connection open', async (t) => {
    const client = await connected(t, await serverOf(t)());
    for (const [sent, payload] of [
      ['no json', { message: 'Invalid JSON' }],
      [Buffer.alloc(15), { message: 'Invalid packet: expected 16 bytes' }],
      [packed(Number.NaN, 0, 0n), { message: 'Invalid packet: expected two finite numbers' }],
      ['{"type":"radio"}', { code: 404, message: 'Unknown type: radio' }],
      ['{}', { message: 'type: expected a text' }],
      ['{"type":"sensor","payload":{"temp":"hot"}}', { message: 'temp: expected a number' }],
    ]) {
      assert.deepEqual(JSON.parse(await client.ask(sent)), envelope('error', payload));
    }
    await hearsNothing(client);
  });
});

describe('stats', () => {
  test('figures come at once and then every second', async (t) => {
    const client = await Client.open(t, await serverOf(t)(), '/metrics');
    const start = Date.now();
    for (let number = 0; number < 3; number += 1) {
      const figures = await next(client);
      for (const usage of ['cpu_usage', 'memory_usage', 'disk_usage']) {
        assert.ok(figures[usage] >= 0 && figures[usage] <= 100, JSON.stringify(figures));
      }
      assert.match(figures.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.equal(figures.connections, 1);
      for (const name of ['rooms', 'messages_in_per_second', 'messages_out_per_second']) {
        assert.equal(typeof figures[name], 'number');
      }
    }
    const took = Date.now() - start;
    assert.ok(took > 1500 && took < 5000, `${took} ms`);
  });

  for (const [lang, message] of [
    ['tr', 'type: ping değerlerinden biri bekleniyordu'],
    ['en', 'type: expected one of ping'],
  ]) {
    test(`nothing is asked of it but signs of life (${lang})`, async (t) => {
      const client = await Client.open(t, await serverOf(t)(), `/metrics?lang=${lang}`);
      const answer = async () => {
        for (;;) {
          const message = await next(client);
          if (!('cpu_usage' in message)) return message;
        }
      };
      send(client, { type: 'cpu' });
      assert.deepEqual(await answer(), { type: 'error', message });
      send(client, { type: 'ping' });
      assert.deepEqual(await answer(), { type: 'pong' });
      client.send(Buffer.from('{}'));
      assert.equal((await client.closed()).code, 1003);
    });
  }
});
