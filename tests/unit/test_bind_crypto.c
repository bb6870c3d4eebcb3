/* crypto and secrets as scripts see them. The runtime is a small fake: calls wait for real, in a
 * coroutine, on the simulated loop with an inline pool. */
#include "base/mem.h"
#include "hex.h"
#include "loop/pool.h"
#include "script/bind_crypto.h"
#include "script/co.h"
#include "script/runtime.h"
#include "script/test_script.h"
#include "sys/crypto.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the fake runtime: one call ---- */
static struct {
    struct clock clock;
    struct loop *loop;
    struct rng rng;
    struct pool *pool; /* NULL: none */
    struct co_wait *wait;
    int (*finish)(lua_State *L, struct co_wait *wait);
    uint32_t generation;
    bool woken;
    bool stop; /* end the loop at a wake */
} fake;

struct runtime *co_runtime(lua_State *L) {
    (void)L;
    return (struct runtime *)&fake;
}
struct loop *co_loop(lua_State *L) {
    (void)L;
    return fake.loop;
}
struct rng *runtime_rng(struct runtime *rt) {
    (void)rt;
    return &fake.rng;
}
struct pool *runtime_pool(struct runtime *rt) {
    (void)rt;
    return fake.pool;
}
void test_signing(lua_State *L, const char *scheme, int data) { /* nobody asks what was signed */
    (void)L, (void)scheme, (void)data;
}
void co_require_wait(lua_State *L, const char *name) {
    if (!lua_isyieldable(L)) luaL_error(L, "%s: cannot wait here", name);
}
void co_park(lua_State *L, struct co_wait *wait) {
    (void)L;
    fake.wait = wait;
    wait->ticket = (struct ticket){(struct runtime *)&fake, 0, ++fake.generation};
}
static int resumed(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    struct co_wait *wait = fake.wait;
    fake.wait = NULL;
    return fake.finish(L, wait);
}
int co_yield (lua_State *L, int (*finish)(lua_State *L, struct co_wait *wait)) {
    fake.finish = finish;
    return lua_yieldk(L, 0, 0, resumed);
}
bool co_wake(struct ticket ticket) {
    if (fake.wait == NULL || ticket.generation != fake.generation) return false;
    if (fake.stop) loop_stop(fake.loop);
    return fake.woken = true;
}
static void stop_loop(struct task *task) {
    (void)task;
    loop_stop(fake.loop);
}
void co_check(lua_State *L) {
    (void)L;
}
int bind_fail(lua_State *L, int err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    lua_pushnil(L);
    lua_pushvfstring(L, format, args);
    lua_pushstring(L, err_name(err));
    va_end(args);
    return 3;
}

static lua_State *fresh(void) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    lua_newtable(L);
    for (const struct bind_fn *f = bind_crypto.fns; f->name != NULL; f++) {
        lua_pushcfunction(L, f->fn);
        lua_setfield(L, -2, f->name);
    }
    lua_setglobal(L, "crypto");
    secret_push(L, STR("s3kr1t-bytes"), "BNI_KEY");
    lua_setglobal(L, "key");
    return L;
}

static int waits; /* how often the last script waited */

/* Runs a script to its end; the state stays for looking at. */
static void play(lua_State *L, const char *text) {
    lua_State *co = lua_newthread(L);
    waits = 0;
    int n = 0, status = luaL_loadstring(co, text);
    if (status == LUA_OK) status = lua_resume(co, L, 0, &n);
    while (status == LUA_YIELD) {
        waits++;
        fake.woken = false;
        loop_sim_drain(fake.loop);
        CHECK(fake.woken);
        status = lua_resume(co, L, 0, &n);
    }
    if (status != LUA_OK) fail_msg("%s", lua_tostring(co, -1));
    lua_settop(L, 0);
}

static int setup(void **state) {
    (void)state;
    clock_virtual(&fake.clock, 1700000000000);
    rng_seeded(&fake.rng, 3);
    fake.wait = NULL;
    CHECK_OK(loop_sim_new(&fake.loop, &fake.clock, NULL));
    CHECK_OK(pool_new(&fake.pool, 0, 0));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    pool_delete(fake.pool);
    loop_delete(fake.loop);
    return 0;
}

