/* crypto.aes_* and crypto.des3_*. Of a secret key the result shows nothing; whoever has the key gets back
 * what else went in, so with a secret among that the result is one. */
#include "script/bind_crypto.h"
#include "script/buf_lua.h"
#include "script/co.h"
#include "sys/crypto.h"

static const char *const OPTIONS[] = {"mode", "key", "iv",       "data", "padding",
                                      "aad",  "tag", "encoding", NULL};
static const char *const MODES[] = {
    [MODE_CBC] = "cbc", [MODE_ECB] = "ecb", [MODE_GCM] = "gcm", NULL};

/* The option stays on the stack, with its hold, until the function returns. *hidden: it is, or has, a
 * secret; else it stays. */
static struct str bytes_option(lua_State *L, const char *name, bool required, bool *hidden) {
    if (option_push(L, 1, name)) {
        int index = lua_gettop(L);
        int type = lua_type(L, index);
        if (type != LUA_TSTRING && type != LUA_TTABLE && !secret_is(L, index))
            luaL_argerror(L, 1, lua_pushfstring(L, "%s: expected string, secret or list", name));
        *hidden = *hidden || bytes_secret(L, index);
        return bytes_arg(L, index);
    }
    if (required) luaL_argerror(L, 1, lua_pushfstring(L, "%s is missing", name));
    return (struct str){0};
}

static int run(lua_State *L, enum cipher cipher, bool decrypt) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_checkstack(L, 24, "cipher");
    options_check(L, 1, OPTIONS);
    struct cipher_spec spec = {.cipher = cipher};
    int mode = option_choice(L, 1, "mode", MODES, -1);
    if (mode < 0) luaL_argerror(L, 1, "mode is missing: cbc, ecb or gcm");
    spec.mode = (enum cipher_mode)mode;
    if (option_push(L, 1, "padding")) {
        luaL_argcheck(L, lua_isboolean(L, -1), 1, "padding: expected true or false");
        spec.no_padding = !lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    spec.tag_size = (size_t)option_int(L, 1, "tag", 0, 12, 16);
    int how = option_out(L, 1, ENC_RAW);
    bool key = false, hidden = false;
    spec.key = bytes_option(L, "key", true, &key);
    spec.iv = bytes_option(L, "iv", false, &hidden);
    spec.aad = bytes_option(L, "aad", false, &hidden);
    struct str data = bytes_option(L, "data", true, &hidden);
    struct why why = {0};
    struct buf *out = buf_push(L);
    int err;
    if (decrypt) {
        if (how != ENC_RAW && how != OUT_SECRET) {
            if (in_push(L, data, how) != 0)
                return bind_fail(L, E_DENIED, "data is not in the encoding named");
            data.p = lua_tolstring(L, -1, &data.n);
        }
        err = crypto_decrypt(&spec, data, out, &why);
        how = how == OUT_SECRET ? OUT_SECRET : ENC_RAW;
    } else {
        err = crypto_encrypt(&spec, data, out, &why);
    }
    if (err == E_INVAL) return luaL_error(L, "%s", why.text);
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    if (hidden)
        out_push_hidden(L, out, how);
    else
        out_push(L, buf_str(out), how);
    co_check(L);
    return 1;
}

int crypto_l_aes_encrypt(lua_State *L) {
    return run(L, CIPHER_AES, false);
}
int crypto_l_aes_decrypt(lua_State *L) {
    return run(L, CIPHER_AES, true);
}
int crypto_l_des3_encrypt(lua_State *L) {
    return run(L, CIPHER_3DES, false);
}
int crypto_l_des3_decrypt(lua_State *L) {
    return run(L, CIPHER_3DES, true);
}
