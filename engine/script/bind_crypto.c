/* crypto: digests, MACs, encodings, random values, and the list of all functions of the module.
 *
 * Bytes that go in are a string, a secret, or a list of both. What a signer derives is plain; what
 * only changes the form (base64, hex, join) of something with a secret in it is a secret again, and so
 * is what can be turned back (ciphers, tokens), so that no way there and back shows one. Results of unbounded size are built in a `struct buf` that a userdata
 * owns, never bare: pushing them can raise. */
#include "script/bind_crypto.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "script/buf_lua.h"
#include "script/co.h"
#include "script/runtime.h"
#include "script/test_script.h"
#include "sys/crypto.h"

#define RANDOM_MAX 4096

int out_arg(lua_State *L, int index, int otherwise) {
    if (lua_isnoneornil(L, index)) return otherwise;
    struct str name = {0};
    if (lua_type(L, index) == LUA_TSTRING) name.p = lua_tolstring(L, index, &name.n);
    if (str_eq(name, STR("secret"))) return OUT_SECRET;
    int e = name.p == NULL ? -1 : encoding_by_name(name);
    if (e < 0)
        luaL_argerror(L, index,
                      "expected \"hex\", \"base64\", \"base64url\", \"raw\" or \"secret\"");
    return e;
}

void out_push(lua_State *L, struct str bytes, int how) {
    if (how == OUT_SECRET) {
        secret_push(L, bytes, "derived");
        return;
    }
    if (how == ENC_RAW) {
        lua_pushlstring(L, bytes.p, bytes.n);
        return;
    }
    struct buf *b = buf_push(L);
    text_encode(b, (enum encoding)how, bytes);
    buf_push_string(L, b);
    lua_remove(L, -2);
}

void out_push_hidden(lua_State *L, struct buf *bytes, int how) {
    struct buf *b = buf_push(L);
    text_encode(b, how == OUT_SECRET ? ENC_RAW : (enum encoding)how, buf_str(bytes));
    if (bytes->len != 0) mem_wipe(bytes->data, bytes->len);
    if (b->err != 0) luaL_error(L, "%s", err_text(b->err));
    secret_push(L, buf_str(b), "derived");
    if (b->len != 0) mem_wipe(b->data, b->len);
    lua_remove(L, -2);
}

int in_push(lua_State *L, struct str text, int how) {
    if (how == ENC_RAW || how == OUT_SECRET) {
        lua_pushlstring(L, text.p, text.n);
        return 0;
    }
    struct buf *b = buf_push(L);
    struct buf *padded = buf_push(L);
    int err = 0;
    if (how == ENC_BASE64 && text.n % 4 != 0) {
        buf_addstr(padded, text);
        while (padded->len % 4 != 0 && padded->err == 0)
            buf_addc(padded, '=');
        err = padded->err;
        text = buf_str(padded);
    }
    while (how == ENC_BASE64URL && text.n != 0 && text.n % 4 == 0 && text.p[text.n - 1] == '=')
        for (int i = 0; i < 2 && text.n != 0 && text.p[text.n - 1] == '='; i++)
            text.n--;
    if (err == 0) err = text_decode(b, (enum encoding)how, text);
    if (err == 0) {
        buf_push_string(L, b);
        lua_replace(L, -3);
        lua_pop(L, 1);
        return 0;
    }
    lua_pop(L, 2);
    if (err != E_SYNTAX) luaL_error(L, "%s", err_text(err));
    return err;
}

static void need(lua_State *L, int err) {
    if (err != 0) luaL_error(L, "crypto: %s", err_text(err));
}

/* ---- options ---- */

void options_check(lua_State *L, int index, const char *const *names) {
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        bool known = false;
        for (const char *const *n = names; key != NULL && *n != NULL && !known; n++)
            known = strcmp(*n, key) == 0;
        if (!known)
            luaL_argerror(L, index,
                          lua_pushfstring(L, "unknown option '%s'", key == NULL ? "?" : key));
    }
}

bool option_push(lua_State *L, int index, const char *name) {
    if (lua_type(L, index) != LUA_TTABLE) return false;
    lua_pushstring(L, name);
    if (lua_rawget(L, index) != LUA_TNIL) return true;
    lua_pop(L, 1);
    return false;
}