/* Every way we know to get at a secret: all raise, and no text that comes out holds its bytes. */
static void a_secret_never_shows(void **state) {
    (void)state;
    lua_State *L = fresh();
    static const char *const leaks[] = {
        "return tostring(key)",
        "return key .. ''",
        "return '' .. key",
        "return 1 .. key",
        "return #key",
        "return key == crypto.secret 's3kr1t-bytes'",
        "return key < key",
        "return key <= key",
        "return key < 'z'",
        "return key + 1",
        "return -key",
        "return key & 1",
        "return ~key",
        "return 2 ^ key",
        "return key // 1",
        "return key.bytes",
        "return key[1]",
        "return key:sub(1, 2)",
        "key.x = 1",
        "return key()",
        "for k in pairs(key) do return k end",
        "for k in next, key do return k end",
        "return ipairs(key)(key, 0)",
        "return string.format('%s', key)",
        "return string.format('%q', key)",
        "return string.format('%d', key)",
        "return table.concat { key }",
        "return table.unpack(key)",
        "return string.rep(key, 2)",
        "return string.upper(key)",
        "return string.byte(key)",
        "return string.reverse(key)",
        "return ('x'):gsub('x', key)",
        "return string.pack('z', key)",
        "return utf8.len(key)",
        "return tonumber(key)",
        "return math.floor(key)",
        "return load(key)()",
        "return setmetatable(key, {})",
        "return rawlen(key)",
        "return rawget(key, 1)",
        "return rawset(key, 1, 2)",
        "return select(key)",
        "return crypto.crc16(key)",
        "return crypto.hmac(key, 'x', 'y')",
        "return crypto.sha256('x', key)",
        "return crypto.random(key)",
        "return crypto.secret('x', key)",
        "local t = {} for i = 1, key do t[i] = i end",
        "error(tostring(key))",
        "print(key)",
        "return require(key)",
        "return table.sort { key, crypto.secret 'b' }",
    };
    for (size_t i = 0; i < sizeof leaks / sizeof leaks[0]; i++) {
        lua_settop(L, 0);
        if (luaL_loadbuffer(L, leaks[i], strlen(leaks[i]), "=leak") != LUA_OK)
            fail_msg("%s", lua_tostring(L, -1));
        if (lua_pcall(L, 0, 1, 0) == LUA_OK && !lua_isnil(L, -1))
            fail_msg("came out: %s", leaks[i]);
        const char *said = lua_tostring(L, -1);
        if (said != NULL && strstr(said, "s3kr1t") != NULL) fail_msg("shown by: %s", leaks[i]);
    }
    lua_settop(L, 0);
    play(L,
         "assert(getmetatable(key) == false) assert(type(key) == 'userdata')"
         "assert(key == key) assert(rawequal(key, key)) assert(key ~= 's3kr1t-bytes')"
         "local t = { [key] = 1 } assert(t[key] == 1)"
         "local ok, why = pcall(tostring, key)"
         "assert(not ok and why:find('secret BNI_KEY: a secret is never shown as text', 1, true))");
    lua_close(L);
}

/* What changes only the form stays a secret; what derives is plain. */
static void secrets_in_encoders_and_signers(void **state) {
    (void)state;
    lua_State *L = fresh();
    play(L, "for _, f in ipairs { 'base64', 'base64url', 'hex', 'join' } do"
            "  assert(type(crypto[f](key)) == 'userdata', f)"
            "  assert(type(crypto[f] { 'a:', key }) == 'userdata', f)"
            "  assert(type(crypto[f] { 'a:', 'b' }) == 'string', f)"
            " end "
            "assert(type(crypto.base64_decode(crypto.base64(key))) == 'userdata')"
            "assert(crypto.equal(crypto.base64_decode(crypto.base64(key)), key))"
            "assert(crypto.equal(crypto.hex(key), '73336b7231742d6279746573'))"
            "assert(crypto.equal(key, 's3kr1t-bytes') and not crypto.equal(key, 's3kr1t-bytez'))"
            "assert(not crypto.equal(nil, key) and not crypto.equal(key, nil))"
            "assert(crypto.sha256(key) == crypto.sha256('s3kr1t-bytes'))"
            "assert(crypto.sha256 { 'a', key, 'b' } == crypto.sha256('as3kr1t-bytesb'))"
            "assert(crypto.hmac('sha256', key, 'x') == crypto.hmac('sha256', 's3kr1t-bytes', 'x'))"
            "assert(type(crypto.hmac('sha256', key, 'x', 'secret')) == 'userdata')"
            "assert(crypto.hmac('sha256', crypto.hmac('sha256', key, 'x', 'secret'), 'y') =="
            "       crypto.hmac('sha256', crypto.hmac('sha256', key, 'x', 'raw'), 'y'))");
    secret_push(L, STR("derived"), "X");
    CHECK_STR(secret_bytes(L, -1), "derived");
    CHECK_STR(str_of(secret_name(L, -1)), "X");
    lua_settop(L, 0);
    lua_close(L);
}

