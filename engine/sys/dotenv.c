#include "sys/dotenv.h"

#include "base/buf.h"
#include "base/mem.h"

struct parser {
    const char *p, *end;
    const char *label;
    int line;
    struct buf value;
    struct why *why;
};

static bool is_name_char(char c, bool first) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

static int fail(const struct parser *s, const char *what) {
    return why_set(s->why, E_CONFIG, "%s:%d: %s", s->label, s->line, what);
}

static struct str take_name(struct parser *s) {
    const char *from = s->p;
    while (s->p < s->end && is_name_char(*s->p, s->p == from))
        s->p++;
    return (struct str){from, (size_t)(s->p - from)};
}

static void skip_blanks(struct parser *s) {
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
        s->p++;
}

/* At "${": the reference becomes a mark. */
static int take_reference(struct parser *s) {
    s->p += 2;
    struct str name = take_name(s);
    if (name.n == 0 || s->p == s->end || *s->p != '}')
        return fail(s, "${ must be followed by a name and }");
    s->p++;
    buf_addc(&s->value, DOTENV_REF_OPEN);
    buf_addstr(&s->value, name);
    buf_addc(&s->value, DOTENV_REF_CLOSE);
    return 0;
}

static bool at_reference(const struct parser *s) {
    return *s->p == '$' && s->p + 1 < s->end && s->p[1] == '{';
}

/* One byte into the value; control characters that are no blanks have no business here. */
static int take_byte(struct parser *s, char c) {
    unsigned char u = (unsigned char)c;
    if ((u < 0x20 && c != '\t' && c != '\n' && c != '\r') || u == 0x7F)
        return fail(s, "control character in a value");
    buf_addc(&s->value, c);
    return 0;
}

static int take_plain(struct parser *s) {
    int err = 0;
    while (err == 0 && s->p < s->end && *s->p != '\n') {
        bool blank_before = s->value.len == 0 || s->p[-1] == ' ' || s->p[-1] == '\t';
        if (*s->p == '#' && blank_before) break;
        err = at_reference(s) ? take_reference(s) : take_byte(s, *s->p++);
    }
    while (s->value.len > 0 && strchr(" \t\r", s->value.data[s->value.len - 1]) != NULL)
        s->value.data[--s->value.len] = '\0';
    return err;
}

static int take_quoted(struct parser *s, char quote) {
    int opened = s->line, err = 0;
    s->p++;
    while (err == 0 && s->p < s->end && *s->p != quote) {
        char c = *s->p;
        if (c == '\n') s->line++;
        if (quote == '"' && c == '\\' && s->p + 1 < s->end) {
            char e = s->p[1];
            s->p += 2;
            if (e == '\n') s->line++;
            if (strchr("\"\\$", e) == NULL && e != 'n' && e != 'r' && e != 't')
                err = take_byte(s, '\\');
            if (err == 0)
                err = take_byte(s, e == 'n' ? '\n' : e == 'r' ? '\r' : e == 't' ? '\t' : e);
        } else if (quote == '"' && at_reference(s)) {
            err = take_reference(s);
        } else {
            s->p++;
            err = take_byte(s, c);
        }
    }
    if (err != 0) return err;
    if (s->p == s->end) {
        s->line = opened;
        return fail(s, "the quote that opens here is never closed");
    }
    s->p++;
    return 0;
}

/* After a value: nothing but blanks and a comment. */
static int end_line(struct parser *s) {
    skip_blanks(s);
    if (s->p < s->end && *s->p == '\r') s->p++;
    if (s->p < s->end && *s->p == '#') {
        while (s->p < s->end && *s->p != '\n')
            s->p++;
    }
    return s->p == s->end || *s->p == '\n' ? 0 : fail(s, "text behind the closing quote");
}

static int parse_line(struct parser *s, dotenv_found found, void *data) {
    skip_blanks(s);
    if (s->p == s->end || *s->p == '\n' || *s->p == '\r' || *s->p == '#') return end_line(s);
    struct str name = take_name(s);
    if (str_eq(name, STR("export")) && s->p < s->end && (*s->p == ' ' || *s->p == '\t')) {
        skip_blanks(s);
        name = take_name(s);
    }
    skip_blanks(s);
    if (name.n == 0) return fail(s, "expected NAME=value");
    if (s->p == s->end || *s->p != '=') return fail(s, "expected = behind the name");
    s->p++;
    skip_blanks(s);
    int line = s->line;
    bool quoted = s->p < s->end && (*s->p == '"' || *s->p == '\'');
    int err = quoted ? take_quoted(s, *s->p) : take_plain(s);
    if (err == 0) err = end_line(s);
    if (err == 0) err = s->value.err;
    return err != 0 ? err : found(data, name, buf_str(&s->value), line, s->why);
}

int dotenv_parse(struct str text, const char *label, struct why *why, dotenv_found found,
                 void *data) {
    struct parser s = {text.p, text.p + text.n, label, 1, {.secret = true}, why};
    if (str_starts(text, STR("\xef\xbb\xbf"))) s.p += 3;
    int err = 0;
    while (err == 0 && s.p < s.end) {
        buf_clear(&s.value);
        err = parse_line(&s, found, data);
        if (err == 0 && s.p < s.end) s.p++; /* the newline */
        s.line++;
    }
    buf_free(&s.value);
    return err;
}

int dotenv_mark(struct str value, struct buf *out, struct why *why) {
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == DOTENV_REF_OPEN || c == DOTENV_REF_CLOSE)
            return why_set(why, E_CONFIG, "control character in the value");
        size_t end = i + 2;
        if (c == '$' && i + 1 < value.n && value.p[i + 1] == '{') {
            while (end < value.n && is_name_char(value.p[end], end == i + 2))
                end++;
            if (end == i + 2 || end == value.n || value.p[end] != '}')
                return why_set(why, E_CONFIG, "${ must be followed by a name and }");
            buf_addc(out, DOTENV_REF_OPEN);
            buf_add(out, value.p + i + 2, end - i - 2);
            buf_addc(out, DOTENV_REF_CLOSE);
            i = end;
        } else {
            buf_addc(out, c);
        }
    }
    return out->err;
}
