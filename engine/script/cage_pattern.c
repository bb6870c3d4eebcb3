/* cage: Lua patterns with a step budget, written from the manual (6.4.1): character classes, sets,
 * the four repetitions, %b, %f, captures with positions and back references.
 *
 * The subject is at most CAGE_TEXT_MAX bytes, one search takes at most CAGE_STEPS_MAX steps, and
 * recursion is bounded, so the worst call costs a few milliseconds of C that no hook sees. Steps
 * are told to the budget. */
#include "script/cage.h"

#include "base/str.h"

#include <ctype.h>

#define CAPTURES  32
#define DEPTH_MAX 200

enum { CAP_OPEN = -1, CAP_POSITION = -2 };

struct match {
    lua_State *L;
    const char *text, *text_end;
    const char *pattern_end;
    int steps; /* left */
    int depth;
    int count; /* captures */
    struct {
        const char *from;
        ptrdiff_t length; /* or CAP_OPEN, CAP_POSITION */
    } capture[CAPTURES];
};

static void tell(struct match *m) {
    cage_spent(m->L, (size_t)(CAGE_STEPS_MAX - m->steps) / 4);
}

static void step(struct match *m) {
    if (--m->steps >= 0) return;
    tell(m);
    luaL_error(m->L, "pattern takes too many steps on this text");
}

/* The end of the single-character item at p: 'a', '.', '%a', '[set]'. */
static const char *item_end(struct match *m, const char *p) {
    char c = *p++;
    if (c == '%') {
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 1;
    }
    if (c != '[') return p;
    if (p < m->pattern_end && *p == '^') p++;
    do { /* a ']' in first place stands for itself */
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%') {
            if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
            p++;
        }
    } while (p == m->pattern_end || *p != ']');
    return p + 1;
}

static bool in_class(unsigned char c, unsigned char letter) {
    bool in;
    switch (tolower(letter)) {
    case 'a': in = isalpha(c); break;
    case 'c': in = iscntrl(c); break;
    case 'd': in = isdigit(c); break;
    case 'g': in = isgraph(c); break;
    case 'l': in = islower(c); break;
    case 'p': in = ispunct(c); break;
    case 's': in = isspace(c); break;
    case 'u': in = isupper(c); break;
    case 'w': in = isalnum(c); break;
    case 'x': in = isxdigit(c); break;
    default: return letter == c;
    }
    return isupper(letter) ? !in : in;
}