lua_Integer option_int(lua_State *L, int index, const char *name, lua_Integer otherwise,
                       lua_Integer least, lua_Integer most) {
    if (!option_push(L, index, name)) return otherwise;
    int is = 0;
    lua_Integer n = lua_isinteger(L, -1) ? lua_tointegerx(L, -1, &is) : 0;
    if (!is || n < least || n > most)
        luaL_argerror(
            L, index,
            lua_pushfstring(L, "%s: expected a number from %d to %d", name, (int)least, (int)most));
    lua_pop(L, 1);
    return n;
}

int option_out(lua_State *L, int index, int otherwise) {
    if (!option_push(L, index, "encoding")) return otherwise;
    int how = out_arg(L, lua_gettop(L), otherwise);
    lua_pop(L, 1);
    return how;
}

int option_choice(lua_State *L, int index, const char *name, const char *const *choices,
                  int otherwise) {
    if (!option_push(L, index, name)) return otherwise;
    struct str text = {0};
    if (lua_type(L, -1) == LUA_TSTRING) text.p = lua_tolstring(L, -1, &text.n);
    for (int i = 0; choices[i] != NULL; i++) {
        if (text.p == NULL || !str_eq(text, str_of(choices[i]))) continue;
        lua_pop(L, 1);
        return i;
    }
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    luaL_addstring(&b, name);
    luaL_addstring(&b, ": expected one of");
    for (int i = 0; choices[i] != NULL; i++) {
        luaL_addstring(&b, i == 0 ? " " : ", ");
        luaL_addstring(&b, choices[i]);
    }
    luaL_pushresult(&b);
    return luaL_argerror(L, index, lua_tostring(L, -1));
}

/* ---- digests and MACs ---- */

static int digest(lua_State *L, enum digest d, int data, int enc) {
    uint8_t out[DIGEST_MAX];
    int how = out_arg(L, enc, ENC_HEX);
    struct str bytes = bytes_arg(L, data);
    if (bytes_secret(L, data)) test_signing(L, digest_name(d), data);
    need(L, crypto_digest(d, bytes, out));
    co_check(L);
    out_push(L, (struct str){(char *)out, digest_size(d)}, how);
    return 1;
}

static int l_md5(lua_State *L) {
    return digest(L, DIGEST_MD5, 1, 2);
}
static int l_sha1(lua_State *L) {
    return digest(L, DIGEST_SHA1, 1, 2);
}
static int l_sha256(lua_State *L) {
    return digest(L, DIGEST_SHA256, 1, 2);
}
static int l_sha384(lua_State *L) {
    return digest(L, DIGEST_SHA384, 1, 2);
}
static int l_sha512(lua_State *L) {
    return digest(L, DIGEST_SHA512, 1, 2);
}

static enum digest digest_arg(lua_State *L, int index) {
    struct str name;
    name.p = luaL_checklstring(L, index, &name.n);
    int d = digest_by_name(name);
    if (d < 0) luaL_argerror(L, index, "expected md5, sha1, sha256, sha384 or sha512");
    return (enum digest)d;
}

static int l_digest(lua_State *L) {
    return digest(L, digest_arg(L, 1), 2, 3);
}

static int l_hmac(lua_State *L) {
    uint8_t out[DIGEST_MAX];
    enum digest d = digest_arg(L, 1);
    int how = out_arg(L, 4, ENC_HEX);
    struct str key = bytes_arg(L, 2), data = bytes_arg(L, 3);
    test_signing(L, luaL_checkstring(L, 1), 3);
    need(L, crypto_hmac(d, key, data, out));
    co_check(L);
    out_push(L, (struct str){(char *)out, digest_size(d)}, how);
    mem_wipe(out, sizeof out);
    return 1;
}

static int l_hmac_verify(lua_State *L) {
    uint8_t out[DIGEST_MAX];
    enum digest d = digest_arg(L, 1);
    int how = out_arg(L, 5, ENC_HEX);
    struct str key = bytes_arg(L, 2), data = bytes_arg(L, 3);
    struct str text = lua_isnoneornil(L, 4) ? STR("") : bytes_arg(L, 4); /* an absent header */
    test_signing(L, luaL_checkstring(L, 1), 3);
    need(L, crypto_hmac(d, key, data, out));
    co_check(L);
    bool good = false;
    if (in_push(L, text, how) == 0) {
        struct str mac;
        mac.p = lua_tolstring(L, -1, &mac.n);
        good = crypto_equal(mac, (struct str){(char *)out, digest_size(d)});
    }
    mem_wipe(out, sizeof out);
    lua_pushboolean(L, good);
    return 1;
}

