/* Loading: gather variables from every source (the first that has a name wins, so sources come in
 * order of precedence), refuse unknown names, expand references, give the aliases to their
 * provider, then check each setting by its type and all together. Memory: everything belongs to the
 * config; an allocation that fails sticks in no_memory and is reported once, at the end. */
#include "sys/config.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/nearest.h"
#include "sys/config_private.h"
#include "sys/dotenv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_    (256 * 1024)
#define VALUE_MAX    (64 * 1024)
#define DEPTH_MAX    32
#define PROBLEMS_MAX 100

/* ---- lists ---- */

static void say(struct config *c, struct lines *to, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct config *c, struct lines *to, const char *format, ...) {
    char text[WHY_MAX];
    va_list args;
    if (to->count >= PROBLEMS_MAX) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (to->count == to->cap) {
        size_t cap = to->cap == 0 ? 8 : to->cap * 2;
        char **at = mem_realloc(to->at, cap * sizeof *at);
        if (at == NULL) {
            c->no_memory = true;
            return;
        }
        to->at = at;
        to->cap = cap;
    }
    if ((to->at[to->count] = mem_strdup(text)) == NULL) {
        c->no_memory = true;
    } else {
        to->count++;
    }
}

static struct var *find_any(const struct config *c, struct str name) {
    for (size_t i = 0; i < c->var_count; i++) {
        if (str_eq(str_of(c->vars[i].name), name)) return &c->vars[i];
    }
    return NULL;
}

struct var *config_find(const struct config *c, struct str name) {
    struct var *v = find_any(c, name);
    return v != NULL && v->state == VAR_DONE && v->value[0] != '\0' ? v : NULL;
}

int config_setting_of(struct str name) {
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (str_eq(str_of(SETTINGS[i].name), name)) return i;
    }
    return -1;
}

static struct var *add_var(struct config *c, struct str name, struct str value,
                           enum origin origin) {
    if (c->var_count == c->var_cap) {
        size_t cap = c->var_cap == 0 ? 64 : c->var_cap * 2;
        struct var *vars = mem_realloc(c->vars, cap * sizeof *vars);
        if (vars == NULL) {
            c->no_memory = true;
            return NULL;
        }
        c->vars = vars;
        c->var_cap = cap;
    }
    struct var v = {.name = mem_dup(name.p, name.n), .value = mem_dup(value.p, value.n)};
    if (v.name == NULL || v.value == NULL) {
        mem_free(v.name);
        mem_free(v.value);
        c->no_memory = true;
        return NULL;
    }
    v.origin = origin;
    c->vars[c->var_count] = v;
    return &c->vars[c->var_count++];
}

/* ---- sources ---- */

static void describe(const struct config *c, const struct var *v, char out[128]) {
    switch (v->origin) {
    case FROM_FILE: snprintf(out, 128, "%.100s:%d: ", c->env_file, v->line); break;
    case FROM_CREDENTIAL: snprintf(out, 128, "credential: "); break;
    default: out[0] = '\0'; break;
    }
}

static void load_environment(struct config *c, const char *const *environment) {
    for (; environment != NULL && *environment != NULL; environment++) {
        struct str name, value;
        struct why why = {0};
        struct buf marked = {0};
        if (!str_cut(str_of(*environment), '=', &name, &value) || name.n == 0) continue;
        int id = config_setting_of(name);
        bool live = id >= 0 && (SETTINGS[id].flags & SETTING_SECRET) == 0;
        if (live) {
            if (dotenv_mark(value, &marked, &why) != 0) {
                say(c, &c->problems, "%.*s: %s", STR_FMT(name), why.text);
            }
            value = buf_str(&marked);
        }
        struct var *v =
            find_any(c, name) != NULL ? NULL : add_var(c, name, value, FROM_ENVIRONMENT);
        if (v != NULL) v->live = live;
        c->no_memory = c->no_memory || marked.err == E_NOMEM;
        buf_free(&marked);
    }
}