/* p at '[', end at the closing ']'. */
static bool in_set(struct match *m, unsigned char c, const char *p, const char *end) {
    bool found = true;
    if (p[1] == '^') {
        found = false;
        p++;
    }
    for (p++; p < end; p++) {
        step(m);
        if (*p == '%') {
            p++;
            if (in_class(c, (unsigned char)*p)) return found;
        } else if (p + 2 < end && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) return found;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

static bool item_matches(struct match *m, const char *s, const char *p, const char *end) {
    if (s >= m->text_end) return false;
    step(m);
    unsigned char c = (unsigned char)*s;
    switch (*p) {
    case '.': return true;
    case '%': return in_class(c, (unsigned char)p[1]);
    case '[': return in_set(m, c, p, end - 1);
    default: return (unsigned char)*p == c;
    }
}

static const char *match_here(struct match *m, const char *s, const char *p);

static const char *balanced(struct match *m, const char *s, const char *p) {
    if (m->pattern_end - p < 2) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->text_end || *s != p[0]) return NULL;
    int depth = 1;
    for (s++; s < m->text_end; s++) {
        step(m);
        if (*s == p[1]) {
            if (--depth == 0) return s + 1;
        } else if (*s == p[0]) {
            depth++;
        }
    }
    return NULL;
}

static const char *longest(struct match *m, const char *s, const char *p, const char *end) {
    const char *to = s;
    while (item_matches(m, to, p, end))
        to++;
    for (; to >= s; to--) {
        const char *got = match_here(m, to, end + 1);
        if (got != NULL) return got;
    }
    return NULL;
}

static const char *shortest(struct match *m, const char *s, const char *p, const char *end) {
    for (;; s++) {
        const char *got = match_here(m, s, end + 1);
        if (got != NULL) return got;
        if (!item_matches(m, s, p, end)) return NULL;
    }
}

static const char *open_capture(struct match *m, const char *s, const char *p, ptrdiff_t what) {
    if (m->count == CAPTURES) luaL_error(m->L, "too many captures");
    m->capture[m->count].from = s;
    m->capture[m->count].length = what;
    m->count++;
    const char *got = match_here(m, s, p);
    if (got == NULL) m->count--;
    return got;
}

static const char *close_capture(struct match *m, const char *s, const char *p) {
    int i = m->count - 1;
    while (i >= 0 && m->capture[i].length != CAP_OPEN)
        i--;
    if (i < 0) luaL_error(m->L, "invalid pattern capture");
    m->capture[i].length = s - m->capture[i].from;
    const char *got = match_here(m, s, p);
    if (got == NULL) m->capture[i].length = CAP_OPEN;
    return got;
}

static const char *same_again(struct match *m, const char *s, char digit) {
    int i = digit - '1';
    if (i < 0 || i >= m->count || m->capture[i].length == CAP_OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->capture[i].length == CAP_POSITION) luaL_error(m->L, "invalid capture index %%%d", i + 1);
    size_t n = (size_t)m->capture[i].length;
    m->steps -= (int)(n / 8);
    if ((size_t)(m->text_end - s) < n || memcmp(m->capture[i].from, s, n) != 0) return NULL;
    return s + n;
}

static bool at_frontier(struct match *m, const char *s, const char *p, const char *end) {
    unsigned char before = s == m->text ? '\0' : (unsigned char)s[-1];
    unsigned char here = s == m->text_end ? '\0' : (unsigned char)*s;
    return !in_set(m, before, p, end - 1) && in_set(m, here, p, end - 1);
}

/* %b, %f and back references; *s is moved on; false: p is a plain item, true: done. */
static bool special(struct match *m, const char **s, const char **p) {
    const char *q = *p;
    if (q[0] != '%' || q + 1 >= m->pattern_end) return false;
    if (q[1] == 'b') {
        *s = balanced(m, *s, q + 2);
        *p = q + 4;
        return true;
    }
    if (q[1] == 'f') {
        q += 2;
        if (q >= m->pattern_end || *q != '[')
            luaL_error(m->L, "missing '[' after '%%f' in pattern");
        const char *end = item_end(m, q);
        if (!at_frontier(m, *s, q, end)) *s = NULL;
        *p = end;
        return true;
    }
    if (isdigit((unsigned char)q[1])) {
        *s = same_again(m, *s, q[1]);
        *p = q + 2;
        return true;
    }
    return false;
}

static const char *match_loop(struct match *m, const char *s, const char *p) {
    while (s != NULL && p != m->pattern_end) {
        step(m);
        if (*p == '(') {
            if (p + 1 < m->pattern_end && p[1] == ')')
                return open_capture(m, s, p + 2, CAP_POSITION);
            return open_capture(m, s, p + 1, CAP_OPEN);
        }
        if (*p == ')') return close_capture(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end) return s == m->text_end ? s : NULL;
        if (special(m, &s, &p)) continue;
        const char *end = item_end(m, p);
        char repeat = end < m->pattern_end ? *end : '\0';
        switch (repeat) {
        case '*': return longest(m, s, p, end);
        case '-': return shortest(m, s, p, end);
        case '+': return item_matches(m, s, p, end) ? longest(m, s + 1, p, end) : NULL;
        case '?':
            if (item_matches(m, s, p, end)) {
                const char *got = match_here(m, s + 1, end + 1);
                if (got != NULL) return got;
            }
            p = end + 1;
            break;
        default:
            if (!item_matches(m, s, p, end)) return NULL;
            s++;
            p = end;
        }
    }
    return s;
}

static const char *match_here(struct match *m, const char *s, const char *p) {
    if (++m->depth > DEPTH_MAX) luaL_error(m->L, "pattern too complex");
    const char *got = match_loop(m, s, p);
    m->depth--;
    return got;
}

/* ---- captures ---- */

static void push_capture(struct match *m, int i, const char *s, const char *end) {
    if (i >= m->count) {
        if (i != 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(end - s));
        return;
    }
    if (m->capture[i].length == CAP_POSITION) {
        lua_pushinteger(m->L, m->capture[i].from - m->text + 1);
        return;
    }
    if (m->capture[i].length == CAP_OPEN) luaL_error(m->L, "unfinished capture");
    lua_pushlstring(m->L, m->capture[i].from, (size_t)m->capture[i].length);
}

static int push_captures(struct match *m, const char *s, const char *end, bool whole_if_none) {
    int n = m->count == 0 && whole_if_none ? 1 : m->count;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, end);
    return n;
}

static void prepare(struct match *m, lua_State *L, struct str text, struct str pattern) {
    *m = (struct match){.L = L,
                        .text = text.p,
                        .text_end = text.p + text.n,
                        .pattern_end = pattern.p + pattern.n,
                        .steps = CAGE_STEPS_MAX};
}

static const char *try_at(struct match *m, const char *s, const char *p) {
    m->count = 0;
    m->depth = 0;
    return match_here(m, s, p);
}

static struct str checked(lua_State *L, int index, size_t max) {
    struct str s;
    s.p = luaL_checklstring(L, index, &s.n);
    if (s.n > max) luaL_argerror(L, index, lua_pushfstring(L, "longer than %d bytes", (int)max));
    return s;
}

/* ---- find and match ---- */

static size_t start_of(lua_State *L, int index, size_t n) {
    lua_Integer init = luaL_optinteger(L, index, 1);
    if (init > 0) return (lua_Unsigned)init - 1 > n ? n + 1 : (size_t)init - 1;
    if (init == 0 || init < -(lua_Integer)n) return 0;
    return n - (size_t)(-init);
}

