'use strict';
// What a server was told to limit, and the signs of life that it was told to ask for.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { serverOf } = require('../telsiz.js');
const { Client, refusal } = require('./client.js');
const { TEXTS, hearsNothing, inRoom, inRooms, isTold, json, request, roomPath } = require('./rooms.js');

const ROOM = { room_id: 'genel' };
const SAYS = {
  tr: {
    rooms: 'En çok 1 odada olabilirsiniz',
    full: 'Oda dolu: en çok 1 bağlantı olabilir',
    large: 'Mesaj çok büyük: en çok 4 bayt',
    history: (seconds) => `Geçmişi çok sık istediniz; ${seconds} saniye sonra yeniden deneyin`,
  },
  en: {
    rooms: 'You may be in at most 1 rooms',
    full: 'The room is full: at most 1 connections may be in it',
    large: 'The message is too large: at most 4 bytes',
    history: (seconds) => `You asked for the history too often; try again in ${seconds} seconds`,
  },
};

for (const lang of ['tr', 'en']) {
  describe(`limits (${lang})`, () => {
    test('a request beyond one is answered with limit', async (t) => {
      const server = await serverOf(t)(
        '--max-rooms-per-connection=1',
        '--max-members-per-room=1',
        '--max-publish-size=4',
        '--history-rate=1/60s',
      );
      const client = await inRooms(t, server, 'ayşe', ['genel'], { lang });
      const other = await inRooms(t, server, 'can', [], { lang });
      const beyond = async (asker, message, ...asked) => {
        const { type, code, message: said, retry_after: seconds } = await request(asker, ...asked);
        const expected = typeof message === 'string' ? message : message(seconds);
        assert.deepEqual([type, code, said], ['error', 'limit', expected]);
      };
      await beyond(client, SAYS[lang].rooms, 'join_room', { room_id: 'two' });
      await beyond(other, SAYS[lang].full, 'join_room', ROOM);
      await beyond(client, SAYS[lang].large, 'room_message', { ...ROOM, message: 'ğğ!' });
      assert.equal((await request(client, 'get_history', ROOM)).type, 'message_history');
      await beyond(client, SAYS[lang].history, 'get_history', ROOM);
    });

    test('who finds a room full is refused with 503, or told by the Close frame', async (t) => {
      const server = await serverOf(t)('--max-members-per-room', '1');
      const first = await inRoom(t, server, 'ayşe', 'genel', { lang });
      const path = roomPath('genel', { user_id: 'can', username: 'can' });
      const { status, body } = await refusal(server, path, { headers: { 'accept-language': lang } });
      assert.deepEqual([status, JSON.parse(body).detail], [503, SAYS[lang].full]);
      const ours = await Client.open(t, server, path, { protocols: ['telsiz.v1'] });
      assert.deepEqual(await ours.closed(), { code: 1013, reason: 'Room is full' });
      await hearsNothing(first);
    });

    test('who falls silent has left', async (t) => {
      const server = await serverOf(t)('--ping-interval', '500ms', '--ping-timeout', '1s');
      const witness = await inRooms(t, server, 'ahmet', ['genel'], { lang });
      const silent = await inRooms(t, server, 'ayşe', ['genel'], { lang });
      await isTold(witness, 'genel', TEXTS[lang].joined('ayşe'));
      silent.socket.pause();
      await isTold(witness, 'genel', TEXTS[lang].left('ayşe'));
    });
  });
}

test('pings in JSON come first and may be answered', async (t) => {
  const server = await serverOf(t)('--json-ping', 'on');
  for (const path of ['/chat', '/ws/a', '/envelope', '/typed']) {
    const client = await Client.open(t, server, path);
    assert.deepEqual(await json(client), { type: 'ping' });
    client.send('{"type":"pong"}');
    await hearsNothing(client);
  }
});

test('who says nothing is closed with 1001', async (t) => {
  const server = await serverOf(t)('--idle-timeout', '1s', '--ping-interval', '100ms');
  const client = await Client.open(t, server, '/typed');
  assert.deepEqual(await client.closed(), { code: 1001, reason: 'idle timeout' });
});
