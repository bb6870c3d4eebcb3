// The raw requests of tests/gate/http.txt against Node's own HTTP server, as a second oracle: what
// our table accepts, Node must accept too, with the same method, target and body length.
//
//   node --test tests/e2e/http_gate.test.mjs
//
// And against our own binary: it says over a socket what the table says of the parser.
//
// Exceptions, each Node's own limit: methods that it does not list; bodies over 64 kB are left out
// to keep this quick; Upgrade without a listener is served as plain HTTP by both.
import test from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { Server } from './server.mjs';

const ESCAPES = { r: '\r', n: '\n', t: '\t', s: ' ', 0: '\0' };

function unescape(text) {
  let out = '';
  for (let i = 0; i < text.length;) {
    if (text[i] === '{') {
      const m = /^\{((?:\\x..|\\.|[^*\\]|\*(?!\d))*)\*(\d+)\}/.exec(text.slice(i));
      out += unescape(m[1]).repeat(Number(m[2]));
      i += m[0].length;
    } else if (text[i] === '\\' && text[i + 1] === 'x') {
      out += String.fromCharCode(parseInt(text.slice(i + 2, i + 4), 16));
      i += 4;
    } else if (text[i] === '\\') {
      out += ESCAPES[text[i + 1]] ?? text[i + 1];
      i += 2;
    } else {
      out += text[i++];
    }
  }
  return out;
}

function load() {
  const cases = [];
  for (const line of fs.readFileSync(new URL('../gate/http.txt', import.meta.url), 'latin1').split('\n')) {
    if (line.startsWith('##')) continue;
    const now = cases[cases.length - 1];
    if (line.startsWith('== ')) cases.push({ name: line.slice(3), verdict: '', raw: '' });
    else if (line.startsWith('=> ')) now.verdict = line.slice(3);
    else if (now) now.raw += line.endsWith('\\') && !line.endsWith('\\\\') ? line.slice(0, -1) : line + '\\r\\n';
  }
  // the file's last newline is no line of its last case
  const last = cases[cases.length - 1];
  last.raw = last.raw.replace(/\\r\\n$/, '');
  for (const c of cases) c.bytes = Buffer.from(unescape(c.raw), 'latin1');
  return cases;
}

// Sends bytes to a fresh connection; the first request that Node saw, or the status of its error.
function ask(port, seen, bytes) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let answer = '';
    const done = () => {
      socket.destroy();
      resolve({ request: seen.shift(), status: Number(answer.split(' ')[1]) });
    };
    seen.length = 0;
    socket.on('data', (d) => {
      answer += d.toString('latin1');
      if (!answer.startsWith('HTTP/1.1 100') || answer.length > 30) done();
    });
    socket.on('error', done);
    socket.on('close', done);
    socket.write(bytes);
  });
}

test('what the gate accepts, Node accepts alike', async () => {
  const seen = [];
  const server = http.createServer({ maxHeaderSize: 20000 }, (req, res) => {
    let length = 0;
    req.on('data', (d) => (length += d.length));
    req.on('end', () => {
      seen.push({ method: req.method, url: req.url, length });
      res.end();
    });
    req.on('error', () => {});
  });
  server.maxHeadersCount = 0;
  await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
  const { port } = server.address();
  const differ = [];
  let compared = 0;
  for (const c of load()) {
    if (/^(\d|more)/.test(c.verdict) || c.bytes.length > 65536) continue;
    const [method, target, ...words] = c.verdict.split(' ').map(unescape);
    if (!http.METHODS.includes(method) || method === 'CONNECT') continue;
    compared++;
    const got = await ask(port, seen, c.bytes);
    const body = words.find((w) => w.startsWith('body='))?.slice(5).length;
    const size = words.find((w) => w.startsWith('size='))?.slice(5);
    const length = body ?? (size === undefined ? undefined : Number(size));
    if (!got.request) differ.push(`${c.name}: Node answers ${got.status}`);
    else if (got.request.method !== method || got.request.url !== target || (length !== undefined && got.request.length !== length))
      differ.push(`${c.name}: Node saw ${JSON.stringify(got.request).slice(0, 200)}`);
  }
  server.close();
  server.closeAllConnections();
  assert.ok(compared >= 45, `only ${compared} compared`);
  assert.deepEqual(differ, []);
});

// Everything that comes until the connection ends, or until one answer is whole and nothing follows.
function exchange(port, bytes) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let got = '';
    let quiet;
    const done = (closed) => {
      clearTimeout(quiet);
      socket.destroy();
      resolve({ got, closed });
    };
    socket.on('data', (d) => {
      got += d.toString('latin1');
      clearTimeout(quiet);
      quiet = setTimeout(done, 300, false);
    });
    socket.on('error', () => done(true));
    socket.on('close', () => done(true));
    socket.write(bytes);
  });
}

test('the server says what the table says', async () => {
  const server = await Server.start({ env: { LUWAK_LOG_LEVEL: 'debug' } });
  const wrong = [];
  let compared = 0;
  const check = async (c) => {
    const [verdict, target] = c.verdict.split(' ').map(unescape);
    const { got, closed } = await exchange(server.port, c.bytes);
    const first = /^(?:HTTP\/1\.1 100 [^]*?\r\n\r\n)?HTTP\/1\.1 (\d\d\d) [^]*?\r\n\r\n/.exec(got);
    compared++;
    if (!first) wrong.push(`${c.name}: no answer: ${JSON.stringify(got.slice(0, 80))}`);
    else if (/^\d\d\d$/.test(verdict)) {
      if (first[1] !== verdict || !closed) wrong.push(`${c.name}: ${first[1]} for ${verdict}, ${closed ? 'closed' : 'open'}`);
    } else {
      const id = /\r\nX-Request-Id: (\S+)\r\n/.exec(first[0])?.[1];
      const seen = server.log.find((l) => l.event === 'request' && l.request === id);
      const path = target.split('?')[0].slice(0, 200); // the log cuts long texts
      if (!seen || seen.method !== verdict || seen.path.slice(0, 200) !== path) wrong.push(`${c.name}: ${first[1]}, seen as ${JSON.stringify(seen)}`);
    }
  };
  // "more" waits for what never comes: the unit tests have those. Wide, since the quiet time adds up.
  const cases = load().filter((c) => !c.verdict.startsWith('more') && c.bytes.length <= 65536);
  const left = cases.slice();
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (let c = left.shift(); c; c = left.shift()) await check(c);
  }));
  await server.stop();
  assert.ok(compared >= 150, `only ${compared} compared`);
  assert.deepEqual(wrong, []);
});
