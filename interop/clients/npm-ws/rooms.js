'use strict';
// Clients of `room` and `rooms`, and what these say.

const assert = require('node:assert/strict');
const { Client } = require('./client.js');

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const TEXTS = {
  tr: {
    youJoined: (room) => `'${room}' odasına katıldınız`,
    joined: (name) => `${name} odaya katıldı`,
    youLeft: (room) => `'${room}' odasından ayrıldınız`,
    left: (name) => `${name} odadan ayrıldı`,
    user_joined: (name) => `${name} sohbete katıldı`,
    user_left: (name) => `${name} sohbetten ayrıldı`,
    blank: 'Mesaj boş olamaz',
    noJson: 'JSON formatında mesaj göndermelisiniz',
    noObject: 'bir JSON nesnesi bekleniyordu',
    notMember: 'Bu odada değilsiniz',
    text: (field) => `${field}: bir metin bekleniyordu`,
    room: (field) => `${field}: 1-128 karakterlik, denetim karakteri içermeyen bir metin bekleniyordu`,
    user: (field) => `${field}: en çok 128 karakterlik, denetim karakteri içermeyen bir metin bekleniyordu`,
    oneOf: (field, choices) => `${field}: ${choices} değerlerinden biri bekleniyordu`,
    whole: (field) => `${field}: 1 ile 9007199254740991 arasında bir tam sayı bekleniyordu`,
    since: (field) => `${field}: epoch (metin) ve seq (tam sayı) alanları olan bir nesne bekleniyordu`,
    key: (field) => `${field}: 1-64 baytlık bir metin bekleniyordu`,
    id: (field) => `${field}: bir sayı ya da en çok 64 baytlık bir metin bekleniyordu`,
    tooLarge: 'Mesaj çok büyük: en çok 65536 bayt',
    tooOften: (seconds) => `Çok sık mesaj gönderdiniz; ${seconds} saniye sonra yeniden deneyin`,
  },
  en: {
    youJoined: (room) => `You joined room '${room}'`,
    joined: (name) => `${name} joined the room`,
    youLeft: (room) => `You left room '${room}'`,
    left: (name) => `${name} left the room`,
    user_joined: (name) => `${name} joined the chat`,
    user_left: (name) => `${name} left the chat`,
    blank: 'Message cannot be empty',
    noJson: 'You must send a message in JSON format',
    noObject: 'expected a JSON object',
    notMember: 'You are not in this room',
    text: (field) => `${field}: expected a text`,
    room: (field) => `${field}: expected a text of 1 to 128 characters without control characters`,
    user: (field) => `${field}: expected a text of at most 128 characters without control characters`,
    oneOf: (field, choices) => `${field}: expected one of ${choices}`,
    whole: (field) => `${field}: expected a whole number from 1 to 9007199254740991`,
    since: (field) => `${field}: expected an object with epoch (a text) and seq (an integer)`,
    key: (field) => `${field}: expected a text of 1 to 64 bytes`,
    id: (field) => `${field}: expected a number or a text of at most 64 bytes`,
    tooLarge: 'The message is too large: at most 65536 bytes',
    tooOften: (seconds) => `Too many messages; try again in ${seconds} seconds`,
  },
};

const error = (message) => ({ type: 'error', message });

/** A message without its timestamp, which must be one. */
function timeless({ timestamp, ...message }) {
  assert.match(timestamp, ISO);
  return message;
}

const json = async (client) => JSON.parse(await client.next());
const send = (client, message) => client.send(JSON.stringify(message));

/** Whatever was on the way has come when a ping is answered. */
const hearsNothing = async (client) => assert.deepEqual(await client.askJson({ type: 'ping' }), { type: 'pong' });

const roomPath = (room, query) => `/ws/chat/${encodeURIComponent(room)}?${new URLSearchParams(query)}`;
const roomsPath = (id, query) => `/ws/${encodeURIComponent(id)}?${new URLSearchParams(query)}`;

/** The next message is this line of `rooms` about a room. */
async function isTold(client, room, message) {
  assert.deepEqual(timeless(await json(client)), { type: 'system', message, level: 'info', room_id: room });
}

/** A client of `rooms`, named like its id, in some rooms. */
async function inRooms(t, server, id, rooms = [], { lang = 'tr', ...query } = {}) {
  const client = await Client.open(t, server, roomsPath(id, { username: id, lang, ...query }));
  for (const room of rooms) {
    send(client, { type: 'join_room', room_id: room });
    send(client, { type: 'ping' });
    await isTold(client, room, TEXTS[lang].youJoined(room));
    // When the ping is answered, all know that it joined.
    const kept = [];
    for (let next; JSON.parse((next = await client.next())).type !== 'pong'; ) kept.push(next);
    client.arrived.unshift(...kept);
  }
  return client;
}

/** A client of `room`, named like its id, which has read what it is told when it joins. */
async function inRoom(t, server, id, room, { lang = 'tr', ...query } = {}) {
  const client = await Client.open(t, server, roomPath(room, { user_id: id, username: id, lang, ...query }));
  assert.equal((await json(client)).type, 'user_joined');
  assert.equal((await json(client)).type, 'room_members');
  return client;
}

let lastId = 0;

/** Sends a command with an `id`; returns the answer to it without the `id`. What comes before is lost. */
async function request(client, type, fields = {}) {
  lastId += 1;
  send(client, { type, ...fields, id: lastId });
  for (;;) {
    const { id, ...answer } = await json(client);
    if (id === lastId) return answer;
  }
}

module.exports = { TEXTS, error, hearsNothing, inRoom, inRooms, isTold, json, request, roomPath, roomsPath, send, timeless };
