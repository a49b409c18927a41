'use strict';
// How connections end, seen by npm `ws`.

const assert = require('node:assert/strict');
const http = require('node:http');
const { once } = require('node:events');
const { describe, test } = require('node:test');
const { serverOf, within } = require('../telsiz.js');
const { Client, refusal } = require('./client.js');

for (const tls of [false, true]) {
  describe(tls ? 'over TLS' : 'plain', () => {
    const serve = (t, ...args) => serverOf(t)(...args, { tls });

    for (const [code, reason] of [[1000, ''], [3000, 'hoşça kal'], [4999, 'x'.repeat(123)]]) {
      test(`a close with ${code} is echoed with its reason`, async (t) => {
        const client = await Client.open(t, await serve(t, 'echo'), '/echo');
        client.socket.close(code, reason);
        assert.deepEqual(await client.closed(), { code, reason });
      });
    }

    test('an oversized message is told and closed with 1009', async (t) => {
      const client = await Client.open(t, await serve(t, 'echo'), '/echo');
      assert.equal((await client.ask('x'.repeat(65_536))).length, 65_536);
      assert.equal(await client.ask('x'.repeat(65_537)), '{"error":"Message too large","max_size":65536}');
      assert.equal((await client.closed()).code, 1009);
    });

    test('an unknown path is accepted and closed with 1008', async (t) => {
      const client = await Client.open(t, await serve(t), '/nowhere');
      assert.deepEqual(await client.closed(), { code: 1008, reason: 'Unknown endpoint' });
    });

    test('a server that vanishes is seen as 1006', async (t) => {
      const server = await serve(t, 'echo');
      const client = await Client.open(t, server, '/echo');
      assert.equal(await client.ask('there?'), 'there?');
      await server.vanish();
      assert.equal((await client.closed()).code, 1006);
    });

    test('a stop closes every client with 1012 and ends the process', async (t) => {
      const server = await serve(t);
      const paths = ['/echo', '/broadcast', '/ws', '/numbered', '/typed'];
      const clients = await Promise.all(paths.map((path) => Client.open(t, server, path)));
      server.terminate();
      const ends = await Promise.all(clients.map((client) => client.closed()));
      assert.deepEqual(ends.map((end) => end.code), paths.map(() => 1012));
      assert.equal(await server.stopped(), 0);
    });

    test('another version is refused with 426', async (t) => {
      const refused = await refusal(await serve(t, 'echo'), '/echo', { protocolVersion: 8 });
      assert.equal(refused.status, 426);
      assert.equal(refused.headers['sec-websocket-version'], '13');
      assert.notEqual(refused.body, '');
    });
  });
}

for (const app of ['relay', 'numbered', 'typed']) {
  test(`a binary frame to ${app} is closed with 1003`, async (t) => {
    const client = await Client.open(t, await serverOf(t)(app));
    client.send(Buffer.from([0, 1]));
    assert.equal((await client.closed()).code, 1003);
  });
}

test('more fragments than allowed are closed with 1008', async (t) => {
  const client = await Client.open(t, await serverOf(t)('echo', '--max-fragments', '4'));
  for (const last of [false, false, false, true]) client.send('x', { fin: last });
  assert.equal(await client.next(), 'xxxx');
  for (const last of [false, false, false, false, false, false, true]) client.send('x', { fin: last });
  assert.deepEqual(await client.closed(), { code: 1008, reason: 'Too many fragments' });
});

test('an upgrade without a key is answered with 400, one by POST with 405', async (t) => {
  const server = await serverOf(t)('echo');
  const ask = async (method, headers) => {
    const request = http.request(server.http('/echo'), {
      method,
      headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', ...headers },
    });
    request.end();
    const [response] = await within(once(request, 'response'), 'an answer');
    response.resume();
    return response.statusCode;
  };
  assert.equal(await ask('GET', {}), 400);
  assert.equal(await ask('POST', { 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }), 405);
});
