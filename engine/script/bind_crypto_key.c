/* crypto functions that use keys and passwords.
 *
 * RSA private operations and scrypt take long: their inputs are copied into a work item, which runs
 * on the pool while the call waits. Who frees the item: the userdata on the waiting call's stack
 * (`slot`) once the item is done or was never sent; else done() on the loop, when the call went
 * away meanwhile. Both run on the loop's thread, so there is nothing to lock.
 *
 *     new --submit--> in flight --done--> done (slot frees it)
 *                         |
 *                       cancel --> alone --done--> freed
 *
 * Without a pool the work is done at once, on the loop. */
#include "base/ensure.h"
#include "base/mem.h"
#include "loop/pool.h"
#include "script/bind_crypto.h"
#include "script/buf_lua.h"
#include "script/co.h"
#include "script/runtime.h"
#include "script/test_script.h"
#include "sys/crypto_jwt.h"

#define SLOT_TYPE "crypto.work"

enum work_kind { WORK_SIGN, WORK_JWT, WORK_HASH, WORK_CHECK };

struct slot;

struct work {
    struct pool_job job;
    struct slot *slot; /* who waits; NULL: nobody any more */
    enum work_kind kind;
    enum key_type wanted; /* of the key; WORK_JWT: not read */
    struct sign_spec spec;
    enum jwt_alg alg;
    struct buf key, password, data, kid; /* copies; wiped */
    uint8_t salt[PASSWORD_SALT_SIZE];
    struct buf out;
    bool stale;
    int err;
    struct why why;
};

struct slot {
    struct co_wait wait;
    struct work *work;
    bool flying; /* on the pool */
    int how;     /* encoding of the result */
};

static void wipe(struct buf *b) {
    mem_wipe(b->data, b->cap);
    buf_free(b);
}

static void work_delete(struct work *w) {
    if (w == NULL) return;
    wipe(&w->key);
    wipe(&w->password);
    wipe(&w->data);
    buf_free(&w->kid);
    wipe(&w->out);
    mem_free(w);
}

/* The call is gone, or its stack is collected. */
static void slot_leave(struct slot *s) {
    if (s->work != NULL && s->flying)
        s->work->slot = NULL;
    else
        work_delete(s->work);
    s->work = NULL;
    s->flying = false;
}

static int slot_collect(lua_State *L) {
    slot_leave(lua_touserdata(L, 1));
    return 0;
}

static void slot_cancel(struct co_wait *wait) {
    slot_leave(CONTAINER_OF(wait, struct slot, wait));
}

static struct work *work_push(lua_State *L, enum work_kind kind, struct slot **slot) {
    struct slot *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct slot){.wait.cancel = slot_cancel, .how = ENC_RAW};
    luaL_newmetatable(L, SLOT_TYPE);
    lua_pushcfunction(L, slot_collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    s->work = mem_zalloc(sizeof *s->work);
    if (s->work == NULL) luaL_error(L, "out of memory");
    s->work->slot = s;
    s->work->kind = kind;
    *slot = s;
    return s->work;
}

static void copy(lua_State *L, struct buf *to, struct str from) {
    buf_addstr(to, from);
    if (to->err != 0) luaL_error(L, "%s", err_text(to->err));
}

/* ---- the work itself: any thread ---- */

static int load_key(struct crypto_key **key, const struct work *w, struct why *why) {
    int err = key_load_private(key, buf_str(&w->key), buf_str(&w->password), why);
    if (err != 0) why_prefix(why, "private key: ");
    return err;
}

static int type_fits(const struct crypto_key *key, enum key_type wanted, struct why *why) {
    enum key_type got = key_type(key);
    if (got == wanted || (wanted == KEY_P256 && got == KEY_P384)) return 0;
    return why_set(why, E_INVAL, "the key is %s, expected %s", key_type_name(got),
                   wanted == KEY_P256 ? "EC" : key_type_name(wanted));
}

static int do_sign(struct work *w) {
    struct crypto_key *key = NULL;
    int err = load_key(&key, w, &w->why);
    if (err == 0) err = type_fits(key, w->wanted, &w->why);
    if (err == 0) err = key_sign(key, &w->spec, buf_str(&w->data), &w->out, &w->why);
    key_delete(key);
    return err;
}

