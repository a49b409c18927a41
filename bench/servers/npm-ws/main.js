'use strict';
// An echo on npm `ws`: main.js ADDRESS [--deflate] [--tls CERT KEY]. Prints what it is bound to as its first line.
//
// `bufferutil` stands beside it, as its documentation recommends. Compression has its defaults (messages from 1 KiB on,
// 10 at a time, in the threads that Node has for that) but for the level, which is 1, as with all servers.

const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const { WebSocketServer } = require('ws');

const [address, ...flags] = process.argv.slice(2);
const [host, port] = address.split(':');
const tls = flags.indexOf('--tls');

const server =
  tls < 0
    ? http.createServer()
    : https.createServer({ cert: fs.readFileSync(flags[tls + 1]), key: fs.readFileSync(flags[tls + 2]) });

const perMessageDeflate = flags.includes('--deflate') && { zlibDeflateOptions: { level: 1 } };
const echo = new WebSocketServer({ server, maxPayload: 16 * 1024 * 1024, perMessageDeflate });
echo.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  // A client that leaves without a word.
  socket.on('error', () => {});
});

server.listen(Number(port), host, () => {
  const bound = server.address();
  console.log(`${bound.address}:${bound.port}`);
});
