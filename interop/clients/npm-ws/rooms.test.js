'use strict';
// The wire contract of rooms, as a client written for one of the source systems, or with an SDK, relies on it.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client } = require('./client.js');
const { TEXTS, error, hearsNothing, inRooms, isTold, json, request, send, timeless } = require('./rooms.js');

const COMMANDS =
  'join_room, leave_room, room_message, chat, get_rooms, get_room_members, get_users, set_status, typing, get_history, ping';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ROOM = { room_id: 'genel' };

/** Says numbers, one after the other; returns the position of the last. */
async function publish(client, count, first = 1) {
  let answer;
  for (let number = first; number < first + count; number += 1) {
    answer = await request(client, 'room_message', { ...ROOM, message: String(number) });
    assert.equal(answer.type, 'ok');
  }
  return { epoch: answer.epoch, seq: answer.seq };
}

/** What comes until a ping behind the command is answered. */
async function answers(client, command) {
  send(client, command);
  send(client, { type: 'ping' });
  const heard = [];
  for (;;) {
    const message = await json(client);
    if (message.type === 'pong') return heard;
    heard.push(message);
  }
}

/** The chats that come until a ping is answered, as the numbers that they say. */
async function numbers(client) {
  const heard = await answers(client, { type: 'heartbeat' });
  return heard.filter(({ type }) => type === 'chat').map(({ message }) => Number(message));
}

const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);

for (const lang of ['tr', 'en']) {
  const say = TEXTS[lang];

  describe(`rooms (${lang})`, () => {
    test('who joins is told each time, and the others hear who joins and leaves, however it happens', async (t) => {
      const server = await serverOf(t)();
      const witness = await inRooms(t, server, 'ahmet', ['genel'], { lang });
      for (const leave of [
        async (client) => {
          send(client, { type: 'leave_room', ...ROOM });
          await isTold(client, 'genel', say.youLeft('genel'));
        },
        (client) => client.socket.close(),
        (client) => client.socket.terminate(),
      ]) {
        const client = await inRooms(t, server, 'ayşe', ['genel', 'genel'], { lang });
        for (let time = 0; time < 2; time += 1) await isTold(witness, 'genel', say.joined('ayşe'));
        await leave(client);
        await isTold(witness, 'genel', say.left('ayşe'));
      }
      await hearsNothing(witness);
    });

    test('a chat may not be blank, a room message may be empty', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', ['genel'], { lang });
      for (const fields of [{ message: '' }, { message: ' \n' }, {}]) {
        assert.deepEqual(await client.askJson({ type: 'chat', ...ROOM, ...fields }), error(say.blank));
        assert.equal((await client.askJson({ type: 'room_message', ...ROOM, ...fields })).message, fields.message ?? '');
      }
    });

    test('what is no command is told so and the connection stays', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', [], { lang });
      for (const text of ['no json', '', '{']) assert.deepEqual(JSON.parse(await client.ask(text)), error(say.noJson));
      for (const text of ['[]', '5', 'null']) assert.deepEqual(JSON.parse(await client.ask(text)), error(say.noObject));
      for (const message of [{}, { type: 5 }, { type: 'no_such_type' }]) {
        assert.deepEqual(await client.askJson(message), error(say.oneOf('type', COMMANDS)));
      }
      await hearsNothing(client);
    });

    test('an error names the field, and carries the id and a code if there is an id', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', ['genel'], { lang });
      const rooms = ['join_room', 'leave_room', 'room_message', 'chat', 'get_room_members', 'typing', 'get_history'];
      const elsewhere = ['leave_room', 'room_message', 'chat', 'typing', 'get_history'];
      const wrongRooms = [undefined, null, 5, '', 'x'.repeat(129), 'a\nb'];
      for (const [command, code, said] of [
        ...rooms.flatMap((type) =>
          wrongRooms.map((room_id) => [{ type, room_id, message: 'a' }, 'bad_request', say.room('room_id')])),
        [{ type: 'chat', ...ROOM }, 'bad_request', say.blank],
        [{ type: 'chat', ...ROOM, message: 5 }, 'bad_request', say.text('message')],
        [{ type: 'room_message', ...ROOM, message: [] }, 'bad_request', say.text('message')],
        [{ type: 'chat', ...ROOM, message: 'a', idempotency_key: '' }, 'bad_request', say.key('idempotency_key')],
        [{ type: 'set_status', status: 'x' }, 'bad_request', say.oneOf('status', 'online, away')],
        [{ type: 'get_history', ...ROOM, page: 0 }, 'bad_request', say.whole('page')],
        [{ type: 'get_history', ...ROOM, per_page: 1.5 }, 'bad_request', say.whole('per_page')],
        [{ type: 'join_room', ...ROOM, since: { seq: 1 } }, 'bad_request', say.since('since')],
        [{ type: 'no_such_type' }, 'unknown_type', say.oneOf('type', COMMANDS)],
        ...elsewhere.map((type) => [{ type, room_id: 'not-mine', message: 'a' }, 'not_member', say.notMember]),
      ]) {
        assert.deepEqual(await answers(client, command), [error(said)], JSON.stringify(command));
        assert.deepEqual(await answers(client, { ...command, id: 'x' }), [{ ...error(said), id: 'x', code }]);
      }
    });

    test('an invalid id is named, and nothing is done', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', ['genel'], { lang });
      for (const id of ['x'.repeat(65), true, [], {}]) {
        const expected = { ...error(say.id('id')), code: 'bad_request' };
        assert.deepEqual(await answers(client, { type: 'chat', ...ROOM, message: 'a', id }), [expected]);
      }
    });

    test('one too many is told with its id and the code limit', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', [], { lang });
      for (let sent = 0; sent < 1200; sent += 1) send(client, { type: 'ping' });
      for (let sent = 0; sent < 1200; sent += 1) assert.deepEqual(await json(client), { type: 'pong' });
      for (const known of [{ id: 'x', code: 'limit' }, {}]) {
        const { retry_after, ...rest } = await client.askJson({ type: 'get_rooms', ...known });
        assert.ok(Number.isInteger(retry_after) && retry_after >= 1 && retry_after <= 60);
        assert.deepEqual(rest, { ...error(say.tooOften(retry_after)), error: 'Rate limit exceeded', ...known });
      }
    });

    test('an oversized message is told in the shape of the app too, and closed with 1009', async (t) => {
      const client = await inRooms(t, await serverOf(t)(), 'ayşe', ['genel'], { lang });
      const answer = await client.askJson({ type: 'chat', ...ROOM, message: 'x'.repeat(65_536), id: 1 });
      assert.deepEqual(answer, { ...error(say.tooLarge), error: 'Message too large', max_size: 65_536 });
      assert.equal((await client.closed()).code, 1009);
    });
  });
}

