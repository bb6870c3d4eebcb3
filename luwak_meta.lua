---@meta
-- Made by the engine from its own tables; do not edit.

---a JSON number that is no 64-bit integer, kept as its text
---@class json.number
local json.number_ = {}

---the text as it came
---@return string
function json.number_:text() end

---JSON text that is encoded already
---@class json.raw
local json.raw_ = {}

---the text as it came
---@return string
function json.raw_:text() end

---Bytes that can be passed on but never seen: keys, passwords, tokens.
---@class secret
local secret_ = {}

---a request being answered
---@class request
local request_ = {}

---the body as JSON; nil, text, code when it is none
---@return any
---@return string?
---@return string?
function request_:json() end

---the body as a form; nil, text, code when it is none
---@return table?
---@return string?
---@return string?
function request_:form() end

---the query, taken apart
---@return table?
---@return string?
---@return string?
function request_:args() end

---raises message when v is false
---@param v any
---@param message? any
---@return any ...
function assert(v, message) end

---raises an error
---@param message any
---@param level? integer
function error(message, level) end

---the metatable, or what it shows
---@param v any
---@return table?
function getmetatable(v) end

---walks 1, 2, 3 ...
---@param t table
---@return function
---@return table
---@return integer
function ipairs(t) end

---the pair behind key
---@param t table
---@param key? any
---@return any
---@return any
function next(t, key) end

---walks all pairs in no order: for what is signed or stored use sorted
---@param t table
---@return function
---@return table
---@return any
function pairs(t) end

---calls f and catches its errors, but not the end of the call's budget
---@param f function
---@param ... any
---@return boolean
---@return any ...
function pcall(f, ...) end

---equality without metamethods
---@param a any
---@param b any
---@return boolean
function rawequal(a, b) end

---a field without metamethods
---@param t table
---@param key any
---@return any
function rawget(t, key) end

---length without metamethods
---@param v table|string
---@return integer
function rawlen(v) end

---sets without metamethods
---@param t table
---@param key any
---@param v any
---@return table
function rawset(t, key, v) end

---a module of scripts/lib, or a built-in one
---@param name string
---@return any
function require(name) end

---arguments from the nth on
---@param n integer|string
---@param ... any
---@return any ...
function select(n, ...) end

---sets the metatable; __gc, __close and __mode are refused
---@param t table
---@param mt? table
---@return table
function setmetatable(t, mt) end

---walks all pairs by key: numbers, strings, booleans
---@param t table
---@return function
function sorted(t) end

---the number in v
---@param v any
---@param base? integer
---@return number?
function tonumber(v, base) end

---text of v; never an address
---@param v any
---@return string
function tostring(v) end

---the type's name
---@param v any
---@return string
function type(v) end

---writes a line to standard output
---@param ... any
function print(...) end

---texts and patterns, bounded
---@class string
string = {}

---codes of bytes
---@param s string
---@param i? integer
---@param j? integer
---@return integer ...
function string.byte(s, i, j) end

---bytes of codes
---@param ... any
---@return string
function string.char(...) end

---where the pattern is; text up to 64 kB, 1 MB when plain
---@param s string
---@param pattern string
---@param from? integer
---@param plain? boolean
---@return integer?
---@return integer?
---@return any ...
function string.find(s, pattern, from, plain) end

---text; %p is refused
---@param format string
---@param ... any
---@return string
function string.format(format, ...) end

---walks all matches
---@param s string
---@param pattern string
---@param from? integer
---@return function
function string.gmatch(s, pattern, from) end

---replaces matches; a function must not wait
---@param s string
---@param pattern string
---@param by string|table|function
---@param most? integer
---@return string
---@return integer
function string.gsub(s, pattern, by, most) end

---bytes
---@param s string
---@return integer
function string.len(s) end

---ASCII letters in lower case
---@param s string
---@return string
function string.lower(s) end

---captures of the first match
---@param s string
---@param pattern string
---@param from? integer
---@return string ...
function string.match(s, pattern, from) end

---binary form of values
---@param format string
---@param ... any
---@return string
function string.pack(format, ...) end

---bytes that pack makes
---@param format string
---@return integer
function string.packsize(format) end

---s n times, 1 MB at most
---@param s string
---@param n integer
---@param sep? string
---@return string
function string.rep(s, n, sep) end

---bytes backwards
---@param s string
---@return string
function string.reverse(s) end

---a part of s
---@param s string
---@param i integer
---@param j? integer
---@return string
function string.sub(s, i, j) end

---values of a binary form
---@param format string
---@param s string
---@param from? integer
---@return any ...
function string.unpack(format, s, from) end

---ASCII letters in upper case
---@param s string
---@return string
function string.upper(s) end

---lists, by raw length
---@class table
table = {}

---joins strings and numbers
---@param t table
---@param sep? string
---@param i? integer
---@param j? integer
---@return string
function table.concat(t, sep, i, j) end

