'use strict';
// A `ws` client whose messages and end can be awaited.

const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');
const { file, within } = require('../telsiz.js');

class Client {
  /** Opens a connection that ends with the test `t`. */
  static async open(t, server, path = '/', options = {}) {
    const client = new Client(server, path, options);
    t.after(() => client.socket.terminate());
    await within(once(client.socket, 'open'), 'the handshake');
    return client;
  }

  /** Options are those of `ws`, and `protocols`: the sub-protocols that are offered. */
  constructor(server, path, { protocols = [], ...options }) {
    const trust = server.tls ? { ca: fs.readFileSync(file('ca.pem')) } : {};
    this.socket = new WebSocket(server.url(path), protocols, { ...trust, ...options });
    this.waiting = [];
    this.arrived = [];
    this.ended = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.end = { code, reason: reason.toString() };
        resolve(this.end);
        for (const wait of this.waiting.splice(0)) wait.reject(new Error(`closed with ${code} ${reason}`));
      });
    });
    this.socket.on('error', () => {});
    this.socket.on('message', (data, binary) => {
      const message = binary ? data : data.toString();
      const wait = this.waiting.shift();
      if (wait) wait.resolve(message);
      else this.arrived.push(message);
    });
  }

  send(message, options) {
    this.socket.send(message, options ?? {});
  }

  /** The next message: a string for text, a Buffer for binary. */
  next() {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    if (this.end) return Promise.reject(new Error(`closed with ${this.end.code} ${this.end.reason}`));
    const message = new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    return within(message, 'a message');
  }

  /** Sends a message and returns the next one that comes. */
  ask(message) {
    this.send(message);
    return this.next();
  }

  /** Sends an object and returns the next one that comes, both as JSON. */
  async askJson(message) {
    return JSON.parse(await this.ask(JSON.stringify(message)));
  }

  /** How the connection ended: `{code, reason}`. */
  closed() {
    return within(this.ended, 'the close');
  }
}

/** What a server answers to a handshake that it refuses. */
async function refusal(server, path, options = {}) {
  const client = new Client(server, path, options);
  const [, response] = await within(once(client.socket, 'unexpected-response'), 'a refusal');
  const body = await response.setEncoding('utf8').toArray();
  client.socket.terminate();
  return { status: response.statusCode, headers: response.headers, body: body.join('') };
}

module.exports = { Client, refusal };