static int l_equal(lua_State *L) {
    if (lua_isnoneornil(L, 1) || lua_isnoneornil(L, 2)) {
        lua_pushboolean(L, 0); /* a header that was not sent fits nothing */
        return 1;
    }
    struct str a = bytes_arg(L, 1), b = bytes_arg(L, 2);
    lua_pushboolean(L, crypto_equal(a, b));
    return 1;
}

/* ---- encodings ---- */

static int encode(lua_State *L, enum encoding e) {
    bool secret = bytes_secret(L, 1);
    struct str bytes = bytes_arg(L, 1);
    struct buf *b = buf_push(L);
    text_encode(b, e, bytes);
    if (secret && b->err == 0)
        secret_push(L, buf_str(b), secret_is(L, 1) ? secret_name(L, 1) : "encoded");
    else
        buf_push_string(L, b);
    co_check(L);
    return 1;
}

static int decode(lua_State *L, enum encoding e, const char *name) {
    bool secret = bytes_secret(L, 1);
    struct str text = bytes_arg(L, 1);
    struct buf *b = buf_push(L);
    int err = text_decode(b, e, text);
    if (err == E_SYNTAX) return bind_fail(L, err, "not %s", name);
    if (secret && b->err == 0)
        secret_push(L, buf_str(b), secret_is(L, 1) ? secret_name(L, 1) : "decoded");
    else
        buf_push_string(L, b);
    co_check(L);
    return 1;
}

static int l_hex(lua_State *L) {
    return encode(L, ENC_HEX);
}
static int l_base64(lua_State *L) {
    return encode(L, ENC_BASE64);
}
static int l_base64url(lua_State *L) {
    return encode(L, ENC_BASE64URL);
}
static int l_join(lua_State *L) {
    return encode(L, ENC_RAW);
}
static int l_hex_decode(lua_State *L) {
    return decode(L, ENC_HEX, "hex");
}
static int l_base64_decode(lua_State *L) {
    return decode(L, ENC_BASE64, "base64");
}
static int l_base64url_decode(lua_State *L) {
    return decode(L, ENC_BASE64URL, "base64url");
}

static int l_crc16(lua_State *L) {
    struct str s;
    luaL_checktype(L, 1, LUA_TSTRING); /* no secret: 16 bits of it would show */
    s.p = lua_tolstring(L, 1, &s.n);
    lua_pushinteger(L, crc16_ccitt(s));
    return 1;
}

static int l_secret(lua_State *L) {
    const char *name = luaL_optstring(L, 2, "made");
    struct str bytes = bytes_arg(L, 1);
    secret_push(L, bytes, name);
    return 1;
}

/* ---- random ---- */

static struct rng *rng_of(lua_State *L) {
    struct runtime *rt = co_runtime(L);
    if (rt == NULL) luaL_error(L, "crypto: no random numbers while the script is loaded");
    return runtime_rng(rt);
}

static int l_random(lua_State *L) {
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 1 && n <= RANDOM_MAX, 1, "expected 1 to 4096 bytes");
    int how = out_arg(L, 2, ENC_HEX);
    uint8_t bytes[RANDOM_MAX];
    rng_fill(rng_of(L), bytes, (size_t)n);
    out_push(L, (struct str){(char *)bytes, (size_t)n}, how);
    mem_wipe(bytes, (size_t)n);
    return 1;
}

static int l_random_int(lua_State *L) {
    lua_Integer least = luaL_checkinteger(L, 1), most = luaL_checkinteger(L, 2);
    luaL_argcheck(L, least <= most, 2, "less than the first");
    uint64_t span = (uint64_t)most - (uint64_t)least + 1; /* 0: all of int64 */
    struct rng *rng = rng_of(L);
    uint64_t v = span == 0 ? rng_u64(rng) : rng_below(rng, span);
    lua_pushinteger(L, (lua_Integer)((uint64_t)least + v));
    return 1;
}

static int l_uuid(lua_State *L) {
    char text[UUID_SIZE];
    uuid_v4(text, rng_of(L));
    lua_pushstring(L, text);
    return 1;
}

static int l_uuid_v7(lua_State *L) {
    char text[UUID_SIZE];
    struct rng *rng = rng_of(L);
    uuid_v7(text, loop_clock(co_loop(L)), rng);
    lua_pushstring(L, text);
    return 1;
}

/* ---- the list ---- */

#define BYTES "string|secret|table"