/* Who has the key gets back what went in: of a secret it is one, there and back, whatever the way. */
static void secrets_through_ciphers_and_tokens(void **state) {
    (void)state;
    lua_State *L = fresh();
    play(
        L,
        "local k, z = ('k'):rep(16), ('0'):rep(16)"
        "local function hidden(v) assert(type(v) == 'userdata') return v end "
        "local long = crypto.secret 's3kr1t-bytes-16!'"
        "for _, data in ipairs { key, { 'a', key } } do"
        "  local plain = type(data) == 'table' and 'as3kr1t-bytes' or 's3kr1t-bytes'"
        "  for name, o in pairs { cbc = { iv = z }, gcm = { iv = z:sub(1, 12) }, ecb = {} } do"
        "    for _, e in ipairs { 'raw', 'base64', 'hex' } do"
        "      o.mode, o.key, o.encoding, o.data = name, k, e, data"
        "      local c = hidden(assert(crypto.aes_encrypt(o)))"
        "      o.data = plain assert(crypto.equal(c, crypto.aes_encrypt(o)))"
        "      o.data = c assert(crypto.equal(hidden(assert(crypto.aes_decrypt(o))), plain))"
        "    end"
        "  end "
        "  local t = hidden(assert(crypto.jwt_sign { alg = 'HS256', key = 'k', payload = data }))"
        "  assert(crypto.equal(t, crypto.jwt_sign { alg = 'HS256', key = 'k', payload = plain }))"
        "  local p = crypto.jwt_verify { alg = 'HS256', key = 'k', token = t }"
        "  assert(crypto.equal(hidden(p), plain))"
        " end "
        "hidden(crypto.des3_encrypt { mode = 'ecb', key = k, data = key })"
        /* the block before, and what the tag is made of, come back as well */
        "hidden(crypto.aes_decrypt { mode = 'cbc', key = k, iv = long, data = z, padding = false })"
        "hidden(crypto.aes_encrypt { mode = 'cbc', key = k, iv = long, data = z })"
        "hidden(crypto.aes_encrypt { mode = 'gcm', key = k, iv = z, aad = long, data = z })"
        "assert(type(crypto.aes_encrypt { mode = 'cbc', key = long, iv = z, data = z }) == "
        "'string')"
        "assert(type(crypto.jwt_sign { alg = 'HS256', key = key, payload = '{}' }) == 'string')");
    lua_settop(L, 0);
    lua_close(L);
}

/* The allocator sees every freed block: none may still hold the bytes. */
static int dirty;
static void *watching(void *ud, void *ptr, size_t old, size_t size) {
    (void)ud;
    if (ptr != NULL && size == 0) {
        for (size_t i = 0; i + 12 <= old; i++)
            if (memcmp((char *)ptr + i, "w1pe-me-s3cr", 12) == 0) dirty++;
        free(ptr);
        return NULL;
    }
    return size == 0 ? NULL : realloc(ptr, size);
}

static void secrets_are_wiped(void **state) {
    (void)state;
    lua_State *L = lua_newstate(watching, NULL);
    dirty = 0;
    char bytes[13] = "w1pe-me-s3cr";
    for (int i = 0; i < 3; i++)
        secret_push(L, (struct str){bytes, 12}, "x");
    lua_newtable(L);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, 2);
    CHECK_INT(bytes_arg(L, 4).n, 24);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    secret_push(L, (struct str){bytes, 12}, "y");
    lua_close(L);
    CHECK_INT(dirty, 0);
}

