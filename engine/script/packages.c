/* packages: C modules of the distribution that one-off scripts may require, by a fixed list of
 * names. They allocate outside the state's caps and are trusted code, so caged scripts never get
 * here: they have the engine's own under the same names. A library stays loaded once it was. */
#include "script/packages.h"

#include "base/ensure.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define KINDS_PACKAGES (KIND_TOOL | KIND_TEST)
#define TEMPLATES_MAX  1024

static const struct {
    const char *name;
    const char *open;
} PACKAGES[] = {{"cjson", "luaopen_cjson"}};

/* The file of a module by Lua's own search path ("/a/?.so;/b/?.so"), as dlopen found it. */
static void *open_library(const char *name) {
    char templates[TEMPLATES_MAX];
    snprintf(templates, sizeof templates, "%s", LUA_CPATH_DEFAULT);
    char *rest = templates;
    for (char *one = strsep(&rest, ";"); one != NULL; one = strsep(&rest, ";")) {
        char *mark = strchr(one, '?');
        if (one[0] != '/' || mark == NULL) continue; /* never from the working directory */
        char path[TEMPLATES_MAX + 64];
        snprintf(path, sizeof path, "%.*s%s%s", (int)(mark - one), one, name, mark + 1);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library != NULL) return library;
    }
    return NULL;
}

bool package_load(lua_State *L, const char *name, enum script_kind kind) {
    if ((kind & KINDS_PACKAGES) == 0) return false;
    for (size_t i = 0; i < ARRAY_LEN(PACKAGES); i++) {
        if (strcmp(PACKAGES[i].name, name) != 0) continue;
        void *library = open_library(name);
        lua_CFunction open = NULL;
        if (library != NULL) *(void **)&open = dlsym(library, PACKAGES[i].open);
        if (open == NULL) return false;
        lua_pushcfunction(L, open);
        lua_pushstring(L, name);
        lua_call(L, 1, 1);
        return true;
    }
    return false;
}
