'use strict';
// The wire contract of room, and of one room in two dialects, as a client written for one of the source systems relies on it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client, refusal } = require('./client.js');
const { TEXTS, error, hearsNothing, inRoom, inRooms, isTold, json, request, roomPath, send, timeless } = require('./rooms.js');

const told = (type, who, lang = 'tr', room = 'genel') => ({
  type,
  user_id: who,
  username: who,
  room_id: room,
  message: TEXTS[lang][type](who),
});
const message = (who, content) => ({ type: 'message', user_id: who, username: who, content, room_id: 'genel' });

for (const lang of ['tr', 'en']) {
  const say = TEXTS[lang];

  describe(`room (${lang})`, () => {
    test('who joins hears it, then who is there; the others hear it, and who leaves', async (t) => {
      const server = await serverOf(t)();
      const witness = await inRoom(t, server, 'ahmet', 'genel', { lang });
      const path = roomPath('genel', { user_id: 'u1', username: 'Ayşe', lang });
      for (const end of ['close', 'terminate']) {
        const client = await Client.open(t, server, path);
        const joined = { ...told('user_joined', 'Ayşe', lang), user_id: 'u1' };
        assert.deepEqual(timeless(await json(client)), joined);
        const { members, ...rest } = await json(client);
        assert.deepEqual(members.sort(), ['ahmet', 'u1']);
        assert.deepEqual(rest, { type: 'room_members', count: 2 });
        assert.deepEqual(timeless(await json(witness)), joined);
        client.socket[end]();
        assert.deepEqual(timeless(await json(witness)), { ...told('user_left', 'Ayşe', lang), user_id: 'u1' });
      }
    });

    test('an error names the field and leaves the connection open', async (t) => {
      const server = await serverOf(t)();
      const client = await inRoom(t, server, 'ayşe', 'genel', { lang });
      const kind = error(say.oneOf('type', 'message, typing, ping'));
      assert.deepEqual(await client.askJson({ type: 'no_such_type' }), kind);
      assert.deepEqual(await client.askJson({ type: 5 }), kind);
      for (const content of [5, ['a'], { a: 1 }, true]) {
        assert.deepEqual(await client.askJson({ type: 'message', content }), error(say.text('content')));
      }
      await hearsNothing(client);
    });

    test('who has no proper name is refused with 403', async (t) => {
      const server = await serverOf(t)();
      for (const [path, ...expected] of [
        ['/ws/chat/genel?', say.user('user_id'), say.user('username')],
        ['/ws/chat/genel?user_id=a', say.user('username')],
        ['/ws/chat/genel?username=a', say.user('user_id')],
        [`/ws/chat/genel?username=a&user_id=${'x'.repeat(129)}`, say.user('user_id')],
        ['/ws/chat/genel?user_id=a&username=a%0Ab', say.user('username')],
        [`/ws/chat/${'x'.repeat(129)}?user_id=a&username=a`, say.room('room_id')],
        [`/ws/${'x'.repeat(129)}?username=a`, say.user('client_id')],
        [`/ws/a?username=${encodeURIComponent('ğ'.repeat(129))}`, say.user('username')],
      ]) {
        // It is HTTP that answers, in the language that HTTP is asked for.
        const refused = await refusal(server, path, { headers: { 'Accept-Language': lang } });
        assert.equal(refused.status, 403);
        assert.match(refused.headers['content-type'], /json/);
        assert.equal(JSON.parse(refused.body).detail, expected.join('; '));
      }
    });

    test('an oversized message is told in the shape of the app too, and closed with 1009', async (t) => {
      const client = await inRoom(t, await serverOf(t)(), 'ayşe', 'genel', { lang });
      const answer = JSON.parse(await client.ask('x'.repeat(65_537)));
      assert.deepEqual(answer, { ...error(say.tooLarge), error: 'Message too large', max_size: 65_536 });
      assert.equal((await client.closed()).code, 1009);
    });

    test('one too many is told when to try again', async (t) => {
      const client = await inRoom(t, await serverOf(t)(), 'ayşe', 'genel', { lang });
      for (let sent = 0; sent < 1200; sent += 1) send(client, { type: 'ping' });
      for (let sent = 0; sent < 1200; sent += 1) assert.deepEqual(await json(client), { type: 'pong' });
      const { retry_after, ...rest } = JSON.parse(await client.ask('one too many'));
      assert.ok(Number.isInteger(retry_after) && retry_after >= 1 && retry_after <= 60);
      assert.deepEqual(rest, { ...error(say.tooOften(retry_after)), error: 'Rate limit exceeded' });
    });

    test('room and rooms hear of each other, each in words of its own', async (t) => {
      const server = await serverOf(t)();
      const ayse = await inRoom(t, server, 'ayşe', 'genel', { lang });
      const ahmet = await inRooms(t, server, 'ahmet', ['genel'], { lang });
      assert.deepEqual(timeless(await json(ayse)), told('user_joined', 'ahmet', lang));
      const john = await inRoom(t, server, 'john', 'genel');
      await isTold(ahmet, 'genel', say.joined('john'));
      assert.deepEqual(timeless(await json(ayse)), told('user_joined', 'john', lang));
      john.socket.terminate();
      await isTold(ahmet, 'genel', say.left('john'));
      assert.deepEqual(timeless(await json(ayse)), told('user_left', 'john', lang));
      ahmet.socket.terminate();
      assert.deepEqual(timeless(await json(ayse)), told('user_left', 'ahmet', lang));
    });
  });
}