---puts v in, at the end
---@param t table
---@param at? integer
---@param v any
function table.insert(t, at, v) end

---copies elements
---@param t table
---@param from integer
---@param last integer
---@param to integer
---@param target? table
---@return table
function table.move(t, from, last, to, target) end

---a table of the arguments, with n
---@param ... any
---@return table
function table.pack(...) end

---takes an element out
---@param t table
---@param at? integer
---@return any
function table.remove(t, at) end

---sorts in place, stable; less must not wait
---@param t table
---@param less? function
function table.sort(t, less) end

---the elements as values, 8000 at most
---@param t table
---@param i? integer
---@param j? integer
---@return any ...
function table.unpack(t, i, j) end

---mathematics
---@class math
math = {}

---absolute value
---@param x number
---@return number
function math.abs(x) end

---arc cosine
---@param x number
---@return number
function math.acos(x) end

---arc sine
---@param x number
---@return number
function math.asin(x) end

---arc tangent of y/x
---@param y number
---@param x? number
---@return number
function math.atan(y, x) end

---the next integer up
---@param x number
---@return integer
function math.ceil(x) end

---cosine
---@param x number
---@return number
function math.cos(x) end

---radians to degrees
---@param x number
---@return number
function math.deg(x) end

---e to the x
---@param x number
---@return number
function math.exp(x) end

---the next integer down
---@param x number
---@return integer
function math.floor(x) end

---remainder, rounded to zero
---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---infinity
---@type number
math.huge = nil

---logarithm
---@param x number
---@param base? number
---@return number
function math.log(x, base) end

---the largest
---@param x number
---@param ... any
---@return number
function math.max(x, ...) end

---the largest integer
---@type integer
math.maxinteger = nil

---the smallest
---@param x number
---@param ... any
---@return number
function math.min(x, ...) end

---the smallest integer
---@type integer
math.mininteger = nil

---whole part and fraction
---@param x number
---@return number
---@return number
function math.modf(x) end

---3.14159...
---@type number
math.pi = nil

---degrees to radians
---@param x number
---@return number
function math.rad(x) end

---a random number of the engine's generator; not for secrets: crypto.random
---@param low? integer
---@param high? integer
---@return number
function math.random(low, high) end

---sine
---@param x number
---@return number
function math.sin(x) end

---square root
---@param x number
---@return number
function math.sqrt(x) end

---tangent
---@param x number
---@return number
function math.tan(x) end

---x as an integer, if it is one
---@param x any
---@return integer?
function math.tointeger(x) end

---"integer", "float" or nil
---@param x any
---@return string?
function math.type(x) end

---less, as unsigned
---@param a integer
---@param b integer
---@return boolean
function math.ult(a, b) end

---UTF-8 texts
---@class utf8
utf8 = {}

---UTF-8 of code points
---@param ... any
---@return string
function utf8.char(...) end

---matches one UTF-8 sequence
---@type string
utf8.charpattern = nil

---code points
---@param s string
---@param i? integer
---@param j? integer
---@return integer ...
function utf8.codepoint(s, i, j) end

---walks code points
---@param s string
---@return function
---@return string
---@return integer
function utf8.codes(s) end

---code points in s; nil and the place of a wrong byte
---@param s string
---@param i? integer
---@param j? integer
---@return integer?
---@return integer?
function utf8.len(s, i, j) end

---byte place of the nth code point
---@param s string
---@param n integer
---@param i? integer
---@return integer?
function utf8.offset(s, n, i) end

---files, for tools and tests
---@class io
io = {}

---closes a file
---@param file? file
---@return boolean
function io.close(file) end

---walks the lines of a file
---@param path? string
---@param ... any
---@return function
function io.lines(path, ...) end

---opens a file
---@param path string
---@param mode? string
---@return file?
---@return string?
function io.open(path, mode) end

---reads standard input
---@param ... any
---@return any
function io.read(...) end

---"file", "closed file" or nil
---@param v any
---@return string?
function io.type(v) end

---writes to standard output
---@param ... any
function io.write(...) end

---log lines
---@class log
log = {}

---a line for who looks closely
---@param event string|table
---@param fields? table
function log.debug(event, fields) end

---a line: log.info("paid", {reference = r})
---@param event string|table
---@param fields? table
function log.info(event, fields) end

---a line for what should not be
---@param event string|table
---@param fields? table
function log.warn(event, fields) end

---a line for what a person must see
---@param event string|table
---@param fields? table
function log.error(event, fields) end

---the engine itself
---@class engine
engine = {}

---waits; others run meanwhile
---@param time string|integer
function engine.sleep(time) end

---waits for the payer
---@param facts? table
---@return decision
function pending(facts) end

---the provider works on it
---@param facts? table
---@return decision
function processing(facts) end

