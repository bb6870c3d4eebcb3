/* The JSON writer: appends to a buffer, puts the commas, escapes the strings.
 *
 * Data can be wrong (text that is not UTF-8, too deep) and that error sticks; calls in a wrong
 * order (a value without its key) are our own mistake and stop the process. */
#include "base/ensure.h"
#include "base/json.h"

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

void json_out_init(struct json_out *w, struct buf *b) {
    *w = (struct json_out){.b = b};
}

int json_out_end(struct json_out *w) {
    ENSURE(w->err != 0 || w->depth == 0);
    return w->err != 0 ? w->err : w->b->err;
}

static bool in_object(const struct json_out *w) {
    return w->depth != 0 && (w->object[(w->depth - 1) / 64] >> ((w->depth - 1) % 64) & 1) != 0;
}

/* Before every value: the comma, and that it stands where one may. False: we are in error. */
static bool begin_value(struct json_out *w) {
    if (w->err != 0) return false;
    ENSURE(in_object(w) == w->after_key);
    ENSURE(w->depth != 0 || !w->comma); /* one value at the top */
    if (w->comma && !w->after_key) buf_addc(w->b, ',');
    w->after_key = false;
    w->comma = true;
    return true;
}

static void begin(struct json_out *w, bool object) {
    if (!begin_value(w)) return;
    if (w->depth == JSON_DEPTH_MAX) {
        w->err = E_LIMIT;
        return;
    }
    int d = w->depth++;
    uint64_t bit = (uint64_t)1 << (d % 64);
    w->object[d / 64] = object ? w->object[d / 64] | bit : w->object[d / 64] & ~bit;
    w->comma = false;
    buf_addc(w->b, object ? '{' : '[');
}

static void end(struct json_out *w, bool object) {
    if (w->err != 0) return;
    ENSURE(w->depth != 0);
    ENSURE(in_object(w) == object);
    ENSURE(!w->after_key);
    w->depth--;
    w->comma = true;
    buf_addc(w->b, object ? '}' : ']');
}

void json_begin_object(struct json_out *w) {
    begin(w, true);
}
void json_end_object(struct json_out *w) {
    end(w, true);
}
void json_begin_array(struct json_out *w) {
    begin(w, false);
}
void json_end_array(struct json_out *w) {
    end(w, false);
}

/* ---- strings ---- */

/* The letter of a short escape, or 0. */
static char short_escape(unsigned char c) {
    switch (c) {
    case '"':
    case '\\': return (char)c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

size_t json_quoted_size(struct str s) {
    size_t size = 2;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t step = 1;
        if (c >= 0x80) {
            step = utf8_step(str_sub(s, i, s.n));
            if (step == 0) return 0;
            size += step;
        } else {
            size += short_escape(c) != 0 ? 2 : c < 0x20 ? 6 : 1;
        }
        i += step;
    }
    return size;
}

char *json_quote(struct str s, char *out) {
    static const char HEX[] = "0123456789abcdef";
    *out++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char letter = short_escape(c);
        if (letter != 0) {
            *out++ = '\\';
            *out++ = letter;
        } else if (c < 0x20) {
            memcpy(out, "\\u00", 4);
            out[4] = HEX[c >> 4];
            out[5] = HEX[c & 15];
            out += 6;
        } else {
            *out++ = (char)c;
        }
    }
    *out++ = '"';
    return out;
}

static void quote_repaired(struct json_out *w, struct str s) {
    buf_addc(w->b, '"');
    while (s.n != 0) {
        size_t good = 0, step;
        while ((step = utf8_step(str_sub(s, good, s.n))) != 0)
            good += step;
        struct str part = str_sub(s, 0, good);
        size_t size = json_quoted_size(part);
        char *at = buf_reserve(w->b, size);
        if (at == NULL) return;
        json_quote(part, at); /* its quotes are overwritten or cut off */
        memmove(at, at + 1, size - 2);
        w->b->len += size - 2;
        w->b->data[w->b->len] = '\0';
        if (good < s.n) buf_adds(w->b, REPLACEMENT), good++;
        s = str_sub(s, good, s.n);
    }
    buf_addc(w->b, '"');
}