static int find_plain(lua_State *L, struct str text, struct str needle, size_t from) {
    cage_spent(L, text.n / 8);
    const char *at =
        needle.n == 0 ? text.p + from : memmem(text.p + from, text.n - from, needle.p, needle.n);
    if (at == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - text.p + 1);
    lua_pushinteger(L, at - text.p + (lua_Integer)needle.n);
    return 2;
}

static int search(lua_State *L, bool find) {
    cage_enter(L);
    bool plain = find && lua_toboolean(L, 4);
    struct str text = checked(L, 1, plain ? CAGE_RESULT_MAX : CAGE_TEXT_MAX);
    struct str pattern = checked(L, 2, plain ? CAGE_RESULT_MAX : 4096);
    size_t from = start_of(L, 3, text.n);
    if (from > text.n) {
        lua_pushnil(L);
        return 1;
    }
    if (plain) return find_plain(L, text, pattern, from);
    struct match m;
    prepare(&m, L, text, pattern);
    const char *p = pattern.p;
    bool anchored = pattern.n > 0 && *p == '^';
    if (anchored) p++;
    const char *s = text.p + from;
    do {
        const char *end = try_at(&m, s, p);
        if (end == NULL) continue;
        tell(&m);
        if (!find) return push_captures(&m, s, end, true);
        lua_pushinteger(L, s - text.p + 1);
        lua_pushinteger(L, end - text.p);
        return push_captures(&m, s, end, false) + 2;
    } while (s++ < m.text_end && !anchored);
    tell(&m);
    lua_pushnil(L);
    return 1;
}

int cage_find(lua_State *L) {
    return search(L, true);
}
int cage_match(lua_State *L) {
    return search(L, false);
}

/* Upvalues: text, pattern, place to go on, end of the last match. */
static int gmatch_step(lua_State *L) {
    cage_enter(L);
    struct str text, pattern;
    text.p = lua_tolstring(L, lua_upvalueindex(1), &text.n);
    pattern.p = lua_tolstring(L, lua_upvalueindex(2), &pattern.n);
    size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    struct match m;
    prepare(&m, L, text, pattern);
    for (; from <= text.n; from++) {
        const char *s = text.p + from;
        const char *end = try_at(&m, s, pattern.p);
        if (end == NULL || end - text.p == last) continue;
        lua_pushinteger(L, end - text.p);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        tell(&m);
        return push_captures(&m, s, end, true);
    }
    tell(&m);
    lua_pushinteger(L, (lua_Integer)text.n + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

int cage_gmatch(lua_State *L) {
    struct str text = checked(L, 1, CAGE_TEXT_MAX);
    checked(L, 2, 4096);
    size_t from = start_of(L, 3, text.n);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)from);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_step, 4);
    return 1;
}

/* ---- gsub ---- */

static void add_template(struct match *m, luaL_Buffer *b, struct str to, const char *s,
                         const char *end) {
    for (size_t i = 0; i < to.n; i++) {
        if (to.p[i] != '%') {
            luaL_addchar(b, to.p[i]);
            continue;
        }
        i++;
        char c = i < to.n ? to.p[i] : '\0';
        if (c == '%') {
            luaL_addchar(b, c);
        } else if (c == '0') {
            luaL_addlstring(b, s, (size_t)(end - s));
        } else if (isdigit((unsigned char)c)) {
            push_capture(m, c - '1', s, end);
            luaL_tolstring(m->L, -1, NULL); /* a string or an integer: no metamethod */
            lua_remove(m->L, -2);
            luaL_addvalue(b);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

static void add_value(struct match *m, luaL_Buffer *b, int type, const char *s, const char *end) {
    lua_State *L = m->L;
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        int n = push_captures(m, s, end, true);
        lua_call(L, n, 1);
    } else if (type == LUA_TTABLE) {
        push_capture(m, 0, s, end);
        lua_gettable(L, 3);
    } else {
        struct str to;
        to.p = lua_tolstring(L, 3, &to.n);
        add_template(m, b, to, s, end);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(end - s));
        return;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(b);
}

int cage_gsub(lua_State *L) {
    cage_enter(L);
    struct str text = checked(L, 1, CAGE_TEXT_MAX);
    struct str pattern = checked(L, 2, 4096);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)text.n + 1);
    lua_settop(L, 4);
    if (type == LUA_TNUMBER) lua_tolstring(L, 3, NULL); /* in place, before the buffer */
    const char *p = pattern.p;
    bool anchored = pattern.n > 0 && *p == '^';
    if (anchored) p++;
    struct match m;
    prepare(&m, L, text, pattern);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    const char *s = text.p, *last = NULL;
    lua_Integer n = 0;
    while (n < most) {
        const char *end = try_at(&m, s, p);
        if (end != NULL && end != last) {
            n++;
            add_value(&m, &b, type, s, end);
            s = last = end;
        } else if (s < m.text_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (luaL_bufflen(&b) > CAGE_RESULT_MAX) return luaL_error(L, "result is too long");
        if (anchored) break;
    }
    tell(&m);
    luaL_addlstring(&b, s, (size_t)(m.text_end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, n);
    return 2;
}