---done, money moved
---@param facts? table
---@return decision
function success(facts) end

---the provider said no: category, code, message, final
---@param facts? table
---@return decision
function failed(facts) end

---the provider let it lapse
---@param facts? table
---@return decision
function expired(facts) end

---cancelled at the provider
---@param facts? table
---@return decision
function cancelled(facts) end

---nobody can say: it is asked again
---@param facts? table
---@return decision
function unknown(facts) end

---the provider proves that it has no such operation
---@param facts? table
---@return decision
function not_created(facts) end

---in place of a function: the provider has no such thing
---@param why string
---@return none
function none(why) end

---the answer to a request
---@param status integer
---@param body? any
---@param headers? table
---@return reply
function reply(status, body, headers) end

---in config: a key whose value stays hidden
---@param name string
---@return secret
function secret(name) end

---a risk rule's no
---@param why string
---@return deny
function deny(why) end

---a risk rule's wait: a person decides
---@param why string
---@return review
function review(why) end

---a risk rule's yes
---@type allow
allow = nil

---an error document: {code=, detail=, param=, status=, oldest=}
---@param what table
---@return reply
function problem(what) end

---JSON that can carry money: integers exact, other numbers as text
---@class json
json = {}

---reads JSON, strictly; options: lenient (a provider's broken JSON), depth, size
---@param text string
---@param options? table
---@return any
---@return string?
---@return string?
function json.decode(text, options) end

---writes JSON, keys sorted; an empty table is {}, json.array{} is []; refuses secrets
---@param data any
---@param options? table
---@return string
function json.encode(data, options) end

---marks a table as an array
---@param t? table
---@return table
function json.array(t) end

---marks a table as an object
---@param t? table
---@return table
function json.object(t) end

---a number that keeps its text: json.number "72500.00"
---@param text string
---@return json.number
---@return string?
---@return string?
function json.number(text) end

---JSON text that encode puts in as it is
---@param text string
---@return json.raw
---@return string?
---@return string?
function json.raw(text) end

---JSON's null
---@param value null
function json.null(value) end

---the engine's own codec under the names of lua-cjson, for caged scripts
---@class cjson
cjson = {}

---json.decode that raises
---@param text string
---@return any
function cjson.decode(text) end

---json.encode
---@param data any
---@return string
function cjson.encode(data) end

---JSON's null
---@param value null
function cjson.null(value) end

---encoded as []
---@param value empty_array
function cjson.empty_array(value) end

---amounts as integers in minor units, exact or refused
---@class money
money = {}

---minor units of "150000.00"; a fraction the currency does not have is refused
---@param text string|json.number
---@param currency string
---@return integer
---@return string?
---@return string?
function money.parse(text, currency) end

---decimal text, with more decimals if a provider wants them: "10000.00"
---@param amount integer
---@param currency string
---@param decimals? integer
---@return string
function money.format(amount, currency, decimals) end

---digits behind the point; IDR has none here
---@param currency string
---@return integer
function money.decimals(currency) end

---money.percent(p.amount, "0.7%", "half_up"); rounds half_up, half_even, up or down
---@param amount integer
---@param percent string
---@param round string
---@return integer
function money.percent(amount, percent, round) end

---amount * numerator / denominator, rounded once
---@param amount integer
---@param numerator integer
---@param denominator integer
---@param round string
---@return integer
function money.ratio(amount, numerator, denominator, round) end

---parts that add up to the total, by largest remainder
---@param total integer
---@param weights table|integer
---@return table
function money.split(total, weights) end

---the sum; overflow raises
---@param a integer
---@param ... any
---@return integer
function money.add(a, ...) end

---a - b; overflow raises
---@param a integer
---@param b integer
---@return integer
function money.sub(a, b) end

---a * b; overflow raises
---@param a integer
---@param b integer
---@return integer
function money.mul(a, b) end

---instants as integers (milliseconds UTC), and their texts
---@class time
time = {}

---the engine's clock: milliseconds UTC
---@return integer
function time.now() end

---format: rfc3339 (default), iso, date, datetime, compact, http, or %Y-%m-%d ...; the zone is for texts without one, WIB by default
---@param text string
---@param format? string
---@param zone? string
---@return integer
---@return string?
---@return string?
function time.parse(text, format, zone) end

---rfc3339 with milliseconds in WIB by default
---@param ms integer
---@param format? string
---@param zone? string
---@return string
function time.format(ms, format, zone) end

---the day an instant falls on, YYYY-MM-DD, in WIB by default
---@param ms integer
---@param zone? string
---@return string
function time.day(ms, zone) end

---when a day begins
---@param day string
---@param zone? string
---@return integer
---@return string?
---@return string?
function time.day_start(day, zone) end

---the day so many days later
---@param day string
---@param count integer
---@return string
---@return string?
---@return string?
function time.add_days(day, count) end

---1 Monday to 7 Sunday
---@param at integer|string
---@param zone? string
---@return integer
function time.weekday(at, zone) end

---milliseconds of "24h", "15m", "250ms", "1h30m"
---@param text string
---@return integer
---@return string?
---@return string?
function time.duration(text) end

---year, month, day, hour, minute, second, ms, weekday
---@param ms integer
---@param zone? string
---@return table
function time.parts(ms, zone) end

---query strings, urlencoded forms, cookies
---@class form
form = {}

---name -> value of a query or form body; a name that comes twice is refused
---@param text string
---@return table
---@return string?
---@return string?
function form.decode(text) end

---list of {name, value}, in order, with names that come twice
---@param text string
---@return table
---@return string?
---@return string?
function form.pairs(text) end

---from name -> value (sorted by name) or a list of {name, value} (as it stands)
---@param fields table
---@return string
function form.encode(fields) end

---percent encoding for a part of a path or query: all but letters, digits, - . _ ~
---@param text string
---@return string
function form.escape(text) end

---the reverse, strictly; + stays +
---@param text string
---@return string
---@return string?
---@return string?
function form.unescape(text) end

---name -> value of a Cookie header; malformed ones are left out
---@param header string
---@return table
function form.cookies(header) end

---comma-separated values
---@class csv
csv = {}

---for row in csv.rows(path): cells by position and by the header's names; options: header, separator
---@param path string
---@param options? table
---@return function
---@return string?
---@return string?
function csv.rows(path, options) end

---likewise from a text
---@param text string
---@param options? table
---@return function
function csv.parse(text, options) end

---lists of cells as text; cells that a spreadsheet would run are guarded
---@param rows table
---@param options? table
---@return string
function csv.encode(rows, options) end

---XML as tables
---@class xml
xml = {}

---{name, ns, attrs, text, children...}; no document type, no entities but the five
---@param text string
---@return table
---@return string?
---@return string?
function xml.decode(text) end

---text of such a table (name with its prefix, namespaces as xmlns attributes); bare: without the declaration
---@param node table
---@param bare? boolean
---@return string
function xml.encode(node, bare) end

---xml.find(envelope, "Body/inquiryResult/currency"): the first that fits, by local names
---@param node table
---@param path string
---@return table?
function xml.find(node, path) end

---text with & < > " ' escaped
---@param text string
---@return string
function xml.escape(text) end

---Digests, MACs, signatures, ciphers, encodings, random values.
---@class crypto
crypto = {}

---MD5, for old providers. Encoding of the result: hex (default), base64, base64url, raw, secret.
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.md5(data, encoding) end

---SHA-1; hex unless told.
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.sha1(data, encoding) end

---SHA-256; hex unless told.
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.sha256(data, encoding) end

---SHA-384; hex unless told.
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.sha384(data, encoding) end

---SHA-512; hex unless told.
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.sha512(data, encoding) end

---The digest of that name: md5, sha1, sha256, sha384, sha512.
---@param digest string
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.digest(digest, data, encoding) end

---HMAC with the digest of that name; hex unless told.
---@param digest string
---@param key string|secret|table
---@param data string|secret|table
---@param encoding? string
---@return string
function crypto.hmac(digest, key, data, encoding) end

---Compares in constant time; a mac that is absent or badly encoded is false.
---@param digest string
---@param key string|secret|table
---@param data string|secret|table
---@param mac? string
---@param encoding? string
---@return boolean
function crypto.hmac_verify(digest, key, data, mac, encoding) end

---Constant-time comparison; nil equals nothing.
---@param a? string|secret|table
---@param b? string|secret|table
---@return boolean
function crypto.equal(a, b) end

---RSA signature with a PEM private key; SHA-256, PKCS#1 v1.5 (or scheme = "pss"), base64. Waits.
---@param key string|secret|table
---@param data string|secret|table
---@param options? {digest?: string, scheme?: string, salt?: integer, encoding?: string, password?: string|secret|table}
---@return string?
---@return string?
---@return string?
function crypto.rsa_sign(key, data, options) end

---Checks an RSA signature with a PEM public key or certificate; nil and why if the key is no good.
---@param key string|secret|table
---@param data string|secret|table
---@param signature? string
---@param options? {digest?: string, scheme?: string, salt?: integer, encoding?: string}
---@return boolean?
---@return string?
---@return string?
function crypto.rsa_verify(key, data, signature, options) end

---ECDSA signature (P-256, P-384); format "der" (default) or "raw"; base64.
---@param key string|secret|table
---@param data string|secret|table
---@param options? {digest?: string, format?: string, encoding?: string, password?: string|secret|table}
---@return string?
---@return string?
---@return string?
function crypto.ecdsa_sign(key, data, options) end

---Checks an ECDSA signature.
---@param key string|secret|table
---@param data string|secret|table
---@param signature? string
---@param options? {digest?: string, format?: string, encoding?: string}
---@return boolean?
---@return string?
---@return string?
function crypto.ecdsa_verify(key, data, signature, options) end

---Ed25519 signature; base64.
---@param key string|secret|table
---@param data string|secret|table
---@param options? {encoding?: string, password?: string|secret|table}
---@return string?
---@return string?
---@return string?
function crypto.ed25519_sign(key, data, options) end

---Checks an Ed25519 signature.
---@param key string|secret|table
---@param data string|secret|table
---@param signature? string
---@param options? {encoding?: string}
---@return boolean?
---@return string?
---@return string?
function crypto.ed25519_verify(key, data, signature, options) end

---The public half of a private key, as PEM.
---@param key string|secret|table
---@param password? string|secret|table
---@return string?
---@return string?
---@return string?
function crypto.public_key(key, password) end

---AES-128/192/256 by the key's size; mode cbc, ecb (only where a provider demands it) or gcm, whose tag stands behind the text; PKCS#7 unless padding = false; raw unless told.
---@param options {mode: string, key: string|secret|table, data: string|secret|table, iv?: string|secret|table, padding?: boolean, aad?: string|secret|table, tag?: integer, encoding?: string}
---@return string?
---@return string?
---@return string?
function crypto.aes_encrypt(options) end

---The way back; encoding says how data is written. E_DENIED when it does not fit.
---@param options {mode: string, key: string|secret|table, data: string|secret|table, iv?: string|secret|table, padding?: boolean, aad?: string|secret|table, tag?: integer, encoding?: string}
---@return string?
---@return string?
---@return string?
function crypto.aes_decrypt(options) end

---3DES, cbc or ecb, where a provider demands it; key of 24 or 16 bytes.
---@param options {mode: string, key: string|secret|table, data: string|secret|table, iv?: string|secret|table, padding?: boolean, encoding?: string}
---@return string?
---@return string?
---@return string?
function crypto.des3_encrypt(options) end

---The way back.
---@param options {mode: string, key: string|secret|table, data: string|secret|table, iv?: string|secret|table, padding?: boolean, encoding?: string}
---@return string?
---@return string?
---@return string?
function crypto.des3_decrypt(options) end

---Standard base64, padded. With a secret in it the result is a secret.
---@param data string|secret|table
---@return string|secret
function crypto.base64(data) end

---Strict: padded, no white space.
---@param text string|secret|table
---@return string?|secret
---@return string?
---@return string?
function crypto.base64_decode(text) end

---URL-safe base64 without padding.
---@param data string|secret|table
---@return string|secret
function crypto.base64url(data) end

---Strict: no padding.
---@param text string|secret|table
---@return string?|secret
---@return string?
---@return string?
function crypto.base64url_decode(text) end

---Lower-case hex.
---@param data string|secret|table
---@return string|secret
function crypto.hex(data) end

---Hex of either case.
---@param text string|secret|table
---@return string?|secret
---@return string?
---@return string?
function crypto.hex_decode(text) end

---The parts as one; a secret if one of them is.
---@param parts string|secret|table
---@return string|secret
function crypto.join(parts) end

---Makes a secret of bytes that a provider gave: a token, a session key.
---@param data string|secret|table
---@param name? string
---@return secret
function crypto.secret(data, name) end

---CRC-16/CCITT-FALSE, as QRIS ends in.
---@param data string
---@return integer
function crypto.crc16(data) end

---n random bytes (1 to 4096), hex unless told.
---@param n integer
---@param encoding? string
---@return string
function crypto.random(n, encoding) end

---A random integer, both ends included, all equally likely.
---@param least integer
---@param most integer
---@return integer
function crypto.random_int(least, most) end

---A random UUID (version 4).
---@return string
function crypto.uuid() end

---A UUID that begins with the time (version 7).
---@return string
function crypto.uuid_v7() end

---A signed token over the payload's bytes (json.encode them): HS256, RS256, ES256, EdDSA.
---@param options {alg: string, key: string|secret|table, payload: string|secret|table, kid?: string, password?: string|secret|table}
---@return string?
---@return string?
---@return string?
function crypto.jwt_sign(options) end

---The payload's bytes if the token is signed with this alg and key. Check exp yourself.
---@param options {alg: string, key: string|secret|table, token: string}
---@return string?
---@return string?
---@return string?
function crypto.jwt_verify(options) end

---scrypt, with its parameters in the text. Waits.
---@param password string|secret|table
---@return string?
---@return string?
---@return string?
function crypto.password_hash(password) end

---Does the password fit; second result: hash it anew (weaker than today's). Waits.
---@param password string|secret|table
---@param hash string
---@return boolean?
---@return boolean|string
---@return string?
function crypto.password_verify(password, hash) end

---requests out
---@class http
http = {}

---GET; the answer {status, headers, body, :json()}, or nil, text, NAME and whether it was sent
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function http.get(request) end

---POST with json=, form=, xml=, text= or body=
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function http.post(request) end

---any method= (GET without one)
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function http.request(request) end

---the running call: state that outlives it, clock, verification
---@class ctx
ctx = {}

---the keys that the script declares, by its own names; secrets stay hidden
---@param value table
function ctx.config(value) end

---true for the first who takes the key, false for others until it expires; seconds, or "24h"
---@param scope string
---@param key string
---@param ttl integer|string
---@return boolean
function ctx.once(scope, key, ttl) end

---adds one and returns the value; {max=, ttl=} bound it
---@param name string
---@param options? table
---@return integer?
---@return string?
---@return string?
function ctx.counter(name, options) end

---reserves a free number of {low, high} until a time
---@param pool string
---@param range table
---@param until_ms integer
---@param holder? string
---@return integer?
---@return string?
---@return string?
function ctx.allocate(pool, range, until_ms, holder) end

---a cached access token; fetch() -> value, seconds runs once for all who wait
---@param key string
---@param fetch function
---@return any
function ctx.token(key, fetch) end

---business time, milliseconds UTC
---@return integer
function ctx.now() end

---the declared host of this environment, for the URL of a request
---@return string
function ctx.host() end

---a path of ours as others call it (LUWAK_PUBLIC_URL), for callbacks; nil where that is not set
---@param path string
---@return string?
function ctx.url(path) end

---merchants' own accounts at the simulated provider: {name = {KEY = secret}}
---@return table
function ctx.accounts() end

---anything but true ends the call: it answers 401 and nothing changes
---@param fact any
---@param why? string
function ctx.verify(fact, why) end

---the attempt known by {reference = ...}, {va_number = ...} or a key of its decision
---@param by table
---@return table?
function ctx.find(by) end

---applies what the provider told: {reference, status, money_id, amount, paid_at}; the verdict
---@param told table
---@return string
function ctx.settle(told) end

---requests to the declared hosts of a channel, biller or simulator
---@class ctx.http
ctx.http = {}

---a question; may be repeated by the engine and by retry=
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function ctx.http.get(request) end

---a question or a token fetched by POST; may be repeated
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function ctx.http.post(request) end

---the one request of an operation that can move money: own connection, never sent twice
---@param request table|string
---@return table?
---@return string?
---@return string?
---@return boolean?
function ctx.http.effect(request) end

---a small durable store of the provider's own
---@class ctx.store
ctx.store = {}

---the value and its version; nil and 0 without one
---@param key string
---@return string?
---@return integer
function ctx.store.get(key) end

---writes (nil removes); returns the new version
---@param key string
---@param value? string
---@return integer?
---@return string?
---@return string?
function ctx.store.put(key, value) end

---writes only if the version still stands; 0: must not exist
---@param key string
---@param value? string
---@param version integer
---@return integer?
---@return string?
---@return string?
function ctx.store.cas(key, value, version) end

---commits and reads
---@class store
store = {}

---all operations or none; returns what each returned, or nil, text, code and which one failed
---@param operations table[]
---@return any[]?
---@return string?
---@return string?
---@return integer?
function store.commit(operations) end

---the rows of a named query
---@param name string
---@param ... any
---@return table[]?
---@return string?
---@return string?
function store.query(name, ...) end

---one row, by index, at once
---@param name string
---@param ... any
---@return table?
---@return string?
---@return string?
function store.get(name, ...) end

---the rows of one SELECT
---@param sql string
---@param ... any
---@return table[]?
---@return string?
---@return string?
function store.select(sql, ...) end

core = {}

---things asked of providers
---@class core.operation
core.operation = {}

---asks a channel for one thing: {channel=, kind=, reference=, input=}; waits for the result; or nil, text, code and the field that is wrong
---@param what table
---@return table?
---@return string?
---@return string?
---@return string?
function core.operation.create(what) end

---the operation, or nil
---@param id string
---@return table?
---@return string?
---@return string?
function core.operation.get(id) end

---what the rules say
---@class core.rules
core.rules = {}

---what a payment costs: bearer, lines, total, and the rule and version that said it
---@param p table
---@param trial? any
---@return table?
---@return string?
---@return string?
function core.rules.fee(p, trial) end

---the channels to try in turn, and after which error categories the next
---@param p table
---@param trial? any
---@return table?
---@return string?
---@return string?
function core.rules.route(p, trial) end

---verdict allow, deny or review, with the reason
---@param p table
---@param trial? any
---@return table?
---@return string?
---@return string?
function core.rules.risk(p, trial) end

---action accept, refund or wait for money that does not fit; m.on says how
---@param m table
---@param trial? any
---@return table?
---@return string?
---@return string?
function core.rules.policy(m, trial) end

---a rule that need not serve, and its kind, a policy's `on` and the facts that rules want: given to the others as `trial` they answer as if it lay in its place
---@param path string
---@return any?
---@return table|string
---@return string?
function core.rules.load(path) end

---is the day (YYYY-MM-DD) in rules/policy/holidays.lua?
---@param day string
---@return boolean
function core.rules.holiday(day) end

---payments
---@class core.payment
core.payment = {}

---creates a payment: {merchant=, body=, key=, path=, raw=}; the answer, for the route to return
---@param ask table
---@return reply
function core.payment.create(ask) end

---the payer's way for one that waits: {merchant=, id=, body = {method, bank, channel, options}}
---@param ask table
---@return reply
function core.payment.choose(ask) end

---goes on with one that has no attempt yet, as its create asked: {merchant=, id=}
---@param ask table
---@return reply
function core.payment.start(ask) end

---gives out a virtual account that stays: {merchant=, body=, key=, path=}
---@param ask table
---@return reply
function core.payment.open_account(ask) end

---cancels an open one, at the provider too: {merchant=, id=}
---@param ask table
---@return reply
function core.payment.cancel(ask) end

---asks the provider now: {merchant=, id=}
---@param ask table
---@return reply
function core.payment.sync(ask) end

---takes money that was authorised: {merchant=, id=, body=, key=, path=}
---@param ask table
---@return reply
function core.payment.capture(ask) end

---gives money back: {merchant=, id=, body=, key=, path=}
---@param ask table
---@return reply
function core.payment.refund(ask) end

---a payment of that merchant, or nil
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
function core.payment.get(merchant, id) end

---a refund, or nil
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
function core.payment.get_refund(merchant, id) end

---newest first: starting_after, status, order_id, created_after, created_before
---@param merchant string
---@param limit integer
---@param filter? table
---@return table?
---@return string?
---@return string?
function core.payment.list(merchant, limit, filter) end

---refunds of a payment, newest first
---@param payment string
---@param limit integer
---@return table?
---@return string?
---@return string?
function core.payment.refunds(payment, limit) end

---events in order, from behind a sequence; of one object
---@param merchant string
---@param limit integer
---@param after integer
---@param object? string
---@return table?
---@return string?
---@return string?
function core.payment.events(merchant, limit, after, object) end

---what the merchant has: available, pending, held
---@param merchant string
---@return table?
---@return string?
---@return string?
function core.payment.balance(merchant) end

---what is due, a hundred at most: ids of payments to "expire" or to make "available", movements whose "policy" was not asked yet
---@param what string
---@return table?
---@return string?
---@return string?
function core.payment.due(what) end

---lets one expire, after a last look at its provider; false: it is not to
---@param id string
---@return boolean
---@return string?
function core.payment.expire(id) end

---asks the policy about money in suspense, again
---@param movement integer
---@return boolean
---@return string?
function core.payment.policy(movement) end

---books the money of callbacks that came before the attempt had their reference
---@return boolean
---@return string?
---@return string?
function core.payment.adopt() end

---puts the money of callbacks that fit nothing into suspense, when their time is over
---@return boolean
---@return string?
---@return string?
function core.payment.orphans() end

---makes the merchant's share of one available
---@param id string
---@return boolean
---@return string?
function core.payment.available(id) end

---decides about one that a risk rule held: "approve" or "decline"; who did it goes into the audit log
---@param id string
---@param decision string
---@param who string
---@return boolean?
---@return string?
---@return string?
function core.payment.review(id, decision, who) end

---what providers paid out
---@class core.settlement
core.settlement = {}

---books what a provider paid out for one transfer, or for a list of 32 at most, in one commit: {account, key, payment, gross, fee, vat, net, detail}; false: a key was booked before, and nothing was booked now
---@param rows table
---@return boolean?
---@return string?
---@return string?
function core.settlement.book(rows) end

---virtual accounts that stay
---@class core.virtual_account
core.virtual_account = {}

---a virtual account of that merchant, or nil
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
function core.virtual_account.get(merchant, id) end

---the merchant's virtual accounts, newest first
---@param merchant string
---@param limit integer
---@param starting_after? string
---@return table?
---@return string?
---@return string?
function core.virtual_account.list(merchant, limit, starting_after) end

---closes it: money that comes then stands in suspense; the account as it is then, or nil
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
function core.virtual_account.close(merchant, id) end

---what the payer sees
---@class core.checkout
core.checkout = {}

---the payment of a checkout link, without its customer: payment, merchant, name, return_urls, generation, expires_ms, way_expires_ms, held, attempt, simulated, title, provider; or nil
---@param token string
---@return table?
---@return string?
---@return string?
function core.checkout.get(token) end

---for a route to return: a stream of server-sent events, one after each change of the payment
---@param payment string
---@return watch
function core.checkout.watch(payment) end

---the channels that serve now
---@class core.channels
core.channels = {}

---the channels that serve: name, title, method, limits, options, available
---@return table
function core.channels.list() end

---the routes that serve now
---@class core.routes
core.routes = {}

---the routes of scripts/api that serve: script, method, path, auth, about
---@return table[]
function core.routes.list() end

---webhooks out
---@class core.webhook
core.webhook = {}

---the merchant's endpoints, newest first
---@param merchant string
---@return table?
---@return string?
---@return string?
function core.webhook.list(merchant) end

---one of them, or nil
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
function core.webhook.get(merchant, id) end

---an endpoint with its secret: {url=, enabled_types=, format=}; or nil, text, code and the field
---@param merchant string
---@param what table
---@return table?
---@return string?
---@return string?
---@return string?
function core.webhook.add(merchant, what) end

---changes it: url, enabled_types, disabled, deleted
---@param merchant string
---@param id string
---@param what table
---@return table?
---@return string?
---@return string?
---@return string?
function core.webhook.set(merchant, id, what) end

---a new secret, shown once; the old one lives on for a day
---@param merchant string
---@param id string
---@return table?
---@return string?
---@return string?
---@return string?
function core.webhook.rotate(merchant, id) end

---sends an event once more; gives the event
---@param merchant string
---@param event string
---@return table?
---@return string?
---@return string?
function core.webhook.redeliver(merchant, event) end

---sequence of the oldest event that is kept
---@param merchant string
---@return integer?
---@return string?
---@return string?
function core.webhook.oldest(merchant) end

---durable work for later
---@class jobs
jobs = {}

---runs scripts/jobs/NAME.lua later; options at, unique, priority, once, backoff; returns its id
---@param name string
---@param args? table
---@param options? table
---@return string?
---@return string?
---@return string?
function jobs.enqueue(name, args, options) end

---speaks to who runs the script
---@class say
say = {}

---a line for the person; say "text" is the same
---@param text any
function say.line(text) end

---how far it is: a bar on a terminal, a line at each tenth elsewhere
---@param n integer
---@param total? integer
function say.progress(n, total) end

---the database, inside a migration
---@class db
db = {}

---runs statements inside the step; raises
---@param sql string
function db.exec(sql) end

---the rows of a SELECT
---@param sql string
---@param ... any
---@return table[]
function db.select(sql, ...) end

---QR codes
---@class qr
qr = {}

---a QR code as an SVG image; nil, text, code for a text that is empty or too long
---@param text string
---@return string?
---@return string?
---@return string?
function qr.svg(text) end

---a QR code as a PNG image, scale (8) pixels a module
---@param text string
---@param scale? integer
---@return string?
---@return string?
---@return string?
function qr.png(text, scale) end

---what a test's function is given
---@class t
t = {}

---the table of a script under the root, checked, run in the test's own world
---@param path string
---@return table
function t.load(path) end

---calls a function of a script in its cage, with a real ctx; effects are allowed
---@param path string
---@param name string|table
---@param ... any
---@return any ...
function t.call(path, name, ...) end

---both are the same, tables by what is in them
---@param got any
---@param expected any
---@param what? string
function t.equal(got, expected, what) end

---v is neither nil nor false
---@param v any
---@param what? string
---@return any
function t.truthy(v, what) end

---the function raises, and its text fits; returns the text
---@param fn function
---@param pattern? string
---@return string
function t.error(fn, pattern) end

---ends the test here
---@param why string
function t.fail(why) end

---"pending", "failed", "reply" ... of a decision or reply; nil of anything else
---@param v any
---@return string?
function t.kind(v) end

---every line that was logged since the test began
---@return string
function t.log() end

---the values of the secret configuration keys that a script declares
---@param path string
---@return string[]
function t.secrets(path) end

---gives a merchant an account of its own at a channel's provider, with other keys than the shared one
---@param path string
---@param merchant string
function t.account(path, merchant) end

---random numbers begin anew from a seed
---@param seed integer
function t.random(seed) end

---answers for the requests of a test
---@class t.http
t.http = {}

---answers one request: status, headers, json or body; method and url (a part of it) say which; fail = refused, timeout or reset; after = a duration
---@param answer table
function t.http.answer(answer) end

---answers from a recording (luwak run --record)
---@param path string
function t.http.replay(path) end

---what was sent so far: method, url, headers, body, at; and what the simulators answered: status (0: nothing), answer, answer_headers
---@return table[]
function t.http.requests() end

---the clock, which only the test moves
---@class t.clock
t.clock = {}

---moves business time on; all that falls due runs, in order
---@param time string
---@return integer
function t.clock.advance(time) end

---moves it to an instant (RFC 3339)
---@param time string
---@return integer
function t.clock.set(time) end

---milliseconds UTC
---@return integer
function t.clock.now() end
