'use strict';
// What the tests call in the page: WebSockets by name, whose messages and end can be awaited.

const PATIENCE = 15_000;
const sockets = {};

/** Waits for something, but not for ever. */
function within(promise, what) {
  return Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`waited for ${what}`)), PATIENCE)),
  ]);
}

/** Opens a WebSocket; resolves with 'open', or with how it ended when that comes first. */
function openSocket(name, url) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const state = { socket, arrived: [], waiting: [] };
  sockets[name] = state;
  socket.onmessage = ({ data }) => {
    const wait = state.waiting.shift();
    if (wait) wait(data);
    else state.arrived.push(data);
  };
  state.closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  const opened = new Promise((resolve) => {
    socket.onopen = () => resolve('open');
  });
  return within(Promise.race([opened, state.closed]), 'the handshake');
}

function next(name) {
  const { arrived, waiting } = sockets[name];
  if (arrived.length > 0) return arrived.shift();
  return within(new Promise((resolve) => waiting.push(resolve)), 'a message');
}

function send(name, data) {
  sockets[name].socket.send(data);
}

function ask(name, data) {
  send(name, data);
  return next(name);
}

/** Sends these bytes and returns those that come back; fails unless they come as binary. */
async function askBytes(name, bytes, asBlob) {
  const data = new Uint8Array(bytes);
  const answer = await ask(name, asBlob ? new Blob([data]) : data);
  if (!(answer instanceof ArrayBuffer)) throw new Error(`no binary message: ${typeof answer}`);
  return Array.from(new Uint8Array(answer));
}

/** Closes, if a code is given, and says how the connection ended. */
function closeSocket(name, code, reason) {
  if (code) sockets[name].socket.close(code, reason);
  return within(sockets[name].closed, 'the close');
}