describe('room', () => {
  test('a message goes to everyone in the room, and text that is no JSON object is the content of one', async (t) => {
    const server = await serverOf(t)();
    const ayse = await inRoom(t, server, 'ayşe', 'genel');
    const ahmet = await inRoom(t, server, 'ahmet', 'genel', { lang: 'en' });
    const other = await inRoom(t, server, 'other', 'başka');
    assert.deepEqual(timeless(await json(ayse)), told('user_joined', 'ahmet'));
    for (const [sent, content] of [
      ['{"type":"message","content":"Merhaba!"}', 'Merhaba!'],
      ['{"content":"no type"}', 'no type'],
      ['{"type":"message"}', ''],
      ['{}', ''],
      ['plain text', 'plain text'],
      ['', ''],
      ['{broken', '{broken'],
      ['[1]', '[1]'],
      ['5', '5'],
      ['"📻"', '"📻"'],
    ]) {
      ayse.send(sent);
      for (const client of [ayse, ahmet]) assert.deepEqual(timeless(await json(client)), message('ayşe', content));
    }
    await hearsNothing(other);
  });

  test('typing comes to everyone else', async (t) => {
    const server = await serverOf(t)();
    const ayse = await inRoom(t, server, 'ayşe', 'genel');
    const ahmet = await inRoom(t, server, 'ahmet', 'genel');
    await json(ayse);
    send(ayse, { type: 'typing' });
    const typing = { type: 'typing', user_id: 'ayşe', username: 'ayşe', room_id: 'genel' };
    assert.deepEqual(await json(ahmet), typing);
    await hearsNothing(ayse);
  });

  test('a user may be there twice, and each connection joins and leaves for itself', async (t) => {
    const server = await serverOf(t)();
    const first = await inRoom(t, server, 'ayşe', 'genel');
    const second = await Client.open(t, server, roomPath('genel', { user_id: 'ayşe', username: 'ayşe' }));
    for (const client of [first, second]) assert.deepEqual(timeless(await json(client)), told('user_joined', 'ayşe'));
    assert.deepEqual(await json(second), { type: 'room_members', members: ['ayşe', 'ayşe'], count: 2 });
    second.socket.terminate();
    assert.deepEqual(timeless(await json(first)), told('user_left', 'ayşe'));
  });

  test('a name may be empty or have 128 characters', async (t) => {
    const server = await serverOf(t)();
    for (const [room, id] of [['bir', ''], ['ş'.repeat(128), 'ğ'.repeat(128)], ['a/b?c#d%', 'a&b=c']]) {
      const client = await Client.open(t, server, roomPath(room, { user_id: id, username: id }));
      assert.deepEqual(timeless(await json(client)), told('user_joined', id, 'tr', room));
      assert.deepEqual(await json(client), { type: 'room_members', members: [id], count: 1 });
    }
  });

  test('a ping gets a pong and heartbeats are accepted silently', async (t) => {
    const client = await inRoom(t, await serverOf(t)(), 'ayşe', 'genel');
    send(client, { type: 'heartbeat' });
    send(client, { type: 'pong' });
    await hearsNothing(client);
  });

  test('a binary message is closed with 1003', async (t) => {
    const client = await inRoom(t, await serverOf(t)(), 'ayşe', 'genel');
    client.send(Buffer.from('Merhaba!'));
    assert.deepEqual(await client.closed(), { code: 1003, reason: 'Text messages only' });
  });

  test('alone it serves every path, its own too', async (t) => {
    const server = await serverOf(t)('room');
    for (const [path, room] of [['/', 'genel'], ['/any/path', 'genel'], ['/ws/chat/%C3%B6zel', 'özel']]) {
      const client = await Client.open(t, server, `${path}?user_id=a&username=a`);
      assert.deepEqual(timeless(await json(client)), told('user_joined', 'a', 'tr', room));
      assert.equal((await refusal(server, path)).status, 403);
    }
  });
});

