'use strict';
// A running `telsiz serve`, for the suites in JavaScript.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const ROOT = path.resolve(__dirname, '../..');
const BINARY = process.env.TELSIZ_BIN ?? path.join(ROOT, 'target/release/telsiz');
const CERTIFICATES = process.env.TELSIZ_CERTIFICATES ?? path.join(ROOT, 'target/tools/certificates');

// 16 MiB: what the tests with large messages start the server with.
const LARGE = ['--max-message-size', String(16 * 1024 * 1024)];
const MIB = 1024 * 1024;

// How long a server may take to start or to stop, in milliseconds.
const PATIENCE = 15_000;

/** One server process on a free port of loopback, in a folder of its own. */
class Server {
  static async start(args, { tls = false } = {}) {
    const server = new Server();
    server.tls = tls;
    server.port = await freePort();
    server.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'telsiz-test-'));
    server.log = path.join(server.folder, 'log');
    const certificate = ['--tls-cert', file('server.pem'), '--tls-key', file('server.key')];
    server.args = ['serve', ...args, '--listen', `127.0.0.1:${server.port}`, ...(tls ? certificate : [])];
    await server.again();
    return server;
  }

  /** Starts the process, or another one like it in its place. */
  async again() {
    const log = fs.openSync(this.log, 'a');
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TELSIZ_')));
    this.process = spawn(BINARY, this.args, { cwd: this.folder, env, stdio: ['ignore', log, log] });
    fs.closeSync(log);
    this.exited = once(this.process, 'exit');
    this.exited.catch(() => {});
    await this.listens();
  }

  async listens() {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      if (await accepts(this.port)) return;
      if (this.process.exitCode !== null || !this.process.pid || Date.now() > deadline) {
        throw new Error(`the server does not listen on port ${this.port}; it said:\n${this.said()}`);
      }
      await delay(5);
    }
  }

  url(path = '/') {
    return `${this.tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}${path}`;
  }

  http(path = '/') {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}${path}`;
  }

  said() {
    return fs.readFileSync(this.log, 'utf8');
  }

  /** Ends the process as a crash would: no close frame, nothing flushed. */
  async vanish() {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  /** Asks the process to stop. `stopped` waits for it. */
  terminate() {
    this.process.kill('SIGTERM');
  }

  async stopped() {
    const [code] = await within(this.exited, 'the server to stop');
    return code;
  }

  async close() {
    await this.vanish();
    fs.rmSync(this.folder, { recursive: true });
  }
}

/** Waits for something, but not for ever. */
async function within(promise, what, patience = PATIENCE) {
  const stop = new AbortController();
  const late = delay(patience, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`waited ${patience} ms for ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}

function file(name) {
  return path.join(CERTIFICATES, name);
}

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Starts servers that end with the test `t`. */
function serverOf(t) {
  return async (...args) => {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {};
    const server = await Server.start(args, options);
    t.after(() => server.close());
    return server;
  };
}

module.exports = { LARGE, MIB, PATIENCE, Server, file, serverOf, within };
