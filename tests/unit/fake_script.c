/* Stand-ins for what the bindings call of script/: a test links these when the real ones are not
 * there. */
#include "base/err.h"
#include "script/bind.h"
#include "script/co.h"

#include <stdarg.h>

struct loop *fake_script_loop;

struct loop *co_loop(lua_State *L) {
    (void)L;
    return fake_script_loop;
}

void co_check(lua_State *L) {
    (void)L;
}

void co_charge(lua_State *L, size_t n) {
    (void)L, (void)n;
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
