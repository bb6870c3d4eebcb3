/* qr: a text drawn, for pages, for QR images of our own and for simulators. */
#include "base/err.h"
#include "script/bind.h"
#include "script/buf_lua.h"
#include "sys/qr.h"

static int done(lua_State *L, int err, const struct buf *b) {
    if (err == E_LIMIT)
        return bind_fail(L, err, "qr: a text of 1 to %d bytes is expected", QR_TEXT_MAX);
    if (err != 0) return luaL_error(L, "qr: %s", err_text(err));
    buf_push_string(L, b);
    return 1;
}

static struct str text_arg(lua_State *L) {
    struct str s;
    s.p = luaL_checklstring(L, 1, &s.n);
    return s;
}

static int l_svg(lua_State *L) {
    struct str text = text_arg(L);
    struct buf *b = buf_push(L);
    return done(L, qr_svg(text, b), b);
}

static int l_png(lua_State *L) {
    struct str text = text_arg(L);
    lua_Integer scale = luaL_optinteger(L, 2, 8);
    luaL_argcheck(L, scale >= 1 && scale <= QR_SCALE_MAX, 2, "1 to 16 pixels");
    struct buf *b = buf_push(L);
    return done(L, qr_png(text, (int)scale, b), b);
}

static const struct bind_fn FNS[] = {
    {"svg", l_svg, KINDS_IO, "text: string -> string?, string?, string?",
     "a QR code as an SVG image; nil, text, code for a text that is empty or too long"},
    {"png", l_png, KINDS_IO, "text: string, scale?: integer -> string?, string?, string?",
     "a QR code as a PNG image, scale (8) pixels a module"},
    {0},
};
const struct bind_module bind_qr = {"qr", "QR codes", FNS, NULL};