/* Printable ASCII that needs no escape: nearly all that is written, keys above all. */
static bool is_plain(struct str s) {
    bool plain = true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        plain = plain & (c >= ' ') & (c < 0x7f) & (c != '"') & (c != '\\');
    }
    return plain;
}

static void quote_plain(struct json_out *w, struct str s) {
    char *at = buf_reserve(w->b, s.n + 2);
    if (at == NULL) return;
    at[0] = '"';
    if (s.n != 0) memcpy(at + 1, s.p, s.n);
    at[s.n + 1] = '"';
    w->b->len += s.n + 2;
    w->b->data[w->b->len] = '\0';
}

static void quote(struct json_out *w, struct str s) {
    if (is_plain(s)) {
        quote_plain(w, s);
        return;
    }
    size_t size = json_quoted_size(s);
    if (size == 0) {
        if (w->repair)
            quote_repaired(w, s);
        else
            w->err = E_SYNTAX;
        return;
    }
    char *at = buf_reserve(w->b, size);
    if (at == NULL) return;
    json_quote(s, at);
    w->b->len += size;
    w->b->data[w->b->len] = '\0';
}

void json_key_str(struct json_out *w, struct str key) {
    if (w->err != 0) return;
    ENSURE(in_object(w));
    ENSURE(!w->after_key);
    if (w->comma) buf_addc(w->b, ',');
    quote(w, key);
    buf_addc(w->b, ':');
    w->after_key = true;
}

void json_key(struct json_out *w, const char *key) {
    json_key_str(w, str_of(key));
}

/* ---- values ---- */

void json_str(struct json_out *w, struct str value) {
    if (begin_value(w)) quote(w, value);
}

void json_int(struct json_out *w, int64_t value) {
    if (begin_value(w)) buf_addi(w->b, value);
}

void json_bool(struct json_out *w, bool value) {
    if (begin_value(w)) buf_adds(w->b, value ? "true" : "false");
}

void json_null(struct json_out *w) {
    if (begin_value(w)) buf_adds(w->b, "null");
}

void json_raw(struct json_out *w, struct str text) {
    if (begin_value(w)) buf_addstr(w->b, text);
}

void json_number(struct json_out *w, struct str text) {
    if (w->err == 0 && !json_is_number(text)) w->err = E_SYNTAX;
    json_raw(w, text);
}

/* Walks the tree without recursion: it may be as deep as JSON_DEPTH_MAX. */
void json_value(struct json_out *w, const struct json *v) {
    const struct json *open[JSON_DEPTH_MAX];
    int depth = 0;
    while (v != NULL) {
        if (depth != 0 && open[depth - 1]->type == JT_OBJECT) json_key_str(w, v->key);
        switch (v->type) {
        case JT_NULL: json_null(w); break;
        case JT_BOOL: json_bool(w, v->i != 0); break;
        case JT_INT: json_int(w, v->i); break;
        case JT_NUMBER: json_number(w, v->s); break;
        case JT_STRING: json_str(w, v->s); break;
        case JT_ARRAY:
        case JT_OBJECT:
            begin(w, v->type == JT_OBJECT);
            if (w->err != 0) return;
            if (v->first != NULL) {
                open[depth++] = v;
                v = v->first;
                continue;
            }
            end(w, v->type == JT_OBJECT);
            break;
        }
        /* On to the next one, closing what has none; the root's siblings are not ours. */
        while (depth != 0 && v->next == NULL) {
            v = open[--depth];
            end(w, v->type == JT_OBJECT);
        }
        v = depth == 0 ? NULL : v->next;
    }
}

void json_put_str(struct json_out *w, const char *key, struct str value) {
    json_key(w, key);
    json_str(w, value);
}

void json_put_text(struct json_out *w, const char *key, const char *value) {
    json_key(w, key);
    if (value == NULL)
        json_null(w);
    else
        json_str(w, str_of(value));
}

void json_put_int(struct json_out *w, const char *key, int64_t value) {
    json_key(w, key);
    json_int(w, value);
}

void json_put_bool(struct json_out *w, const char *key, bool value) {
    json_key(w, key);
    json_bool(w, value);
}