static void bytes_arguments(void **state) {
    (void)state;
    lua_State *L = fresh();
    play(L, "local function bad(v, says)"
            "  local ok, why = pcall(crypto.sha256, v)"
            "  assert(not ok and why:find(says, 1, true), why)"
            " end "
            "bad(1, 'string, secret or list of them expected, got number')"
            "bad(nil, 'expected')"
            "bad(true, 'expected')"
            "bad({ 'a', 2 }, 'part 2 is a number')"
            "bad({ { 'a' } }, 'part 1 is a table')"
            "bad(io.stdout, 'expected')"
            "local big = {} for i = 1, 4097 do big[i] = 'x' end bad(big, 'more than 4096 parts')"
            "local mb = ('x'):rep(1 << 20) local l = {} for i = 1, 17 do l[i] = mb end"
            " bad(l, 'more than 16 MB')"
            "assert(crypto.sha256 {} == crypto.sha256 '')"
            "assert(crypto.sha256(setmetatable({ 'a' }, { __index = error, __len = error }))"
            "       == crypto.sha256 'a')");
    lua_close(L);
}

static void plain_functions(void **state) {
    (void)state;
    lua_State *L = fresh();
    play(L,
         "assert(crypto.md5 'abc' == '900150983cd24fb0d6963f7d28e17f72')"
         "assert(crypto.sha1('abc', 'base64') == 'qZk+NkcGgWq6PiVxeFDCbJzQ2J0=')"
         "assert(#crypto.sha384('abc', 'raw') == 48 and #crypto.sha512('abc', 'hex') == 128)"
         "assert(crypto.digest('sha1', 'abc') == crypto.sha1 'abc')"
         "assert(not pcall(crypto.digest, 'sha2', 'abc') and not pcall(crypto.sha1, 'a', 'b64'))"
         "assert(crypto.hmac('sha256', 'Jefe', 'what do ya want for nothing?') =="
         " '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')"
         "local m = crypto.hmac('sha256', 'k', 'd', 'base64')"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', m, 'base64'))"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', (m:gsub('=', '')), 'base64'))"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', crypto.hmac('sha256', 'k', 'd'):upper()))"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', nil) == false)"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', 'zz') == false)"
         "assert(crypto.hmac_verify('sha256', 'k', 'd', '') == false)"
         "assert(crypto.hmac_verify('sha256', 'k', 'e', m, 'base64') == false)"
         "local v, why, code = crypto.base64_decode 'Zg' assert(v == nil and code == 'E_SYNTAX')"
         "assert(crypto.base64_decode 'Zg==' == 'f' and crypto.base64url_decode 'Zg' == 'f')"
         "assert(crypto.hex_decode 'ff' == '\\xff' and crypto.crc16 '123456789' == 0x29b1)"
         "assert(#crypto.random(16) == 32 and #crypto.random(16, 'raw') == 16)"
         "assert(not pcall(crypto.random, 0) and not pcall(crypto.random, 4097))"
         "for i = 1, 100 do local n = crypto.random_int(-1, 1) assert(n >= -1 and n <= 1) end "
         "assert(math.type(crypto.random_int(math.mininteger, math.maxinteger)) == 'integer')"
         "assert(crypto.uuid():match '^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$' and #crypto.uuid() == 36)"
         "assert(crypto.uuid_v7():sub(1, 8) == '018bcfe5')"
         "assert(not crypto.rsa_encrypt)");
    CHECK_INT(waits, 0);
    lua_close(L);
}

