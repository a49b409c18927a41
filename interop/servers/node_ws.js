'use strict';
// A peer for our client, on npm `ws`. README.md in the folder above says what each path does.

const { createHash } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { parseArgs } = require('node:util');
const { WebSocketServer } = require('ws');

const BIG = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, place) => place % 256));
const REFUSAL = '{"error":"not today"}';

const { values: options } = parseArgs({
  options: {
    cert: { type: 'string' },
    key: { type: 'string' },
    'until-stdin-ends': { type: 'boolean', default: false },
  },
});

let latest;

/** What is done with an open connection, by the first part of its path. */
const behaviours = {
  echo(socket) {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  },
  fragments(socket) {
    socket.send('mer', { fin: false });
    socket.send('', { fin: false });
    socket.ping('between');
    socket.send('ha', { fin: false });
    socket.send('ba', { fin: true });
    socket.send(Buffer.from([0, 1]), { fin: false });
    socket.send(Buffer.from([2]), { fin: true });
    behaviours.echo(socket);
  },
  close(socket, { argument }) {
    socket.close(Number(argument), `closed with ${argument}`);
  },
  ping(socket) {
    const start = performance.now();
    socket.ping('how far?');
    socket.once('pong', () => socket.send(JSON.stringify({ rtt_ms: performance.now() - start })));
    behaviours.echo(socket);
  },
  vanish(socket, { argument, stream }) {
    const plain = options.cert ? stream._parent ?? stream : stream;
    socket.once('message', () => (argument === 'reset' ? plain.resetAndDestroy() : plain.destroy()));
  },
  subprotocol(socket) {
    socket.send(socket.protocol || 'None');
    behaviours.echo(socket);
  },
  big(socket) {
    socket.send(BIG);
    behaviours.echo(socket);
  },
  headers(socket, { request }) {
    socket.send(JSON.stringify(request.headers));
    behaviours.echo(socket);
  },
  async 'last-close'(socket) {
    socket.send(JSON.stringify(await latest));
    socket.close();
  },
};

/** Completes the handshake and then reads without ever answering. */
function silence(request, stream) {
  const key = request.headers['sec-websocket-key'];
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  stream.write(`${head.join('\r\n')}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  stream.on('error', () => {}).on('end', () => stream.end());
  stream.resume();
}

function refuse(stream) {
  const head = ['HTTP/1.1 403 Forbidden', 'Content-Type: application/json', 'X-Refused-By: peer', 'Connection: close'];
  stream.end(`${head.join('\r\n')}\r\nContent-Length: ${REFUSAL.length}\r\n\r\n${REFUSAL}`);
}

const websockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: true,
  maxPayload: 0,
  handleProtocols: (offered, { url }) => (url.startsWith('/subprotocol') && offered.has('chat') ? 'chat' : false),
});

function upgrade(request, stream, head) {
  const [name, argument] = new URL(request.url, 'http://peer').pathname.slice(1).split('/');
  if (name === 'refuse') return refuse(stream);
  if (name === 'silent') return silence(request, stream);
  return websockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on('error', () => {});
    if (name !== 'last-close') {
      latest = once(socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
    }
    const behaviour = Object.hasOwn(behaviours, name) ? behaviours[name] : () => socket.close(1008, 'no such behaviour');
    behaviour(socket, { argument, request, stream });
  });
}

const tls = options.cert && { cert: fs.readFileSync(options.cert), key: fs.readFileSync(options.key) };
const server = tls ? https.createServer(tls) : http.createServer();
server.on('upgrade', upgrade);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
if (options['until-stdin-ends']) {
  // Whoever started this is gone: no close frames, no waiting.
  process.stdin.on('end', () => process.exit()).resume();
}