static int do_jwt(struct work *w) {
    struct jwt_key jwt = {.alg = w->alg, .secret = buf_str(&w->key)};
    struct crypto_key *key = NULL;
    int err = w->alg == JWT_HS256 ? 0 : load_key(&key, w, &w->why);
    jwt.key = key;
    if (err == 0) err = jwt_sign(&jwt, buf_str(&w->kid), buf_str(&w->data), &w->out, &w->why);
    key_delete(key);
    return err;
}

static int do_hash(struct work *w) {
    char text[PASSWORD_HASH_MAX];
    int err = password_hash(buf_str(&w->password), NULL, w->salt, text);
    if (err == 0) buf_adds(&w->out, text);
    return err != 0 ? err : w->out.err;
}

static void do_work(struct work *w) {
    switch (w->kind) {
    case WORK_SIGN: w->err = do_sign(w); break;
    case WORK_JWT: w->err = do_jwt(w); break;
    case WORK_HASH: w->err = do_hash(w); break;
    case WORK_CHECK:
        w->err = password_verify(buf_str(&w->password), buf_str(&w->data), &w->stale);
        break;
    }
    if (w->err != 0 && w->why.code == 0) why_set(&w->why, w->err, "%s", err_text(w->err));
}

static void run_on_pool(struct pool_job *job) {
    do_work(CONTAINER_OF(job, struct work, job));
}

static void work_done(struct pool_job *job) {
    struct work *w = CONTAINER_OF(job, struct work, job);
    if (w->slot == NULL) {
        work_delete(w);
        return;
    }
    w->slot->flying = false;
    (void)co_wake(w->slot->wait.ticket); /* nobody waits: the slot frees it when it is collected */
}

/* ---- results ---- */

static int push_result(lua_State *L, struct slot *s) {
    struct work *w = s->work;
    if (w->kind == WORK_CHECK && (w->err == 0 || w->err == E_DENIED)) {
        lua_pushboolean(L, w->err == 0);
        lua_pushboolean(L, w->err == 0 && w->stale);
        return 2;
    }
    if (w->err != 0) return bind_fail(L, w->err, "%s", w->why.text);
    out_push(L, buf_str(&w->out), s->how);
    return 1;
}

static int finish(lua_State *L, struct co_wait *wait) {
    return push_result(L, CONTAINER_OF(wait, struct slot, wait));
}

/* As a tail call only. */
static int start(lua_State *L, struct slot *s, const char *name, bool long_work) {
    struct runtime *rt = co_runtime(L);
    struct pool *pool = long_work && rt != NULL ? runtime_pool(rt) : NULL;
    if (pool == NULL) {
        do_work(s->work);
        co_check(L);
        return push_result(L, s);
    }
    co_require_wait(L, name);
    int err = pool_submit(pool, co_loop(L), &s->work->job, run_on_pool, work_done);
    if (err != 0) return bind_fail(L, err, "%s: too much of such work waits", name);
    s->flying = true;
    co_park(L, &s->wait);
    return co_yield (L, finish);
}

/* ---- signing and verifying ---- */

static const char *const DIGESTS[] = {
    [DIGEST_MD5] = "",          [DIGEST_SHA1] = "sha1",     [DIGEST_SHA256] = "sha256",
    [DIGEST_SHA384] = "sha384", [DIGEST_SHA512] = "sha512", NULL};
static const char *const SCHEMES[] = {"pkcs1", "pss", NULL};
static const char *const FORMATS[] = {"der", "raw", NULL};
static const char *const RSA_OPTIONS[] = {"digest", "scheme", "salt", "encoding", "password", NULL};
static const char *const EC_OPTIONS[] = {"digest", "format", "encoding", "password", NULL};
static const char *const ED_OPTIONS[] = {"encoding", "password", NULL};

