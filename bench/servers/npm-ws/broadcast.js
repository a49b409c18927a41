'use strict';
// A room on npm `ws`: broadcast.js ADDRESS SIZE. Prints what it is bound to as its first line. A delivered message is
// SIZE bytes.
//
// Tuned with what is public: a message is made once, as a buffer; compression is off; `handleUpgrade` lets us keep the
// sockets, which are corked while the messages of one read go out, so that each member gets them in one write.

const http = require('node:http');
const { WebSocketServer } = require('ws');

const [address, size] = process.argv.slice(2);
const [host, port] = address.split(':');

const JOIN = '{"type":"join_room"';
const PUBLISH = '{"type":"room_message"';
const PADDING = ',"padding":"';

const room = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const members = new Map();
const text = { binary: false };
let pending = [];

// As `servers/chat` does it.
function chat(message) {
  const fields = '{"type":"chat"' + message.slice(PUBLISH.length, -1);
  const short = size - Buffer.byteLength(fields) - 1;
  const padding = short - PADDING.length - 1;
  const filled = padding >= 0 ? PADDING + 'x'.repeat(padding) + '"' : ' '.repeat(Math.max(short, 0));
  return Buffer.from(fields + filled + '}');
}

function deliver() {
  const messages = pending;
  pending = [];
  for (const [client, socket] of members) {
    socket.cork();
    for (const message of messages) client.send(message, text);
    socket.uncork();
  }
}

const server = http.createServer();
server.on('upgrade', (request, socket, head) => {
  socket.setNoDelay(true);
  room.handleUpgrade(request, socket, head, (client) => {
    client.on('message', (data) => {
      const message = data.toString();
      if (message.startsWith(JOIN)) {
        members.set(client, socket);
        client.send('{"type":"ok","id":1}');
      } else if (message.startsWith(PUBLISH)) {
        // All messages of one read are here before this is called.
        if (pending.push(chat(message)) === 1) process.nextTick(deliver);
      }
    });
    client.on('close', () => members.delete(client));
    // A client that leaves without a word.
    client.on('error', () => {});
  });
});

server.listen(Number(port), host, () => {
  const bound = server.address();
  console.log(`${bound.address}:${bound.port}`);
});