static void ciphers(void **state) {
    (void)state;
    lua_State *L = fresh();
    play(L,
         "local k, iv = ('k'):rep(16), ('i'):rep(16)"
         "local function both(name, o)"
         "  local c = assert(crypto[name .. '_encrypt'](o))"
         "  local back = {} for a, b in pairs(o) do back[a] = b end back.data = c "
         "  assert(crypto[name .. '_decrypt'](back) == o.data) return c"
         " end "
         "both('aes', { mode = 'cbc', key = k, iv = iv, data = 'hello' })"
         "both('aes', { mode = 'cbc', key = k, iv = iv, data = 'hello', encoding = 'base64' })"
         "both('aes', { mode = 'ecb', key = crypto.secret(k), data = k, padding = false, encoding "
         "= 'hex' })"
         "both('aes', { mode = 'gcm', key = { k, k }, iv = iv:sub(1, 12), data = 'hello', aad = "
         "'a' })"
         "both('des3', { mode = 'cbc', key = k .. k:sub(1, 8), iv = 'iiiiiiii', data = 'hello' })"
         "both('des3', { mode = 'ecb', key = k, data = 'hello', encoding = 'hex' })"
         /* wallets: a published example of an AES-128 key written as text */
         "local v, why, code = crypto.aes_decrypt { mode = 'gcm', key = k, iv = iv, data = "
         "('x'):rep(32) }"
         "assert(v == nil and code == 'E_DENIED' and why:find 'failed')"
         "v, why, code = crypto.aes_decrypt { mode = 'cbc', key = k, iv = iv, data = '!', encoding "
         "= 'base64' }"
         "assert(v == nil and code == 'E_DENIED')"
         "local function bad(o, says) local ok, w = pcall(crypto.aes_encrypt, o)"
         "  assert(not ok and w:find(says, 1, true), w) end "
         "bad({ key = k, data = '' }, 'mode is missing')"
         "bad({ mode = 'ctr', key = k, data = '' }, 'expected one of cbc, ecb, gcm')"
         "bad({ mode = 'cbc', data = '' }, 'key is missing')"
         "bad({ mode = 'cbc', key = k, data = '' }, 'the iv has 0 bytes')"
         "bad({ mode = 'cbc', key = 'x', iv = iv, data = '' }, 'the key has 1 bytes')"
         "bad({ mode = 'ecb', key = k, data = '', pading = false }, \"unknown option 'pading'\")"
         "bad({ mode = 'ecb', key = k, data = '', padding = 0 }, 'padding')"
         "bad({ mode = 'ecb', key = k, data = 5 }, 'data: expected')");
    lua_close(L);
}

static void set_key(lua_State *L, const char *name, const char *command) {
    char line[1024], text[8192];
    snprintf(line, sizeof line, "%s/%s", unit_tmpdir(), name);
    char run[2048];
    snprintf(run, sizeof run, "cd '%s' && %s -out %s 2>/dev/null", unit_tmpdir(), command, name);
    if (system(run) != 0) fail_msg("%s", run);
    FILE *f = fopen(line, "rb");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    if (strchr(name, '_') != NULL)
        lua_pushlstring(L, text, n);
    else
        secret_push(L, (struct str){text, n}, name);
    lua_setglobal(L, name);
}