describe('one room, two dialects', () => {
  /** A user of room and one of rooms, in the same room. */
  async function both(t) {
    const server = await serverOf(t)();
    const ayse = await inRoom(t, server, 'ayşe', 'genel');
    const ahmet = await inRooms(t, server, 'ahmet', ['genel']);
    await json(ayse);
    return [ayse, ahmet];
  }

  test('what one says the other reads, and all of it is history', async (t) => {
    const [ayse, ahmet] = await both(t);
    const delivered = [];
    for (const [sender, sent, who, text] of [
      [ayse, { content: 'Merhaba!' }, 'ayşe', 'Merhaba!'],
      [ahmet, { type: 'chat', room_id: 'genel', message: 'Selam!' }, 'ahmet', 'Selam!'],
    ]) {
      send(sender, sent);
      assert.deepEqual(timeless(await json(ayse)), message(who, text));
      delivered.push(await json(ahmet));
      const { seq, epoch, ...chat } = timeless(delivered.at(-1));
      assert.equal(seq, delivered.length);
      assert.equal(typeof epoch, 'string');
      assert.deepEqual(chat, { type: 'chat', room_id: 'genel', client_id: who, username: who, message: text });
    }
    assert.deepEqual((await request(ahmet, 'get_history', { room_id: 'genel' })).messages, delivered);
  });

  test('typing crosses, and a status comes to rooms alone', async (t) => {
    const [ayse, ahmet] = await both(t);
    send(ayse, { type: 'typing' });
    assert.deepEqual(await json(ahmet), { type: 'typing', room_id: 'genel', client_id: 'ayşe', username: 'ayşe' });
    send(ahmet, { type: 'typing', room_id: 'genel' });
    assert.deepEqual(await json(ayse), { type: 'typing', user_id: 'ahmet', username: 'ahmet', room_id: 'genel' });
    assert.equal((await ahmet.askJson({ type: 'set_status', status: 'away' })).type, 'status');
    await hearsNothing(ayse);
  });

  test('counts are of users in rooms and of connections in room', async (t) => {
    const server = await serverOf(t)();
    const member = await inRooms(t, server, 'ayşe', ['genel']);
    await inRoom(t, server, 'ayşe', 'genel');
    const client = await Client.open(t, server, roomPath('genel', { user_id: 'b', username: 'b' }));
    await json(client);
    const { members, count } = await json(client);
    assert.deepEqual([members.sort(), count], [['ayşe', 'ayşe', 'b'], 3]);
    assert.deepEqual((await request(member, 'get_rooms')).rooms, [{ room_id: 'genel', member_count: 2 }]);
    const listed = (await request(member, 'get_room_members', { room_id: 'genel' })).members;
    assert.deepEqual(listed.map((member) => member.client_id).sort(), ['ayşe', 'b']);
  });
});