describe('rooms', () => {
  test('a message goes to everyone in the room and to nobody else, in the language of each', async (t) => {
    const server = await serverOf(t)();
    const ayse = await inRooms(t, server, 'ayşe', ['genel']);
    const john = await inRooms(t, server, 'john', ['genel'], { lang: 'en' });
    const other = await inRooms(t, server, 'other', ['başka']);
    await isTold(ayse, 'genel', 'john odaya katıldı');
    let seq = 0;
    for (const type of ['room_message', 'chat']) {
      for (const text of ['Merhaba!', '📻\n🇹🇷']) {
        seq += 1;
        send(john, { type, ...ROOM, message: text, username: 'somebody else' });
        for (const client of [ayse, john]) {
          const { epoch, ...chat } = timeless(await json(client));
          assert.equal(typeof epoch, 'string');
          assert.deepEqual(chat, { type: 'chat', ...ROOM, client_id: 'john', username: 'john', message: text, seq });
        }
      }
    }
    ayse.socket.terminate();
    await isTold(john, 'genel', 'ayşe left the room');
    await hearsNothing(other);
  });

  test('rooms, members and users are listed, each id once', async (t) => {
    const server = await serverOf(t)();
    const client = await inRooms(t, server, 'ayşe', ['genel']);
    assert.deepEqual(await client.askJson({ type: 'get_rooms' }), {
      type: 'room_list',
      rooms: [{ room_id: 'genel', member_count: 1 }],
    });
    assert.deepEqual(await client.askJson({ type: 'get_room_members', ...ROOM }), {
      type: 'room_members',
      ...ROOM,
      members: [{ client_id: 'ayşe', username: 'ayşe' }],
    });
    await inRooms(t, server, 'ayşe', ['genel', 'başka']);
    const ahmet = await inRooms(t, server, 'u1', ['genel'], { username: 'Ahmet' });
    await inRooms(t, server, 'stranger', ['başka']);
    await request(ahmet, 'set_status', { status: 'away' });
    const { rooms } = await request(client, 'get_rooms');
    const byName = Object.fromEntries(rooms.map((room) => [room.room_id, room.member_count]));
    assert.deepEqual(byName, { genel: 2, başka: 2 });
    const { members } = await request(client, 'get_room_members', ROOM);
    assert.deepEqual(members.map(({ client_id }) => client_id).sort(), ['ayşe', 'u1']);
    assert.deepEqual((await request(client, 'get_users')).users, {
      ayşe: { name: 'ayşe', status: 'online' },
      u1: { name: 'Ahmet', status: 'away' },
    });
  });

  test('a status comes once to each connection that shares rooms, and typing to the others', async (t) => {
    const server = await serverOf(t)();
    const ahmet = await inRooms(t, server, 'ahmet', ['genel', 'özel']);
    const ayse = await inRooms(t, server, 'ayşe', ['genel', 'özel']);
    for (const room of ['genel', 'özel']) await isTold(ahmet, room, 'ayşe odaya katıldı');
    send(ayse, { type: 'set_status', status: 'away' });
    const status = { type: 'status', client_id: 'ayşe', username: 'ayşe', status: 'away' };
    for (const client of [ayse, ahmet]) assert.deepEqual(await json(client), status);
    send(ayse, { type: 'typing', ...ROOM });
    const typing = { type: 'typing', ...ROOM, client_id: 'ayşe', username: 'ayşe' };
    assert.deepEqual(await json(ahmet), typing);
    for (const client of [ayse, ahmet]) await hearsNothing(client);
  });

  test('each request with an id gets exactly one answer that carries it', async (t) => {
    const server = await serverOf(t)();
    const client = await inRooms(t, server, 'ayşe', ['genel']);
    const [, joined] = await answers(client, { type: 'join_room', ...ROOM, id: 'ğ'.repeat(32) });
    const { epoch } = joined;
    assert.deepEqual(joined, { type: 'ok', id: 'ğ'.repeat(32), ...ROOM, epoch, seq: 0, recovered: false });
    let seq = 0;
    for (const id of [1, -1.5, '', 'x'.repeat(64)]) {
      for (const [type, answer] of [
        ['typing', { type: 'ok' }],
        ['set_status', { type: 'ok' }],
        ['room_message', { type: 'ok', epoch }],
        ['chat', { type: 'ok', epoch }],
        ['get_rooms', { type: 'room_list' }],
        ['get_room_members', { type: 'room_members' }],
        ['get_users', { type: 'user_list' }],
        ['get_history', { type: 'message_history' }],
        ['leave_room', { type: 'ok' }],
        ['join_room', { type: 'ok', ...ROOM, epoch, recovered: false }],
      ]) {
        const heard = await answers(client, { type, ...ROOM, message: 'a', status: 'away', id });
        const carrying = heard.filter((message) => 'id' in message);
        if (answer.epoch) {
          seq += type === 'join_room' ? 0 : 1;
          answer.seq = seq;
        }
        assert.equal(carrying.length, 1);
        if (answer.type === 'ok') assert.deepEqual(carrying[0], { ...answer, id });
        assert.deepEqual([carrying[0].type, carrying[0].id], [answer.type, id]);
      }
    }
  });

  test('page 1 of the history is the newest, a page has 50 or at most 100, and 100 are kept', async (t) => {
    const client = await inRooms(t, await serverOf(t)(), 'ayşe', ['genel']);
    const page = async (fields) => {
      const { type, room_id, page, total_pages, messages } = await request(client, 'get_history', { ...ROOM, ...fields });
      assert.deepEqual([type, room_id], ['message_history', 'genel']);
      return [page, total_pages, messages.map(({ message }) => Number(message))];
    };
    assert.deepEqual(await page({}), [1, 1, []]);
    await publish(client, 5);
    assert.deepEqual(await page({ per_page: 2 }), [1, 3, [4, 5]]);
    assert.deepEqual(await page({ per_page: 2, page: 3 }), [3, 3, [1]]);
    assert.deepEqual(await page({ per_page: 2, page: 9 }), [9, 3, []]);
    await publish(client, 105, 6);
    assert.deepEqual(await page({}), [1, 2, range(61, 110)]);
    assert.deepEqual(await page({ per_page: 1000 }), [1, 1, range(11, 110)]);
  });

  test('who says what it knows gets what it missed in order, or is told that this cannot be', async (t) => {
    const server = await serverOf(t)();
    const writer = await inRooms(t, server, 'ayşe', ['genel']);
    let { epoch } = await publish(writer, 5);
    for (const [since, newest, recovered] of [
      [{ epoch, seq: 0 }, 5, true],
      [{ epoch, seq: 3 }, 5, true],
      [{ epoch, seq: 5 }, 5, true],
      [{ epoch, seq: 6 }, 5, false],
      [{ epoch: `${epoch}x`, seq: 3 }, 5, false],
      [undefined, 5, false],
    ]) {
      const reader = await inRooms(t, server, 'ahmet');
      const joined = await request(reader, 'join_room', { ...ROOM, since });
      assert.deepEqual(joined, { type: 'ok', ...ROOM, epoch, seq: newest, recovered });
      assert.deepEqual(await numbers(reader), recovered ? range(since.seq + 1, newest) : []);
    }
    await publish(writer, 100, 6);
    for (const [seq, recovered] of [[4, false], [5, true], [105, true]]) {
      const reader = await inRooms(t, server, 'ahmet');
      const joined = await request(reader, 'join_room', { ...ROOM, since: { epoch, seq } });
      assert.equal(joined.recovered, recovered);
      assert.deepEqual(await numbers(reader), recovered ? range(seq + 1, 105) : []);
    }
  });

  test('a repeat gets the first position and is not sent again, and a key is that of a client in a room', async (t) => {
    const server = await serverOf(t)();
    const ayse = await inRooms(t, server, 'ayşe', ['genel', 'başka']);
    const tab = await inRooms(t, server, 'ayşe', ['genel']);
    const ahmet = await inRooms(t, server, 'ahmet', ['genel']);
    const keyed = (client, room_id) => request(client, 'chat', { room_id, message: 'a', idempotency_key: 'ğ'.repeat(32) });
    const first = await keyed(ayse, 'genel');
    assert.deepEqual([first.type, first.seq], ['ok', 1]);
    assert.deepEqual(await keyed(tab, 'genel'), first);
    assert.deepEqual(await keyed(ayse, 'genel'), first);
    assert.equal((await keyed(ahmet, 'genel')).seq, 2);
    assert.equal((await keyed(ayse, 'başka')).seq, 1);
    assert.equal((await request(ayse, 'get_history', ROOM)).messages.length, 2);
  });

  test('connections of one id are two until one takes over', async (t) => {
    const server = await serverOf(t)();
    const first = await inRooms(t, server, 'ayşe', ['genel']);
    const second = await inRooms(t, server, 'ayşe');
    assert.deepEqual(await second.askJson({ type: 'typing', ...ROOM }), error('Bu odada değilsiniz'));
    send(second, { type: 'join_room', ...ROOM });
    await isTold(first, 'genel', 'ayşe odaya katıldı');
    const other = await inRooms(t, server, 'ahmet');
    const newest = await inRooms(t, server, 'ayşe', [], { takeover: '1' });
    for (const client of [first, second]) {
      assert.deepEqual(await client.closed(), { code: 4009, reason: 'Replaced by a new connection' });
    }
    for (const client of [newest, other]) await hearsNothing(client);
  });

  for (const [path, args] of [['/ws/', []], ['/ws/undefined', []], ['/any/path', ['rooms']], ['/', ['rooms']]]) {
    test(`a client on ${path} gets a random id, and a name after it`, async (t) => {
      const client = await Client.open(t, await serverOf(t)(...args), path);
      const [[id, { name, status }]] = Object.entries((await client.askJson({ type: 'get_users' })).users);
      assert.match(id, UUID);
      assert.deepEqual([name, status], [`User-${id.slice(0, 8)}`, 'online']);
    });
  }

  test('a client without a name is called after the first 8 characters of its id', async (t) => {
    const client = await inRooms(t, await serverOf(t)('rooms'), 'ğüşiöçıĞÜ', [], { username: '' });
    const { users } = await client.askJson({ type: 'get_users' });
    assert.deepEqual(users, { ğüşiöçıĞÜ: { name: 'User-ğüşiöçıĞ', status: 'online' } });
  });

  test('a ping gets a pong, before a join too, and heartbeats are accepted silently', async (t) => {
    const client = await inRooms(t, await serverOf(t)(), 'ayşe');
    send(client, { type: 'heartbeat' });
    send(client, { type: 'pong' });
    await hearsNothing(client);
  });

  test('a binary message is closed with 1003', async (t) => {
    const client = await inRooms(t, await serverOf(t)(), 'ayşe');
    client.send(Buffer.from('{"type":"ping"}'));
    assert.deepEqual(await client.closed(), { code: 1003, reason: 'Text messages only' });
  });
});