static void keys_and_passwords(void **state) {
    (void)state;
    lua_State *L = fresh();
    set_key(L, "rsa", "openssl genrsa 2048 > /dev/null; openssl genpkey -algorithm RSA");
    set_key(L, "rsa_pub", "openssl pkey -in rsa -pubout");
    set_key(L, "ec", "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256");
    set_key(L, "ec_pub", "openssl pkey -in ec -pubout");
    set_key(L, "ed", "openssl genpkey -algorithm ED25519");
    set_key(L, "ed_pub", "openssl pkey -in ed -pubout");
    play(L, "local sig = assert(crypto.rsa_sign(rsa, 'data'))"
            "assert(crypto.rsa_verify(rsa_pub, 'data', sig) == true)"
            "assert(crypto.rsa_verify(rsa_pub, { 'da', 'ta' }, (sig:gsub('=', ''))) == true)"
            "assert(crypto.rsa_verify(rsa_pub, 'datb', sig) == false)"
            "assert(crypto.rsa_verify(rsa_pub, 'data', nil) == false)"
            "assert(crypto.rsa_verify(rsa_pub, 'data', '%%%') == false)");
    CHECK_INT(waits, 1);
    play(L,
         "local sig = assert(crypto.rsa_sign(rsa, 'data', { scheme = 'pss', digest = 'sha512',"
         "  encoding = 'hex' }))"
         "assert(crypto.rsa_verify(rsa_pub, 'data', sig, { scheme = 'pss', digest = 'sha512',"
         "  encoding = 'hex' }))"
         "assert(not crypto.rsa_verify(rsa_pub, 'data', sig, { digest = 'sha512', encoding = 'hex' "
         "}))"
         "sig = assert(crypto.ecdsa_sign(ec, 'data', { format = 'raw', encoding = 'raw' }))"
         "assert(#sig == 64)"
         "assert(crypto.ecdsa_verify(ec_pub, 'data', sig, { format = 'raw', encoding = 'raw' }))"
         "sig = assert(crypto.ed25519_sign(ed, 'data'))"
         "assert(crypto.ed25519_verify(ed_pub, 'data', sig))"
         "assert(crypto.public_key(ed) == ed_pub)"
         "local v, why, code = crypto.rsa_sign(ec, 'data')"
         "assert(v == nil and code == 'E_INVAL' and why:find 'the key is EC P%-256, expected RSA')"
         "v, why, code = crypto.rsa_sign(rsa_pub, 'data')"
         "assert(v == nil and why:find 'found PUBLIC KEY, expected a private key')"
         "v, why, code = crypto.rsa_verify(rsa, 'data', sig) assert(v == nil and why:find 'public "
         "key:')"
         "v, why, code = crypto.rsa_verify(ed_pub, 'data', sig) assert(v == nil and code == "
         "'E_INVAL')"
         "assert(not pcall(crypto.rsa_sign, rsa, 'x', { scheme = 'oaep' }))"
         "assert(not pcall(crypto.rsa_sign, rsa, 'x', { digest = 'md5' }))"
         "assert(not pcall(crypto.rsa_sign, rsa, 'x', { schema = 'pss' }))");
    play(L, "for _, c in ipairs { { 'HS256', key, key }, { 'RS256', rsa, rsa_pub },"
            "   { 'ES256', ec, ec_pub }, { 'EdDSA', ed, ed_pub } } do"
            "  local t = assert(crypto.jwt_sign { alg = c[1], key = c[2], payload = '{\"a\":1}', "
            "kid = 'k' })"
            "  assert(crypto.jwt_verify { alg = c[1], key = c[3], token = t } == '{\"a\":1}')"
            "  local v, why, code = crypto.jwt_verify { alg = c[1], key = c[3], token = t .. 'A' }"
            "  assert(v == nil and code)"
            "  v = crypto.jwt_verify { alg = c[1], key = c[3] } assert(v == nil)"
            " end "
            "assert(not pcall(crypto.jwt_sign, { alg = 'none', key = 'x', payload = '' }))");
    CHECK_INT(waits, 1);
    play(L,
         "local h = assert(crypto.password_hash(crypto.secret 'kopi'))"
         "assert(h:find('$scrypt$ln=15,r=8,p=3$', 1, true) == 1)"
         "local ok, stale = crypto.password_verify('kopi', h) assert(ok == true and stale == false)"
         "ok, stale = crypto.password_verify('teh', h) assert(ok == false and stale == false)"
         "local v, why, code = crypto.password_verify('teh', 'x') assert(v == nil and code == "
         "'E_SYNTAX')"
         "assert(not pcall(crypto.password_hash, ''))");
    CHECK_INT(waits, 4);
    /* waiting is refused where a call cannot yield */
    play(L, "local ok, why = pcall(string.gsub, 'x', 'x', function() return crypto.rsa_sign(rsa, "
            "'x') end)"
            "assert(not ok and why:find 'cannot wait')");
    lua_close(L);
}

