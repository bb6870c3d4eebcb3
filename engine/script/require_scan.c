/* require_scan: finds `require "name"` in a script's text with a small lexer that knows Lua's
 * comments and strings and nothing else. Text only, nothing runs, any bytes are safe to give.
 *
 * `x.require`, `x:require` and `require` as a plain value are not ours; `require(anything but a
 * literal)` is an error, because the parts of a version must be known before it runs. */
#include "script/version.h"

struct scan {
    struct str text;
    size_t at;
    int line;
};

static bool name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static char peek(const struct scan *s, size_t ahead) {
    return s->at + ahead < s->text.n ? s->text.p[s->at + ahead] : '\0';
}

static void step(struct scan *s) {
    if (s->text.p[s->at++] == '\n') s->line++;
}

/* At '[': the level of a long bracket, or -1. */
static int long_bracket(const struct scan *s) {
    size_t i = 1;
    while (peek(s, i) == '=')
        i++;
    return peek(s, i) == '[' ? (int)i - 1 : -1;
}

/* From '[' of an opening long bracket past its end; what is between. */
static struct str skip_long(struct scan *s, int level) {
    s->at += (size_t)level + 2;
    size_t from = s->at;
    while (s->at < s->text.n) {
        if (s->text.p[s->at] == ']') {
            size_t i = 1;
            while ((int)i <= level && peek(s, i) == '=')
                i++;
            if ((int)i == level + 1 && peek(s, i) == ']') {
                struct str inside = str_sub(s->text, from, s->at);
                s->at += i + 1;
                return inside;
            }
        }
        step(s);
    }
    return str_sub(s->text, from, s->at);
}

/* From a quote past its partner, or to the end of an unfinished line. */
static struct str skip_short(struct scan *s) {
    char quote = s->text.p[s->at++];
    size_t from = s->at;
    while (s->at < s->text.n && s->text.p[s->at] != quote && s->text.p[s->at] != '\n') {
        if (s->text.p[s->at] == '\\' && s->at + 1 < s->text.n) step(s);
        step(s);
    }
    struct str inside = str_sub(s->text, from, s->at);
    if (peek(s, 0) == quote) s->at++;
    return inside;
}

static void skip_comment(struct scan *s) {
    s->at += 2;
    int level = peek(s, 0) == '[' ? long_bracket(s) : -1;
    if (level >= 0) {
        skip_long(s, level);
        return;
    }
    while (s->at < s->text.n && s->text.p[s->at] != '\n')
        s->at++;
}

static void skip_space(struct scan *s) {
    for (;;) {
        char c = peek(s, 0);
        if (s->at < s->text.n && (c == ' ' || (c >= '\t' && c <= '\r'))) {
            step(s);
        } else if (c == '-' && peek(s, 1) == '-') {
            skip_comment(s);
        } else {
            return;
        }
    }
}

/* Behind `require`: 1 a literal, 0 not a call, -1 a call with something else. */
static int literal_argument(struct scan *s, struct str *name) {
    skip_space(s);
    bool call = peek(s, 0) == '(';
    if (call) {
        s->at++;
        skip_space(s);
    }
    char c = peek(s, 0);
    int level = c == '[' ? long_bracket(s) : -1;
    if (c == '"' || c == '\'') {
        *name = skip_short(s);
    } else if (level >= 0) {
        *name = skip_long(s, level);
    } else {
        return call ? -1 : 0;
    }
    if (!call) return 1;
    skip_space(s);
    return peek(s, 0) == ')' ? 1 : -1;
}

int require_scan(struct str text, const char *path,
                 int (*found)(void *data, struct str name, int line, struct why *why), void *data,
                 struct why *why) {
    struct scan s = {.text = text, .line = 1};
    char before = '\0'; /* the last character that was no space: '.' or ':' make it a field */
    int err = 0;
    while (err == 0 && (skip_space(&s), s.at < s.text.n)) {
        char c = peek(&s, 0);
        int level = c == '[' ? long_bracket(&s) : -1;
        if (c == '"' || c == '\'') {
            skip_short(&s);
        } else if (level >= 0) {
            skip_long(&s, level);
        } else if (name_char(c)) {
            size_t from = s.at;
            while (name_char(peek(&s, 0)))
                s.at++;
            bool field =
                before == ':' || (before == '.' && !(from >= 2 && text.p[from - 2] == '.'));
            if (!field && str_eq(str_sub(text, from, s.at), STR("require"))) {
                int line = s.line;
                struct str name;
                int kind = literal_argument(&s, &name);
                if (kind < 0)
                    err = why_set(why, E_SCRIPT,
                                  "%s:%d: require takes a literal name, require \"name\", so that "
                                  "every part of a version is known before it runs",
                                  path, line);
                if (kind > 0) err = found(data, name, line, why);
            }
        } else {
            s.at++;
        }
        before = c;
    }
    return err;
}