static struct sign_spec spec_arg(lua_State *L, int index, enum key_type type) {
    struct sign_spec spec = {.digest = DIGEST_SHA256, .salt_size = -1};
    options_check(L, index,
                  type == KEY_RSA       ? RSA_OPTIONS
                  : type == KEY_ED25519 ? ED_OPTIONS
                                        : EC_OPTIONS);
    if (type == KEY_ED25519) {
        spec.scheme = SIGN_ED25519;
        return spec;
    }
    int d = option_choice(L, index, "digest", DIGESTS, DIGEST_SHA256);
    luaL_argcheck(L, d != DIGEST_MD5, index, "digest: md5 makes no signatures");
    spec.digest = (enum digest)d;
    if (type == KEY_RSA) {
        spec.scheme = option_choice(L, index, "scheme", SCHEMES, 0) == 0 ? SIGN_PKCS1 : SIGN_PSS;
        spec.salt_size = (int)option_int(L, index, "salt", -1, 0, 512);
    } else {
        spec.scheme =
            option_choice(L, index, "format", FORMATS, 0) == 0 ? SIGN_ECDSA_DER : SIGN_ECDSA_RAW;
    }
    return spec;
}

static int sign(lua_State *L, enum key_type type, const char *name) {
    lua_settop(L, 3);
    struct slot *s;
    struct sign_spec spec = spec_arg(L, 3, type);
    int how = option_out(L, 3, ENC_BASE64);
    struct work *w = work_push(L, WORK_SIGN, &s);
    w->wanted = type;
    w->spec = spec;
    s->how = how;
    copy(L, &w->key, bytes_arg(L, 1));
    copy(L, &w->data, bytes_arg(L, 2));
    test_signing(L, name, 2);
    if (option_push(L, 3, "password")) copy(L, &w->password, bytes_arg(L, lua_gettop(L)));
    return start(L, s, name, type == KEY_RSA);
}

struct key_box {
    struct crypto_key *key;
};

static int box_collect(lua_State *L) {
    struct key_box *box = lua_touserdata(L, 1);
    key_delete(box->key);
    box->key = NULL;
    return 0;
}

static struct key_box *box_push(lua_State *L) {
    struct key_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->key = NULL;
    luaL_newmetatable(L, "crypto.key");
    lua_pushcfunction(L, box_collect);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return box;
}

static int verify(lua_State *L, enum key_type type) {
    lua_settop(L, 4);
    struct sign_spec spec = spec_arg(L, 4, type);
    int how = option_out(L, 4, ENC_BASE64);
    struct key_box *box = box_push(L);
    struct why why = {0};
    struct str pem = bytes_arg(L, 1), data = bytes_arg(L, 2);
    test_signing(L, "verify", 2);
    struct str text = lua_isnil(L, 3) ? STR("") : bytes_arg(L, 3); /* an absent header */
    int err = key_load_public(&box->key, pem, &why);
    if (err == 0) err = type_fits(box->key, type, &why);
    if (err != 0) return bind_fail(L, err, "public key: %s", why.text);
    err = in_push(L, text, how) == 0 ? 0 : E_DENIED;
    if (err == 0) {
        struct str sig;
        sig.p = lua_tolstring(L, -1, &sig.n);
        err = key_verify(box->key, &spec, data, sig, &why);
    }
    co_check(L);
    if (err != 0 && err != E_DENIED) return bind_fail(L, err, "%s", why.text);
    lua_pushboolean(L, err == 0);
    return 1;
}

int crypto_l_rsa_sign(lua_State *L) {
    return sign(L, KEY_RSA, "crypto.rsa_sign");
}
int crypto_l_rsa_verify(lua_State *L) {
    return verify(L, KEY_RSA);
}
int crypto_l_ecdsa_sign(lua_State *L) {
    return sign(L, KEY_P256, "crypto.ecdsa_sign");
}
int crypto_l_ecdsa_verify(lua_State *L) {
    return verify(L, KEY_P256);
}
int crypto_l_ed25519_sign(lua_State *L) {
    return sign(L, KEY_ED25519, "crypto.ed25519_sign");
}
int crypto_l_ed25519_verify(lua_State *L) {
    return verify(L, KEY_ED25519);
}

int crypto_l_public_key(lua_State *L) {
    lua_settop(L, 2);
    struct key_box *box = box_push(L);
    struct buf *out = buf_push(L);
    struct why why = {0};
    struct str pem = bytes_arg(L, 1);
    struct str password = lua_isnil(L, 2) ? (struct str){0} : bytes_arg(L, 2);
    int err = key_load_private(&box->key, pem, password, &why);
    if (err != 0) return bind_fail(L, err, "private key: %s", why.text);
    if ((err = key_public_pem(box->key, out)) != 0) return bind_fail(L, err, "%s", err_text(err));
    buf_push_string(L, out);
    return 1;
}