/* The call dies while its work is under way: nothing leaks, nobody is woken. */
static void calls_that_die_while_waiting(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        int64_t live = mem_live();
        lua_State *L = fresh();
        lua_State *co = lua_newthread(L);
        int n = 0;
        CHECK_INT(luaL_loadstring(co, "return crypto.password_verify('a', 'b')"), LUA_OK);
        CHECK_INT(lua_resume(co, L, 0, &n), LUA_YIELD);
        struct co_wait *wait = fake.wait;
        fake.woken = false;
        if (how == 0) { /* cancelled, collected, then the work ends */
            wait->cancel(wait);
            fake.wait = NULL;
            lua_close(L);
            loop_sim_drain(fake.loop);
        } else if (how == 1) { /* cancelled, the work ends, then collected */
            wait->cancel(wait);
            fake.wait = NULL;
            loop_sim_drain(fake.loop);
            lua_close(L);
        } else { /* done, but never resumed */
            loop_sim_drain(fake.loop);
            CHECK(fake.woken);
            fake.wait = NULL;
            lua_close(L);
        }
        if (how < 2) CHECK(!fake.woken);
        CHECK(mem_live() - live <= 48);
    }
}

/* The same with real threads: the work is elsewhere while the loop goes on. */
static void work_on_real_threads(void **state) {
    (void)state;
    struct loop *sim = fake.loop;
    struct pool *none = fake.pool;
    struct clock real;
    clock_real(&real);
    CHECK_OK(loop_uv_new(&fake.loop, &real));
    CHECK_OK(pool_new(&fake.pool, 2, 0));
    lua_State *L = fresh();
    set_key(L, "rsa", "openssl genpkey -algorithm RSA");
    lua_State *co = lua_newthread(L);
    int n = 0;
    CHECK_INT(luaL_loadstring(co, "return crypto.rsa_sign(rsa, 'data')"), LUA_OK);
    CHECK_INT(lua_resume(co, L, 0, &n), LUA_YIELD);
    fake.stop = true;
    fake.woken = false;
    loop_uv_run(fake.loop);
    CHECK(fake.woken);
    CHECK_INT(lua_resume(co, L, 0, &n), LUA_OK);
    CHECK_INT(n, 1);
    CHECK_INT(lua_rawlen(co, -1), 344);
    /* dies while its work runs on a thread */
    CHECK_INT(luaL_loadstring(co, "return crypto.rsa_sign(rsa, 'data')"), LUA_OK);
    CHECK_INT(lua_resume(co, L, 0, &n), LUA_YIELD);
    fake.wait->cancel(fake.wait);
    fake.wait = NULL;
    lua_close(L);
    pool_delete(fake.pool);
    struct task end = {.run = stop_loop};
    loop_post(fake.loop, &end);
    loop_uv_run(fake.loop);
    loop_delete(fake.loop);
    fake.stop = false;
    fake.loop = sim;
    fake.pool = none;
}

/* Each allocation of ours fails once while Lua's work: an error or a nil, no crash. */
static void memory_fails(void **state) {
    (void)state;
    lua_State *L = fresh();
    static const char script[] =
        "local a = crypto.base64 { 'a', key } local b = crypto.hmac('sha256', key, 'x', 'base64')"
        "local c = crypto.aes_encrypt { mode = 'gcm', key = ('k'):rep(16), iv = ('i'):rep(12), "
        "data = 'x' }"
        "local d = crypto.jwt_sign { alg = 'HS256', key = key, payload = '{}' }"
        "local e = crypto.hmac_verify('sha1', 'k', 'd', 'QQ', 'base64')";
    bool failed = true;
    int n = 1;
    for (; failed && n < 300; n++) {
        CHECK_INT(luaL_loadstring(L, script), LUA_OK);
        mem_fail_at((uint64_t)n, 0);
        int status = lua_pcall(L, 0, 0, 0);
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (!failed) CHECK_INT(status, LUA_OK);
        lua_settop(L, 0);
        lua_gc(L, LUA_GCCOLLECT);
    }
    CHECK(n > 10 && n < 300);
    lua_close(L);
}

int main(int argc, char **argv) {
    if (crypto_setup() != 0) return 1;
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_secret_never_shows),
        T(secrets_in_encoders_and_signers),
        T(secrets_through_ciphers_and_tokens),
        T(secrets_are_wiped),
        T(bytes_arguments),
        T(plain_functions),
        T(ciphers),
        T(keys_and_passwords),
        T(calls_that_die_while_waiting),
        T(work_on_real_threads),
        T(memory_fails),
    };
    return unit_main(argc, argv, "bind_crypto", tests, sizeof tests / sizeof tests[0]);
}
