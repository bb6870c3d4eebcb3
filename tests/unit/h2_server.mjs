// A real HTTP/2 server over TLS that misbehaves by path, for test_http_h2.c:
//   node h2_server.mjs CERT KEY
// prints its port; ends with its standard input. Every answer says in x-seen how many requests for
// its path arrived so far, and in x-session the number of the connection.
import http2 from 'node:http2'
import { readFileSync } from 'node:fs'

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_REFUSED_STREAM } = http2.constants
const [cert, key] = process.argv.slice(2).map(f => readFileSync(f))
const server = http2.createSecureServer({ cert, key, allowHTTP1: true })
const seen = new Map()
let sessions = 0

const numbered = new WeakMap()
const sockets = new WeakMap()
let latest
server.prependListener('secureConnection', socket => { latest = socket })
server.on('session', session => {
  numbered.set(session, ++sessions)
  sockets.set(session, latest)
  session.on('error', () => {})
})

const WAYS = {
  // the head, half a body, and the end of the stream
  '/half': s => { s.respond(head(s, { 'content-length': 10 })); s.write('half '); setImmediate(() => s.close(NGHTTP2_INTERNAL_ERROR)) },
  '/reset': s => s.close(NGHTTP2_INTERNAL_ERROR),
  '/refused': s => s.close(NGHTTP2_REFUSED_STREAM),
  // says goodbye, and still answers what it took
  '/goaway': s => { s.session.goaway(NGHTTP2_NO_ERROR, s.id); s.respond(head(s)); s.end('last') },
  // says goodbye before it took the request (that stream is above the last one it names)
  '/goaway_before': s => { s.session.goaway(NGHTTP2_NO_ERROR, 0); s.session.destroy() },
  '/goaway_error': s => { s.session.goaway(NGHTTP2_ENHANCE_YOUR_CALM, s.id); s.session.destroy() },
  '/gone': s => sockets.get(s.session).destroy(),
  '/silent': () => {},
  '/early': s => { s.additionalHeaders({ ':status': 103, link: '</a>' }); setTimeout(() => { s.respond(head(s)); s.end('after 103') }, 700) },
  '/stalls': s => { s.respond({ ...head(s), ':status': 201 }); s.write('begun') },
  '/big': s => { s.respond(head(s)); s.end(Buffer.alloc(3 << 20, 'b')) },
  '/announced': s => { s.respond(head(s, { 'content-length': 3 << 20 })); s.write('b') },
  '/heads': s => { s.respond(head(s, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'v'])))); s.end() },
  '/empty': s => s.respond({ ...head(s), ':status': 204 }, { endStream: true })
}

function head (s, more = {}) {
  return { ':status': 200, 'x-seen': String(seen.get(s.path)), 'x-session': String(numbered.get(s.session)), ...more }
}

server.on('stream', (s, headers) => {
  s.path = headers[':path']
  seen.set(s.path, (seen.get(s.path) ?? 0) + 1)
  s.on('error', () => {})
  if (WAYS[s.path]) return WAYS[s.path](s)
  const chunks = []
  s.on('data', d => chunks.push(d))
  s.on('end', () => {
    s.respond(head(s, { 'content-type': 'text/plain' }))
    s.end(`${headers[':method']} ${headers[':path']} HTTP/2 ${headers['content-type'] ?? '-'} ${Buffer.concat(chunks)}`)
  })
})

// The same by HTTP/1.1, which is how effects come.
server.on('request', (req, res) => {
  if (req.httpVersionMajor === 2) return
  seen.set(req.url, (seen.get(req.url) ?? 0) + 1)
  if (WAYS[req.url]) return req.socket.destroy()
  const chunks = []
  req.on('data', d => chunks.push(d))
  req.on('end', () => {
    res.writeHead(201, { 'x-seen': seen.get(req.url) })
    res.end(`${req.method} ${req.url} HTTP/${req.httpVersion} ${req.headers['content-type'] ?? '-'} ${Buffer.concat(chunks)}`)
  })
})

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
