/* luac: walks the functions of a Lua 5.4 chunk as lua_dump wrote it. See luac.h.
 *
 * A register's tag is the dotted path of the module that it holds ("" none). Tags die at every
 * write of the register and, except for locals that are written once, at every jump target. */
#include "script/luac.h"

#include "base/mem.h"

#include <lua.h>
#include <stdio.h>

#define TAG_MAX   48
#define REGS      256
#define DEPTH_MAX 200

/* Opcodes of 5.4 that matter here; all others write R[A] or nothing. */
enum {
    OP_MOVE = 0,
    OP_LOADK = 3,
    OP_LOADNIL = 8,
    OP_GETUPVAL = 9,
    OP_SETUPVAL = 10,
    OP_GETTABUP = 11,
    OP_GETFIELD = 14,
    OP_SETTABUP = 15,
    OP_SETTABLE = 16,
    OP_SETI = 17,
    OP_SETFIELD = 18,
    OP_SELF = 20,
    OP_MMBIN = 46,
    OP_MMBINK = 48,
    OP_CLOSE = 54,
    OP_TBC = 55,
    OP_JMP = 56,
    OP_EQ = 57,
    OP_TEST = 66,
    OP_TESTSET = 67,
    OP_CALL = 68,
    OP_TAILCALL = 69,
    OP_RETURN = 70,
    OP_RETURN1 = 72,
    OP_FORLOOP = 73,
    OP_FORPREP = 74,
    OP_TFORPREP = 75,
    OP_TFORCALL = 76,
    OP_TFORLOOP = 77,
    OP_SETLIST = 78,
    OP_CLOSURE = 79,
    OP_VARARG = 80,
    OP_VARARGPREP = 81,
    OP_EXTRAARG = 82,
    OP_GETTABLE = 12,
};

struct reader {
    const uint8_t *at, *end;
    bool bad;
};

struct up {
    bool in_stack;
    uint8_t index;
    char tag[TAG_MAX];
};
struct local {
    struct str name;
    int from, to;
};
struct proto {
    struct proto *children;
    int child_count;
    const uint8_t *code;
    int code_count;
    struct str *constants; /* texts; others have p NULL */
    int constant_count;
    struct up *ups;
    int up_count;
    int params;
    int line; /* where it is defined */
    const uint8_t *line_info;
    int line_info_count;
    struct {
        int pc, line;
    } * lines;
    int line_count;
    struct local *locals;
    int local_count;
};

/* ---- reading ---- */