/* Whole file as text; *mode is its permissions. */
static int read_all(int dir, const char *path, struct buf *out, mode_t *mode) {
    struct stat st;
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? E_NOTFOUND : errno == EACCES ? E_DENIED : E_IO;
    int err = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? 0 : E_IO;
    *mode = st.st_mode;
    out->max = FILE_MAX_;
    while (err == 0) {
        char *room = buf_reserve(out, 4096);
        ssize_t n = room == NULL ? -1 : read(fd, room, 4096);
        if (n == 0) break;
        if (n < 0) {
            err = out->err != 0 ? out->err : errno == EINTR ? 0 : E_IO;
            continue;
        }
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
    close(fd);
    return err;
}

static void load_credentials(struct config *c, const char *folder) {
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        say(c, &c->problems, "%s: %s", folder, strerror(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char name[256];
        size_t n = strlen(e->d_name);
        struct buf text = {.secret = true};
        mode_t mode;
        if (e->d_name[0] == '.') continue;
        for (size_t i = 0; i <= n; i++)
            name[i] = (char)toupper((unsigned char)e->d_name[i]);
        int err = read_all(dirfd(dir), e->d_name, &text, &mode);
        struct str value = buf_str(&text);
        while (value.n > 0 && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
            value.n--;
        struct var *other = find_any(c, str_of(name));
        if (err != 0) {
            say(c, &c->problems, "credential %s: %s", name, err_text(err));
        } else if (memchr(value.p, '\0', value.n) != NULL) {
            say(c, &c->problems, "credential %s: holds a zero byte", name);
        } else if (other == NULL) {
            add_var(c, str_of(name), value, FROM_CREDENTIAL);
        } else if (other->value[0] != '\0' && !str_eq(str_of(other->value), value)) {
            say(c, &c->problems, "%s: the environment and the credential disagree: keep one", name);
        }
        c->no_memory = c->no_memory || err == E_NOMEM;
        buf_free(&text);
    }
    closedir(dir);
}

static int found_in_file(void *data, struct str name, struct str value, int line, struct why *why) {
    struct config *c = data;
    struct var *other = find_any(c, name);
    if (other != NULL && other->origin == FROM_FILE && !str_eq(str_of(other->value), value))
        return why_set(why, E_CONFIG, "%s:%d: %.*s was set differently in line %d: keep one",
                       c->env_file, line, STR_FMT(name), other->line);
    if (other != NULL) return 0;
    struct var *v = add_var(c, name, value, FROM_FILE);
    if (v == NULL) return E_NOMEM;
    v->line = line;
    v->live = true;
    return 0;
}

static void load_file(struct config *c, const char *path, bool named) {
    struct buf text = {.secret = true};
    struct why why = {0};
    mode_t mode = 0;
    size_t before = c->var_count;
    int err = read_all(AT_FDCWD, path, &text, &mode);
    if (err == E_NOTFOUND && !named) goto out;
    if ((c->env_file = mem_strdup(path)) == NULL) {
        c->no_memory = true;
        goto out;
    }
    if (err == 0) err = dotenv_parse(buf_str(&text), path, &why, found_in_file, c);
    if (err == E_NOMEM || text.err == E_NOMEM) c->no_memory = true;
    if (err != 0) {
        if (why.code == 0) why_set(&why, err, "%s: %s", path, err_text(err));
        say(c, &c->problems, "%s", why.text);
    }
    if ((mode & S_IROTH) != 0 && c->var_count > before)
        say(c, &c->warnings, "%s can be read by everybody on this machine: chmod 600 %s", path,
            path);
out:
    buf_free(&text);
}

static void load_options(struct config *c, const struct config_sources *s) {
    for (size_t i = 0; i < s->option_count; i++) {
        const struct config_option *o = &s->options[i];
        struct str name = str_of(SETTINGS[o->setting].name);
        if (find_any(c, name) != NULL) continue; /* given twice: the first */
        struct var *v = add_var(c, name, str_of(o->value), FROM_OPTION);
        if (v != NULL) v->label = o->option;
    }
}

/* ---- names and references ---- */

static void check_name(struct config *c, const struct var *v) {
    struct str name = str_of(v->name);
    bool ours = str_starts(name, STR("LUWAK_"));
    if ((!ours && !str_starts(name, STR("PAYMENT_"))) || config_setting_of(name) >= 0) return;
#ifdef LUWAK_FAULTS
    if (str_starts(name, STR("LUWAK_FAULT"))) return;
#endif
    char where[128];
    struct nearest near;
    nearest_init(&near, name);
    for (int i = 0; i < SETTING_COUNT; i++)
        nearest_try(&near, str_of(SETTINGS[i].name));
    describe(c, v, where);
    say(c, ours ? &c->problems : &c->warnings, "%s%.80s is not a setting%s%.*s%s", where, v->name,
        near.best.n == 0 ? "" : "; did you mean ", STR_FMT(near.best),
        near.best.n == 0 ? "; `luwak config --help` lists them" : "?");
}

static bool concerns_us(const struct var *v) {
    return config_setting_of(str_of(v->name)) >= 0;
}

static bool expand(struct config *c, struct var *v, int depth);

/* Appends what a reference stands for; false: it was said why not. */
static bool expand_reference(struct config *c, struct var *v, struct str name, struct buf *out,
                             int depth) {
    char where[128];
    struct var *to = find_any(c, name);
    const char *what = NULL;
    if (to == NULL) {
        what = "is not set";
    } else if (to->state == VAR_VISITING) {
        what = "leads back to itself";
    } else if (depth >= DEPTH_MAX) {
        what = "is nested too deeply";
    } else if (!expand(c, to, depth + 1)) {
        what = "cannot be expanded";
    }
    if (what == NULL) {
        buf_adds(out, to->value);
        return true;
    }
    describe(c, v, where);
    say(c, concerns_us(v) ? &c->problems : &c->warnings, "%s%.80s uses ${%.*s}, which %s", where,
        v->name, name.n > 80 ? 80 : (int)name.n, name.p, what);
    return false;
}

static bool expand(struct config *c, struct var *v, int depth) {
    if (v->state == VAR_DONE || v->state == VAR_BROKEN) return v->state == VAR_DONE;
    if (!v->live) {
        v->state = VAR_DONE;
        return true;
    }
    struct buf out = {.max = VALUE_MAX, .secret = true};
    bool good = true;
    v->state = VAR_VISITING;
    for (const char *p = v->value; *p != '\0' && good; p++) {
        if (*p == DOTENV_REF_OPEN) {
            const char *end = strchr(p, DOTENV_REF_CLOSE);
            ENSURE(end != NULL);
            good = expand_reference(c, v, (struct str){p + 1, (size_t)(end - p - 1)}, &out, depth);
            p = end;
        } else {
            buf_addc(&out, *p);
        }
    }
    if (out.err == E_NOMEM) {
        c->no_memory = true;
        good = false;
    } else if (out.err == E_LIMIT) {
        say(c, &c->problems, "%.80s grows beyond 64 kB when expanded", v->name);
        good = false;
    }
    char *value = good ? buf_take(&out, NULL) : NULL;
    if (good && value == NULL) c->no_memory = true;
    if (value != NULL) {
        mem_wipe_free(v->value, strlen(v->value));
        v->value = value;
    }
    buf_free(&out);
    v->state = value != NULL ? VAR_DONE : VAR_BROKEN;
    return value != NULL;
}

/* ---- meaning ---- */

/* PAYMENT_SERVER_KEY with PAYMENT_GATEWAY=midtrans is MIDTRANS_SERVER_KEY, and so on; providers
 * whose own names for these differ are listed. */
static void alias_name(const char *gateway, const char *what, char out[96]) {
    static const struct {
        const char *gateway, *what, *key;
    } special[] = {
        {"xendit", "SERVER_KEY", "XENDIT_API_KEY"},
        {"xendit", "CLIENT_KEY", "XENDIT_PUBLIC_KEY"},
        {"doku", "SERVER_KEY", "DOKU_SECRET_KEY"},
        {"doku", "CLIENT_KEY", "DOKU_CLIENT_ID"},
    };
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (strcmp(special[i].gateway, gateway) != 0 || strcmp(special[i].what, what) != 0)
            continue;
        snprintf(out, 96, "%s", special[i].key);
        return;
    }
    size_t n = 0;
    for (; n < 40 && gateway[n] != '\0'; n++)
        out[n] = (char)toupper((unsigned char)gateway[n]);
    snprintf(out + n, 96 - n, "_%s", what);
}

static void resolve_aliases(struct config *c) {
    static const int ids[] = {SET_PAYMENT_SERVER_KEY, SET_PAYMENT_CLIENT_KEY,
                              SET_PAYMENT_MERCHANT_ID};
    const char *gateway = config_text(c, SET_PAYMENT_GATEWAY);
    for (const char *p = gateway; p != NULL && *p != '\0'; p++) {
        if (islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_') continue;
        say(c, &c->problems, "PAYMENT_GATEWAY=%.40s must be a provider's name, e.g. midtrans",
            gateway);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        const struct var *v = c->settings[ids[i]].var;
        char name[96];
        if (v == NULL) continue;
        if (gateway == NULL) {
            say(c, &c->problems, "%s is set, but PAYMENT_GATEWAY does not say whose it is",
                v->name);
            continue;
        }
        alias_name(gateway, v->name + strlen("PAYMENT_"), name);
        const struct var *own = config_find(c, str_of(name));
        if (own != NULL && strcmp(own->value, v->value) != 0) {
            say(c, &c->problems, "%s and %s disagree: keep one", v->name, name);
        } else if (own == NULL) {
            char *value = mem_strdup(v->value); /* add_var may move what v points into */
            struct var *alias =
                value == NULL ? NULL : add_var(c, str_of(name), str_of(value), FROM_ALIAS);
            if (alias == NULL) {
                c->no_memory = true;
            } else {
                alias->label = SETTINGS[ids[i]].name;
                alias->state = VAR_DONE;
            }
            if (value != NULL) mem_wipe_free(value, strlen(value));
            for (int id = 0; id < SETTING_COUNT; id++) { /* the array may have moved */
                if (c->settings[id].var != NULL)
                    c->settings[id].var = config_find(c, str_of(SETTINGS[id].name));
            }
        }
    }
}

static void resolve_setting(struct config *c, int id) {
    struct setting s = SETTINGS[id];
    struct var *v = config_find(c, str_of(s.name));
    struct why why = {0};
    char where[128] = "", option[64];
    if (v != NULL && v->origin == FROM_OPTION) {
        snprintf(option, sizeof option, "--%s", v->label);
        s.name = option;
    }
    if (v != NULL && setting_parse(&s, str_of(v->value), &c->settings[id].number, &why) != 0) {
        describe(c, v, where);
        say(c, &c->problems, "%s%s", where, why.text);
        v = NULL;
    }
    c->settings[id].var = v;
    c->settings[id].text = v != NULL ? v->value : s.fallback;
    if (v == NULL && s.fallback != NULL)
        ENSURE(setting_parse(&SETTINGS[id], str_of(s.fallback), &c->settings[id].number, NULL) ==
               0);
}

/* The names of a provider's test keys begin so; the live ones do not. */
static const struct {
    const char *owner, *prefix;
} SANDBOX_KEYS[] = {
    {"MIDTRANS_", "SB-"}, {"XENDIT_", "xnd_development_"}, {"XENDIT_", "xnd_public_development_"}};

static void check_production(struct config *c) {
    for (size_t i = 0; i < c->var_count; i++) {
        const struct var *v = &c->vars[i];
        for (size_t k = 0; k < ARRAY_LEN(SANDBOX_KEYS) && v->state == VAR_DONE; k++)
            if (str_starts(str_of(v->name), str_of(SANDBOX_KEYS[k].owner)) &&
                str_starts(str_of(v->value), str_of(SANDBOX_KEYS[k].prefix)))
                say(c, &c->problems,
                    "%s is a sandbox key (%s...): LUWAK_ENV=production needs the live one",
                    v->origin == FROM_ALIAS ? v->label : v->name, SANDBOX_KEYS[k].prefix);
    }
    for (int id = 0; id < SETTING_COUNT; id++)
        if (SETTINGS[id].type == TYPE_URL && config_given(c, id) &&
            str_starts(str_of(config_text(c, id)), STR("http://")))
            say(c, &c->problems, "%s=%.100s is plain http: LUWAK_ENV=production needs https://",
                SETTINGS[id].name, config_text(c, id));
    const char *gateway = config_text(c, SET_PAYMENT_GATEWAY);
    char name[96];
    if (gateway == NULL) return;
    alias_name(gateway, "SERVER_KEY", name);
    if (config_find(c, str_of(name)) == NULL)
        say(c, &c->problems, "PAYMENT_GATEWAY=%.40s, but neither PAYMENT_SERVER_KEY nor %s is set",
            gateway, name);
}

static void check_together(struct config *c) {
    const char *env = config_text(c, SET_LUWAK_ENV), *said = config_text(c, SET_PAYMENT_ENV);
    bool simulated = config_env(c) == ENV_SIMULATED;
    if (env != NULL && said != NULL && !simulated && strcmp(env, said) != 0)
        say(c, &c->problems,
            "LUWAK_ENV=%s and PAYMENT_ENV=%s disagree: set both to what this engine is for", env,
            said);
    bool cert = config_given(c, SET_LUWAK_TLS_CERT), key = config_given(c, SET_LUWAK_TLS_KEY);
    if (cert != key)
        say(c, &c->problems, "LUWAK_TLS_CERT and LUWAK_TLS_KEY belong together: %s is not set",
            cert ? "LUWAK_TLS_KEY" : "LUWAK_TLS_CERT");
    if (config_given(c, SET_LUWAK_TLS_CLIENT_CA) && !cert)
        say(c, &c->problems, "LUWAK_TLS_CLIENT_CA is set, but LUWAK_TLS_CERT is not");
    if (config_env(c) == ENV_PRODUCTION) check_production(c);
}

int config_load(struct config **out, const struct config_sources *sources, struct why *why) {
    struct config *c = mem_zalloc(sizeof *c);
    *out = NULL;
    if (c == NULL) return why_set(why, E_NOMEM, "out of memory");
    load_options(c, sources);
    load_environment(c, sources->environment);
    if (sources->credentials != NULL) load_credentials(c, sources->credentials);
    if (sources->env_file != NULL) load_file(c, sources->env_file, sources->env_file_named);
    for (size_t i = 0; i < c->var_count; i++) {
        check_name(c, &c->vars[i]);
        expand(c, &c->vars[i], 0);
    }
    for (int id = 0; id < SETTING_COUNT; id++)
        resolve_setting(c, id);
    resolve_aliases(c);
    check_together(c);
    if (c->no_memory) {
        config_free(c);
        return why_set(why, E_NOMEM, "out of memory");
    }
    *out = c;
    return 0;
}

static void free_lines(struct lines *l) {
    for (size_t i = 0; i < l->count; i++)
        mem_free(l->at[i]);
    mem_free(l->at);
}

void config_free(struct config *c) {
    if (c == NULL) return;
    for (size_t i = 0; i < c->var_count; i++) {
        mem_wipe_free(c->vars[i].value, strlen(c->vars[i].value));
        mem_free(c->vars[i].name);
    }
    mem_free(c->vars);
    free_lines(&c->problems);
    free_lines(&c->warnings);
    mem_free(c->env_file);
    mem_free(c);
}