/* ---- tokens ---- */

static const char *const JWT_SIGN_OPTIONS[] = {"alg", "key", "payload", "kid", "password", NULL};
static const char *const JWT_VERIFY_OPTIONS[] = {"alg", "key", "token", NULL};
static const char *const ALGS[] = {[JWT_HS256] = "HS256",
                                   [JWT_RS256] = "RS256",
                                   [JWT_ES256] = "ES256",
                                   [JWT_EDDSA] = "EdDSA",
                                   NULL};

static int alg_arg(lua_State *L) {
    int alg = option_choice(L, 1, "alg", ALGS, -1);
    if (alg < 0) luaL_argerror(L, 1, "alg is missing: HS256, RS256, ES256 or EdDSA");
    return alg;
}

/* *hidden: it is, or has, a secret. */
static struct str required(lua_State *L, const char *name, bool *hidden) {
    if (!option_push(L, 1, name)) luaL_argerror(L, 1, lua_pushfstring(L, "%s is missing", name));
    *hidden = bytes_secret(L, lua_gettop(L));
    return bytes_arg(L, lua_gettop(L));
}

int crypto_l_jwt_sign(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    options_check(L, 1, JWT_SIGN_OPTIONS);
    int alg = alg_arg(L);
    struct slot *s;
    struct work *w = work_push(L, WORK_JWT, &s);
    w->alg = (enum jwt_alg)alg;
    bool hidden;
    copy(L, &w->key, required(L, "key", &hidden));
    copy(L, &w->data, required(L, "payload", &hidden));
    if (hidden) s->how = OUT_SECRET; /* a token shows its payload */
    if (option_push(L, 1, "password")) copy(L, &w->password, bytes_arg(L, lua_gettop(L)));
    if (option_push(L, 1, "kid")) {
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, "kid: expected a string");
        size_t n;
        const char *p = lua_tolstring(L, -1, &n);
        copy(L, &w->kid, (struct str){p, n});
    }
    return start(L, s, "crypto.jwt_sign", alg == JWT_RS256);
}

int crypto_l_jwt_verify(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    options_check(L, 1, JWT_VERIFY_OPTIONS);
    struct jwt_key jwt = {.alg = (enum jwt_alg)alg_arg(L)};
    struct key_box *box = box_push(L);
    struct buf *payload = buf_push(L);
    bool hidden;
    struct str key = required(L, "key", &hidden);
    bool sent = option_push(L, 1, "token");
    hidden = sent && bytes_secret(L, lua_gettop(L));
    struct str token = sent ? bytes_arg(L, lua_gettop(L)) : STR("");
    struct why why = {0};
    if (jwt.alg == JWT_HS256) {
        jwt.secret = key;
    } else {
        int err = key_load_public(&box->key, key, &why);
        if (err != 0) return bind_fail(L, err, "public key: %s", why.text);
        jwt.key = box->key;
    }
    int err = jwt_verify(&jwt, token, payload, &why);
    co_check(L);
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    if (hidden)
        out_push_hidden(L, payload, ENC_RAW);
    else
        buf_push_string(L, payload);
    return 1;
}

/* ---- passwords ---- */

int crypto_l_password_hash(lua_State *L) {
    lua_settop(L, 1);
    struct runtime *rt = co_runtime(L);
    if (rt == NULL) luaL_error(L, "crypto.password_hash: not while the script is loaded");
    struct slot *s;
    struct work *w = work_push(L, WORK_HASH, &s);
    copy(L, &w->password, bytes_arg(L, 1));
    luaL_argcheck(L, w->password.len >= 1 && w->password.len <= PASSWORD_MAX, 1,
                  "expected 1 to 1024 bytes");
    rng_fill(runtime_rng(rt), w->salt, sizeof w->salt);
    return start(L, s, "crypto.password_hash", true);
}

int crypto_l_password_verify(lua_State *L) {
    lua_settop(L, 2);
    struct slot *s;
    struct work *w = work_push(L, WORK_CHECK, &s);
    copy(L, &w->password, bytes_arg(L, 1));
    copy(L, &w->data, bytes_arg(L, 2));
    return start(L, s, "crypto.password_verify", true);
}