static uint8_t byte(struct reader *r) {
    if (r->at >= r->end) {
        r->bad = true;
        return 0;
    }
    return *r->at++;
}
static const uint8_t *bytes(struct reader *r, size_t n) {
    if (r->bad || (size_t)(r->end - r->at) < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += n;
    return p;
}
static size_t size(struct reader *r) {
    size_t n = 0;
    for (int i = 0; i < 10; i++) {
        uint8_t b = byte(r);
        n = n << 7 | (b & 0x7f);
        if (b & 0x80) return n;
    }
    r->bad = true;
    return 0;
}
/* A count of things that take a byte each at least: bounds what is allocated. */
static int count(struct reader *r) {
    size_t n = size(r);
    if (n > (size_t)(r->end - r->at)) r->bad = true;
    return r->bad ? 0 : (int)n;
}
static struct str text(struct reader *r) {
    size_t n = size(r);
    if (n == 0) return (struct str){NULL, 0};
    return (struct str){(const char *)bytes(r, n - 1), n - 1};
}

static void proto_free(struct proto *p) {
    for (int i = 0; i < p->child_count; i++)
        proto_free(&p->children[i]);
    mem_free(p->children);
    mem_free(p->constants);
    mem_free(p->ups);
    mem_free(p->lines);
    mem_free(p->locals);
}

static int read_constants(struct reader *r, struct proto *p) {
    int n = count(r);
    p->constants = mem_array((size_t)n + 1, sizeof *p->constants);
    if (p->constants == NULL) return E_NOMEM;
    p->constant_count = n;
    for (int i = 0; i < n; i++) {
        uint8_t type = byte(r);
        if ((type & 0x0f) == LUA_TSTRING)
            p->constants[i] = text(r);
        else if (type == 0x03 || type == 0x13)
            bytes(r, 8);
    }
    return 0;
}

static int read_proto(struct reader *r, struct proto *p, int depth);

static int read_inner(struct reader *r, struct proto *p, int depth) {
    int n = count(r);
    p->ups = mem_array((size_t)n + 1, sizeof *p->ups);
    if (p->ups == NULL) return E_NOMEM;
    p->up_count = n;
    for (int i = 0; i < n; i++) {
        p->ups[i].in_stack = byte(r) != 0;
        p->ups[i].index = byte(r);
        byte(r); /* kind */
    }
    n = count(r);
    p->children = mem_array((size_t)n + 1, sizeof *p->children);
    if (p->children == NULL) return E_NOMEM;
    for (int i = 0; i < n && !r->bad; i++) {
        p->child_count++;
        int err = read_proto(r, &p->children[i], depth + 1);
        if (err != 0) return err;
    }
    return 0;
}

static int read_debug(struct reader *r, struct proto *p) {
    p->line_info_count = count(r);
    p->line_info = bytes(r, (size_t)p->line_info_count);
    int n = count(r);
    p->lines = mem_array((size_t)n + 1, sizeof *p->lines);
    if (p->lines == NULL) return E_NOMEM;
    p->line_count = n;
    for (int i = 0; i < n; i++) {
        p->lines[i].pc = (int)size(r);
        p->lines[i].line = (int)size(r);
    }
    n = count(r);
    p->locals = mem_array((size_t)n + 1, sizeof *p->locals);
    if (p->locals == NULL) return E_NOMEM;
    p->local_count = n;
    for (int i = 0; i < n; i++) {
        p->locals[i].name = text(r);
        p->locals[i].from = (int)size(r);
        p->locals[i].to = (int)size(r);
    }
    n = count(r);
    for (int i = 0; i < n; i++)
        text(r);
    return 0;
}

static int read_proto(struct reader *r, struct proto *p, int depth) {
    if (depth > DEPTH_MAX) return E_LIMIT;
    text(r); /* source */
    p->line = (int)size(r);
    size(r);
    p->params = byte(r);
    bytes(r, 2); /* vararg, stack size */
    p->code_count = (int)size(r);
    p->code = bytes(r, (size_t)p->code_count * 4);
    int err = r->bad ? E_CORRUPT : read_constants(r, p);
    if (err == 0) err = read_inner(r, p, depth);
    if (err == 0) err = read_debug(r, p);
    return err == 0 && r->bad ? E_CORRUPT : err;
}

/* ---- walking ---- */

static uint32_t instruction(const struct proto *p, int pc) {
    uint32_t i;
    memcpy(&i, p->code + 4 * (size_t)pc, 4);
    return i;
}
static int op_of(uint32_t i) {
    return (int)(i & 0x7f);
}
static int a_of(uint32_t i) {
    return (int)(i >> 7 & 0xff);
}
static int b_of(uint32_t i) {
    return (int)(i >> 16 & 0xff);
}
static int c_of(uint32_t i) {
    return (int)(i >> 24);
}
static int bx_of(uint32_t i) {
    return (int)(i >> 15);
}
static int jump_of(uint32_t i) {
    return (int)(i >> 7) - 0xffffff;
}

static int line_of(const struct proto *p, int pc) {
    int line = p->line, from = -1;
    for (int i = 0; i < p->line_count && p->lines[i].pc <= pc; i++)
        line = p->lines[i].line, from = p->lines[i].pc;
    for (int i = from + 1; i <= pc && i < p->line_info_count; i++)
        line += (int8_t)p->line_info[i];
    return line;
}

static struct str constant(const struct proto *p, int k) {
    return k < p->constant_count ? p->constants[k] : (struct str){NULL, 0};
}

/* Does it write no register at all? */
static bool writes_nothing(int op) {
    return (op >= OP_SETTABUP && op <= OP_SETFIELD) || op == OP_SETUPVAL ||
           (op >= OP_MMBIN && op <= OP_MMBINK) || (op >= OP_CLOSE && op <= OP_TEST) ||
           (op >= OP_RETURN && op <= OP_RETURN1) || op == OP_SETLIST || op == OP_TFORPREP ||
           op == OP_VARARGPREP || op == OP_TAILCALL || op == OP_EXTRAARG;
}

/* The local that is register `reg` at pc: the reg-th of those active there. */
static const struct local *local_at(const struct proto *p, int reg, int pc) {
    for (int i = 0; i < p->local_count && p->locals[i].from <= pc; i++)
        if (p->locals[i].to > pc && reg-- == 0) return &p->locals[i];
    return NULL;
}

struct walker {
    const struct luac_walk *walk;
    const struct proto *p;
    char tags[REGS][TAG_MAX];
    bool env[REGS];
    struct str text[REGS]; /* string constants just loaded: arguments of require */
    bool *target;          /* by pc */
};

static void clear(struct walker *w, int from, int to) {
    for (int i = from; i <= to && i < REGS; i++) {
        w->tags[i][0] = '\0';
        w->env[i] = false;
        w->text[i] = (struct str){NULL, 0};
    }
}

static bool written_in(const struct proto *p, int reg, int from, int to) {
    for (int pc = from; pc < to && pc < p->code_count; pc++) {
        uint32_t i = instruction(p, pc);
        int op = op_of(i), a = a_of(i);
        if (writes_nothing(op)) continue;
        bool many = op == OP_CALL || op == OP_VARARG || (op >= OP_FORLOOP && op <= OP_TFORLOOP);
        int last = many ? REGS : op == OP_LOADNIL ? a + b_of(i) : op == OP_SELF ? a + 1 : a;
        if (reg >= a && reg <= last) return true;
    }
    for (int c = 0; c < p->child_count; c++) { /* as an upvalue of an inner function */
        const struct proto *child = &p->children[c];
        for (int u = 0; u < child->up_count; u++)
            if (child->ups[u].in_stack && child->ups[u].index == reg)
                for (int pc = 0; pc < child->code_count; pc++)
                    if (op_of(instruction(child, pc)) == OP_SETUPVAL &&
                        b_of(instruction(child, pc)) == u)
                        return true;
    }
    return false;
}

/* Control may come from elsewhere: only locals that never change keep what is known of them. */
static void at_target(struct walker *w, int pc) {
    for (int reg = 0; reg < REGS; reg++) {
        w->text[reg] = (struct str){NULL, 0};
        if (w->tags[reg][0] == '\0' && !w->env[reg]) continue;
        const struct local *l = local_at(w->p, reg, pc);
        if (l == NULL || written_in(w->p, reg, l->from, l->to)) clear(w, reg, reg);
    }
}

static void set_path(struct walker *w, int reg, const char *path, struct str name) {
    char full[TAG_MAX * 2];
    clear(w, reg, reg);
    if (name.n >= TAG_MAX) return;
    int n =
        snprintf(full, sizeof full, "%s%s%.*s", path, path[0] == '\0' ? "" : ".", STR_FMT(name));
    if (n < TAG_MAX && w->walk->module(w->walk->data, full))
        memcpy(w->tags[reg], full, (size_t)n + 1);
}

static void read_field(struct walker *w, int a, const char *path, bool env, struct str name,
                       int line) {
    char from[TAG_MAX];
    snprintf(from, sizeof from, "%s", path); /* a may be the register it is read from */
    if (name.p == NULL || (!env && from[0] == '\0')) {
        clear(w, a, a);
        return;
    }
    w->walk->use(w->walk->data, env ? LUAC_READ : LUAC_FIELD, from, name, line);
    set_path(w, a, env ? "" : from, name);
    if (env && str_eq(name, STR("require"))) memcpy(w->tags[a], "=require", 9);
}

static bool is_env(const struct up *u) {
    return strcmp(u->tag, "=env") == 0;
}

static int walk_proto(const struct luac_walk *walk, struct proto *p);

static int closure(struct walker *w, struct proto *child, int pc) {
    for (int u = 0; u < child->up_count; u++) {
        struct up *up = &child->ups[u];
        up->tag[0] = '\0';
        if (!up->in_stack) {
            if (up->index < w->p->up_count)
                memcpy(up->tag, w->p->ups[up->index].tag, sizeof up->tag);
            continue;
        }
        const struct local *l = local_at(w->p, up->index, pc);
        if (l == NULL) l = local_at(w->p, up->index, pc + 1);
        if (l == NULL || written_in(w->p, up->index, l->from, l->to)) continue;
        if (w->env[up->index])
            memcpy(up->tag, "=env", 5);
        else if (w->tags[up->index][0] != '=')
            memcpy(up->tag, w->tags[up->index], sizeof up->tag);
    }
    return walk_proto(w->walk, child);
}

static int step(struct walker *w, int pc) {
    const struct proto *p = w->p;
    uint32_t i = instruction(p, pc);
    int op = op_of(i), a = a_of(i), b = b_of(i), c = c_of(i), line = line_of(p, pc);
    char path[TAG_MAX];
    switch (op) {
    case OP_MOVE:
        memcpy(path, w->tags[b], sizeof path);
        bool env = w->env[b];
        clear(w, a, a);
        memcpy(w->tags[a], path, sizeof path);
        w->env[a] = env;
        return 0;
    case OP_LOADK:
        clear(w, a, a);
        w->text[a] = constant(p, bx_of(i));
        return 0;
    case OP_GETUPVAL:
        clear(w, a, a);
        if (b < p->up_count && is_env(&p->ups[b]))
            w->env[a] = true;
        else if (b < p->up_count)
            memcpy(w->tags[a], p->ups[b].tag, TAG_MAX);
        return 0;
    case OP_GETTABUP:
        if (b < p->up_count)
            read_field(w, a, is_env(&p->ups[b]) ? "" : p->ups[b].tag, is_env(&p->ups[b]),
                       constant(p, c), line);
        return 0;
    case OP_GETFIELD:
        read_field(w, a, w->tags[b][0] == '=' ? "" : w->tags[b], w->env[b], constant(p, c), line);
        return 0;
    case OP_GETTABLE: /* past 255 constants, a key comes through a register */
        if (w->env[b] && w->text[c].p != NULL)
            read_field(w, a, "", true, w->text[c], line);
        else
            clear(w, a, a);
        return 0;
    case OP_SETTABLE:
        if (w->env[a] && w->text[b].p != NULL)
            w->walk->use(w->walk->data, LUAC_WRITE, "", w->text[b], line);
        return 0;
    case OP_SETTABUP:
        if (a < p->up_count && is_env(&p->ups[a]) && constant(p, b).p != NULL)
            w->walk->use(w->walk->data, LUAC_WRITE, "", constant(p, b), line);
        return 0;
    case OP_SETFIELD:
        if (w->env[a] && constant(p, b).p != NULL)
            w->walk->use(w->walk->data, LUAC_WRITE, "", constant(p, b), line);
        return 0;
    case OP_CALL:
        if (strcmp(w->tags[a], "=require") == 0 && w->text[a + 1 < REGS ? a + 1 : a].p != NULL) {
            struct str name = w->text[a + 1];
            clear(w, a, REGS - 1);
            set_path(w, a, "", name);
        } else {
            clear(w, a, REGS - 1);
        }
        return 0;
    case OP_LOADNIL: clear(w, a, a + b); return 0;
    case OP_SELF: clear(w, a, a + 1); return 0;
    case OP_FORLOOP:
    case OP_FORPREP:
    case OP_TFORCALL:
    case OP_TFORLOOP:
    case OP_VARARG: clear(w, a, REGS - 1); return 0;
    case OP_CLOSURE:
        clear(w, a, a);
        return bx_of(i) < p->child_count ? closure(w, &p->children[bx_of(i)], pc) : 0;
    default:
        if (!writes_nothing(op)) clear(w, a, a);
        return 0;
    }
}

static void mark_targets(struct walker *w) {
    const struct proto *p = w->p;
    for (int pc = 0; pc < p->code_count; pc++) {
        uint32_t i = instruction(p, pc);
        int op = op_of(i), to = -1;
        if (op == OP_JMP)
            to = pc + 1 + jump_of(i);
        else if (op == OP_FORLOOP || op == OP_TFORLOOP)
            to = pc + 1 - bx_of(i);
        else if (op == OP_FORPREP)
            to = pc + 2 + bx_of(i);
        else if (op == OP_TFORPREP)
            to = pc + 1 + bx_of(i);
        else if (op >= OP_EQ && op <= OP_TESTSET)
            to = pc + 2;
        if (to >= 0 && to < p->code_count) w->target[to] = true;
    }
}

static int walk_proto(const struct luac_walk *walk, struct proto *p) {
    struct walker *w = mem_zalloc(sizeof *w);
    bool *target = mem_array((size_t)p->code_count + 1, sizeof *target);
    int err = w == NULL || target == NULL ? E_NOMEM : 0;
    if (err == 0) {
        w->walk = walk;
        w->p = p;
        w->target = target;
        mark_targets(w);
        for (int i = 0; i < p->params && i < p->local_count; i++)
            if (str_eq(p->locals[i].name, STR("ctx")) && walk->module(walk->data, "ctx"))
                memcpy(w->tags[i], "ctx", 4);
    }
    for (int pc = 0; err == 0 && pc < p->code_count; pc++) {
        if (target[pc]) at_target(w, pc);
        err = step(w, pc);
    }
    mem_free(target);
    mem_free(w);
    return err;
}

int luac_walk(struct str code, const struct luac_walk *walk) {
    static const char head[] = LUA_SIGNATURE "\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    struct reader r = {(const uint8_t *)code.p, (const uint8_t *)code.p + code.n, false};
    struct proto main = {0};
    const uint8_t *start = bytes(&r, sizeof head - 1);
    if (start == NULL || memcmp(start, head, sizeof head - 1) != 0) return E_VERSION;
    bytes(&r, 16 + 1); /* the integer and number that show byte order, number of upvalues */
    int err = read_proto(&r, &main, 0);
    if (err == 0 && main.up_count > 0) memcpy(main.ups[0].tag, "=env", 5);
    if (err == 0) err = walk_proto(walk, &main);
    proto_free(&main);
    return err;
}