static const struct bind_fn FNS[] = {
    {"md5", l_md5, KINDS_IO, "data: " BYTES ", encoding?: string -> string",
     "MD5, for old providers. Encoding of the result: hex (default), base64, base64url, raw, "
     "secret."},
    {"sha1", l_sha1, KINDS_IO, "data: " BYTES ", encoding?: string -> string",
     "SHA-1; hex unless told."},
    {"sha256", l_sha256, KINDS_IO, "data: " BYTES ", encoding?: string -> string",
     "SHA-256; hex unless told."},
    {"sha384", l_sha384, KINDS_IO, "data: " BYTES ", encoding?: string -> string",
     "SHA-384; hex unless told."},
    {"sha512", l_sha512, KINDS_IO, "data: " BYTES ", encoding?: string -> string",
     "SHA-512; hex unless told."},
    {"digest", l_digest, KINDS_IO, "digest: string, data: " BYTES ", encoding?: string -> string",
     "The digest of that name: md5, sha1, sha256, sha384, sha512."},
    {"hmac", l_hmac, KINDS_IO,
     "digest: string, key: " BYTES ", data: " BYTES ", encoding?: string -> string",
     "HMAC with the digest of that name; hex unless told."},
    {"hmac_verify", l_hmac_verify, KINDS_IO,
     "digest: string, key: " BYTES ", data: " BYTES ", mac: string?, encoding?: string -> boolean",
     "Compares in constant time; a mac that is absent or badly encoded is false."},
    {"equal", l_equal, KINDS_IO, "a: " BYTES "?, b: " BYTES "? -> boolean",
     "Constant-time comparison; nil equals nothing."},
    {"rsa_sign", crypto_l_rsa_sign, KINDS_IO,
     "key: " BYTES ", data: " BYTES ", options?: {digest?: string, scheme?: string, salt?: "
     "integer, encoding?: string, password?: " BYTES "} -> string?, string?, string?",
     "RSA signature with a PEM private key; SHA-256, PKCS#1 v1.5 (or scheme = \"pss\"), base64. "
     "Waits."},
    {"rsa_verify", crypto_l_rsa_verify, KINDS_IO,
     "key: " BYTES ", data: " BYTES ", signature: string?, options?: {digest?: string, scheme?: "
     "string, salt?: integer, encoding?: "
     "string} -> boolean?, string?, string?",
     "Checks an RSA signature with a PEM public key or certificate; nil and why if the key is no "
     "good."},
    {"ecdsa_sign", crypto_l_ecdsa_sign, KINDS_IO,
     "key: " BYTES ", data: " BYTES
     ", options?: {digest?: string, format?: string, encoding?: string, password?: " BYTES
     "} -> string?, string?, string?",
     "ECDSA signature (P-256, P-384); format \"der\" (default) or \"raw\"; base64."},
    {"ecdsa_verify", crypto_l_ecdsa_verify, KINDS_IO,
     "key: " BYTES ", data: " BYTES
     ", signature: string?, options?: {digest?: string, format?: string, encoding?: string} -> "
     "boolean?, string?, string?",
     "Checks an ECDSA signature."},
    {"ed25519_sign", crypto_l_ed25519_sign, KINDS_IO,
     "key: " BYTES ", data: " BYTES ", options?: {encoding?: string, password?: " BYTES
     "} -> string?, string?, string?",
     "Ed25519 signature; base64."},
    {"ed25519_verify", crypto_l_ed25519_verify, KINDS_IO,
     "key: " BYTES ", data: " BYTES
     ", signature: string?, options?: {encoding?: string} -> boolean?, string?, string?",
     "Checks an Ed25519 signature."},
    {"public_key", crypto_l_public_key, KINDS_IO,
     "key: " BYTES ", password?: " BYTES " -> string?, string?, string?",
     "The public half of a private key, as PEM."},
    {"aes_encrypt", crypto_l_aes_encrypt, KINDS_IO,
     "options: {mode: string, key: " BYTES ", data: " BYTES ", iv?: " BYTES
     ", padding?: boolean, aad?: " BYTES
     ", tag?: integer, encoding?: string} -> string|secret?, string?, "
     "string?",
     "AES-128/192/256 by the key's size; mode cbc, ecb (only where a provider demands it) or gcm, "
     "whose "
     "tag stands behind the text; PKCS#7 unless padding = false; raw unless told."},
    {"aes_decrypt", crypto_l_aes_decrypt, KINDS_IO,
     "options: {mode: string, key: " BYTES ", data: " BYTES ", iv?: " BYTES
     ", padding?: boolean, aad?: " BYTES
     ", tag?: integer, encoding?: string} -> string|secret?, string?, "
     "string?",
     "The way back; encoding says how data is written. E_DENIED when it does not fit. Of what had "
     "a "
     "secret in data, iv or aad it gives a secret, there and back."},
    {"des3_encrypt", crypto_l_des3_encrypt, KINDS_IO,
     "options: {mode: string, key: " BYTES ", data: " BYTES ", iv?: " BYTES
     ", padding?: boolean, encoding?: string} -> string|secret?, string?, string?",
     "3DES, cbc or ecb, where a provider demands it; key of 24 or 16 bytes."},
    {"des3_decrypt", crypto_l_des3_decrypt, KINDS_IO,
     "options: {mode: string, key: " BYTES ", data: " BYTES ", iv?: " BYTES
     ", padding?: boolean, encoding?: string} -> string|secret?, string?, string?",
     "The way back."},
    {"base64", l_base64, KINDS_IO, "data: " BYTES " -> string|secret",
     "Standard base64, padded. With a secret in it the result is a secret."},
    {"base64_decode", l_base64_decode, KINDS_IO,
     "text: " BYTES " -> string?|secret, string?, string?", "Strict: padded, no white space."},
    {"base64url", l_base64url, KINDS_IO, "data: " BYTES " -> string|secret",
     "URL-safe base64 without padding."},
    {"base64url_decode", l_base64url_decode, KINDS_IO,
     "text: " BYTES " -> string?|secret, string?, string?", "Strict: no padding."},
    {"hex", l_hex, KINDS_IO, "data: " BYTES " -> string|secret", "Lower-case hex."},
    {"hex_decode", l_hex_decode, KINDS_IO, "text: " BYTES " -> string?|secret, string?, string?",
     "Hex of either case."},
    {"join", l_join, KINDS_IO, "parts: " BYTES " -> string|secret",
     "The parts as one; a secret if one of them is."},
    {"secret", l_secret, KINDS_IO, "data: " BYTES ", name?: string -> secret",
     "Makes a secret of bytes that a provider gave: a token, a session key."},
    {"crc16", l_crc16, KINDS_IO, "data: string -> integer", "CRC-16/CCITT-FALSE, as QRIS ends in."},
    {"random", l_random, KINDS_IO, "n: integer, encoding?: string -> string",
     "n random bytes (1 to 4096), hex unless told."},
    {"random_int", l_random_int, KINDS_IO, "least: integer, most: integer -> integer",
     "A random integer, both ends included, all equally likely."},
    {"uuid", l_uuid, KINDS_IO, "-> string", "A random UUID (version 4)."},
    {"uuid_v7", l_uuid_v7, KINDS_IO, "-> string", "A UUID that begins with the time (version 7)."},
    {"jwt_sign", crypto_l_jwt_sign, KINDS_IO,
     "options: {alg: string, key: " BYTES ", payload: " BYTES ", kid?: string, password?: " BYTES
     "} -> string|secret?, string?, string?",
     "A signed token over the payload's bytes (json.encode them): HS256, RS256, ES256, EdDSA. Of a "
     "secret payload it is a secret."},
    {"jwt_verify", crypto_l_jwt_verify, KINDS_IO,
     "options: {alg: string, key: " BYTES ", token: " BYTES "} -> string|secret?, string?, string?",
     "The payload's bytes if the token is signed with this alg and key. Check exp yourself."},
    {"password_hash", crypto_l_password_hash, KINDS_IO,
     "password: " BYTES " -> string?, string?, string?",
     "scrypt, with its parameters in the text. Waits."},
    {"password_verify", crypto_l_password_verify, KINDS_IO,
     "password: " BYTES ", hash: string -> boolean?, boolean|string, string?",
     "Does the password fit; second result: hash it anew (weaker than today's). Waits."},
    {0},
};

static const struct bind_type TYPES[] = {
    {SECRET_TYPE, "Bytes that can be passed on but never seen: keys, passwords, tokens.",
     (const struct bind_fn[]){{0}}, secret_open},
    {0},
};

const struct bind_module bind_crypto = {
    .name = "crypto",
    .doc = "Digests, MACs, signatures, ciphers, encodings, random values.",
    .fns = FNS,
    .types = TYPES,
};
