/* The JSON reader: a token at a time, no memory of its own, no recursion.
 *
 *   WANT_VALUE      what the text begins with, and what follows a key
 *   WANT_FIRST      behind "[": a value or "]"
 *   WANT_FIRST_KEY  behind "{": a key or "}"
 *   WANT_COMMA      behind a value inside a container: "," and the next value or key, or its end
 *   WANT_END        behind the outermost value: nothing but space
 *
 * An error sticks: every later call gives it again. */
#include "base/json.h"

enum state { WANT_VALUE, WANT_FIRST, WANT_FIRST_KEY, WANT_COMMA, WANT_END };

void json_reader_init(struct json_reader *r, struct str text, const struct json_limits *limits) {
    *r = (struct json_reader){.text = text, .state = WANT_VALUE};
    if (limits != NULL) r->limits = *limits;
    if (r->limits.depth <= 0) r->limits.depth = JSON_DEPTH;
    if (r->limits.depth > JSON_DEPTH_MAX) r->limits.depth = JSON_DEPTH_MAX;
    if (r->limits.size == 0) r->limits.size = JSON_SIZE;
}

int json_complain(const struct json_reader *r, size_t at, int code, struct why *why,
                  const char *text) {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < r->text.n; i++) {
        column++;
        if (r->text.p[i] == '\n') line++, column = 1;
    }
    return why_set(why, code, "json: line %zu, column %zu: %s", line, column, text);
}

static int fail(struct json_reader *r, size_t at, int code, struct why *why, const char *text) {
    r->error = code;
    return json_complain(r, at, code, why, text);
}

/* ---- UTF-8 ---- */

static bool continues(struct str s, size_t i) {
    return ((unsigned char)s.p[i] & 0xC0) == 0x80;
}

size_t utf8_step(struct str s) {
    if (s.n == 0) return 0;
    unsigned char a = (unsigned char)s.p[0];
    if (a < 0x80) return 1;
    if (a < 0xC2 || a > 0xF4) return 0;
    size_t need = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (s.n < need) return 0;
    for (size_t i = 1; i < need; i++)
        if (!continues(s, i)) return 0;
    unsigned char b = (unsigned char)s.p[1];
    if (a == 0xE0 && b < 0xA0) return 0; /* a shorter form exists */
    if (a == 0xED && b > 0x9F) return 0; /* surrogates */
    if (a == 0xF0 && b < 0x90) return 0; /* a shorter form exists */
    if (a == 0xF4 && b > 0x8F) return 0; /* beyond U+10FFFF */
    return need;
}

bool utf8_valid(struct str s) {
    while (s.n != 0) {
        size_t n = utf8_step(s);
        if (n == 0) return false;
        s = str_sub(s, n, s.n);
    }
    return true;
}

/* ---- strings ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits behind "\u"; -1: they are not all there. */
static long unit(struct str s, size_t at) {
    if (s.n < at + 4) return -1;
    long value = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(s.p[at + i]);
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Checks the escape whose backslash stands at `at`; how long it is, or 0 and what is wrong. */
static size_t escape_length(struct str s, size_t at, const char **wrong) {
    *wrong = "unknown escape";
    if (at + 1 >= s.n) return 0;
    if (s.p[at + 1] != 'u') return strchr("\"\\/bfnrt", s.p[at + 1]) != NULL && s.p[at + 1] ? 2 : 0;
    long first = unit(s, at + 2);
    *wrong = "\\u needs four hexadecimal digits";
    if (first < 0) return 0;
    if (first < 0xD800 || first > 0xDFFF) return 6;
    *wrong = "half a surrogate pair";
    if (first > 0xDBFF || s.n < at + 8 || s.p[at + 6] != '\\' || s.p[at + 7] != 'u') return 0;
    long second = unit(s, at + 8);
    return second >= 0xDC00 && second <= 0xDFFF ? 12 : 0;
}

/* r->at stands behind the opening quote. */
static int read_string(struct json_reader *r, struct why *why) {
    struct str s = r->text;
    size_t i = r->at;
    const size_t begin = i;
    r->escaped = false;
    while (i < s.n) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"') {
            r->raw = str_sub(s, begin, i);
            r->at = i + 1;
            return 0;
        }
        size_t step = 1;
        if (c == '\\') {
            const char *wrong;
            step = escape_length(s, i, &wrong);
            if (step == 0) return fail(r, i, E_SYNTAX, why, wrong);
            r->escaped = true;
        } else if (c < 0x20) {
            return fail(r, i, E_SYNTAX, why, "control character in a string");
        } else if (c >= 0x80) {
            step = utf8_step(str_sub(s, i, s.n));
            if (step == 0) return fail(r, i, E_SYNTAX, why, "not UTF-8");
        }
        i += step;
    }
    return fail(r, r->start, E_SYNTAX, why, "string without an end");
}

static char *put_utf8(char *out, long c) {
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

size_t json_unescape(struct str raw, char *out) {
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    char *at = out;
    for (size_t i = 0; i < raw.n;) {
        if (raw.p[i] != '\\') {
            *at++ = raw.p[i++];
        } else if (raw.p[i + 1] != 'u') {
            *at++ = TO[strchr(FROM, raw.p[i + 1]) - FROM];
            i += 2;
        } else {
            long c = unit(raw, i + 2);
            i += 6;
            if (c >= 0xD800 && c <= 0xDBFF) {
                c = 0x10000 + ((c - 0xD800) << 10) + (unit(raw, i + 2) - 0xDC00);
                i += 6;
            }
            at = put_utf8(at, c);
        }
    }
    return (size_t)(at - out);
}

/* ---- numbers ---- */

static size_t digits(struct str s, size_t at) {
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9')
        n++;
    return n;
}

/* How long the number at the start of s is, 0: none; *whole: neither fraction nor exponent. */
static size_t number_length(struct str s, bool *whole) {
    size_t i = s.n != 0 && s.p[0] == '-' ? 1 : 0;
    size_t n = digits(s, i);
    if (n == 0 || (n > 1 && s.p[i] == '0')) return 0;
    i += n;
    *whole = true;
    if (i < s.n && s.p[i] == '.') {
        n = digits(s, i + 1);
        if (n == 0) return 0;
        i += 1 + n;
        *whole = false;
    }
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        n = digits(s, i);
        if (n == 0) return 0;
        i += n;
        *whole = false;
    }
    return i;
}

bool json_is_number(struct str text) {
    bool whole;
    size_t n = number_length(text, &whole);
    return n != 0 && n == text.n;
}

static int read_number(struct json_reader *r, struct why *why) {
    bool whole;
    size_t n = number_length(str_sub(r->text, r->at, r->text.n), &whole);
    if (n == 0) return fail(r, r->at, E_SYNTAX, why, "malformed number");
    r->raw = str_sub(r->text, r->at, r->at + n);
    r->at += n;
    return whole && str_to_i64(r->raw, &r->i) == 0 ? JSON_INT : JSON_NUMBER;
}

/* ---- structure ---- */

static void skip_space(struct json_reader *r) {
    while (r->at < r->text.n) {
        char c = r->text.p[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
        r->at++;
    }
}

static bool in_object(const struct json_reader *r) {
    int bit = r->depth - 1;
    return (r->object[bit / 64] >> (bit % 64) & 1) != 0;
}

static int open_container(struct json_reader *r, bool object, struct why *why) {
    if (r->depth == r->limits.depth) return fail(r, r->start, E_LIMIT, why, "nested too deep");
    int d = r->depth++;
    uint64_t bit = (uint64_t)1 << (d % 64);
    if (object)
        r->object[d / 64] |= bit;
    else
        r->object[d / 64] &= ~bit;
    r->state = object ? WANT_FIRST_KEY : WANT_FIRST;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static int close_container(struct json_reader *r) {
    bool object = in_object(r);
    r->at++;
    r->depth--;
    r->state = r->depth == 0 ? WANT_END : WANT_COMMA;
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

/* Lenient: a string value that opens like "{" or "[" and is not followed by what must follow a
 * value may be JSON text that somebody forgot to escape. It is taken if a strict reader finds a
 * whole object or array there, and a quote behind it. */
static bool read_embedded(struct json_reader *r) {
    size_t begin = r->start + 1;
    if (begin >= r->text.n || (r->text.p[begin] != '{' && r->text.p[begin] != '[')) return false;
    size_t next = r->at;
    while (next < r->text.n && strchr(" \n\r\t", r->text.p[next]) != NULL && r->text.p[next] != 0)
        next++;
    if (next == r->text.n || r->text.p[next] == ',' || r->text.p[next] == ']' ||
        r->text.p[next] == '}')
        return false;
    struct json_reader inner;
    struct json_limits limits = {.depth = r->limits.depth, .size = r->limits.size};
    json_reader_init(&inner, str_sub(r->text, begin, r->text.n), &limits);
    do {
        if (json_next(&inner, NULL) < 0) return false;
    } while (inner.depth != 0);
    size_t end = begin + inner.at;
    if (end >= r->text.n || r->text.p[end] != '"') return false;
    r->raw = str_sub(r->text, begin, end);
    r->escaped = false;
    r->at = end + 1;
    return true;
}

static int read_word(struct json_reader *r, struct str word, int token, struct why *why) {
    if (!str_starts(str_sub(r->text, r->at, r->text.n), word))
        return fail(r, r->at, E_SYNTAX, why, "a value must stand here");
    r->at += word.n;
    return token;
}

static int read_value(struct json_reader *r, struct why *why) {
    char c = r->text.p[r->at];
    if (c == '{' || c == '[') {
        r->at++;
        return open_container(r, c == '{', why);
    }
    r->state = r->depth == 0 ? WANT_END : WANT_COMMA;
    if (c == '"') {
        r->at++;
        int err = read_string(r, why);
        if (err != 0) return err;
        if (r->limits.lenient) read_embedded(r);
        return JSON_STRING;
    }
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(r, why);
    if (c == 't') return read_word(r, STR("true"), JSON_TRUE, why);
    if (c == 'f') return read_word(r, STR("false"), JSON_FALSE, why);
    return read_word(r, STR("null"), JSON_NULL, why);
}

static int read_key(struct json_reader *r, struct why *why) {
    if (r->text.p[r->at] != '"') return fail(r, r->at, E_SYNTAX, why, "a key must stand here");
    r->at++;
    int err = read_string(r, why);
    if (err != 0) return err;
    skip_space(r);
    if (r->at == r->text.n || r->text.p[r->at] != ':')
        return fail(r, r->at, E_SYNTAX, why, "':' must stand here");
    r->at++;
    r->state = WANT_VALUE;
    return JSON_KEY;
}

int json_next(struct json_reader *r, struct why *why) {
    if (r->error != 0) return why_set(why, r->error, "json: %s", err_text(r->error));
    if (r->text.n > r->limits.size) return fail(r, 0, E_LIMIT, why, "text too long");
    skip_space(r);
    r->start = r->at;
    bool more = r->at < r->text.n;
    char c = more ? r->text.p[r->at] : '\0';
    if (r->state == WANT_END) {
        if (more) return fail(r, r->at, E_SYNTAX, why, "something behind the value");
        return JSON_END;
    }
    if (!more) return fail(r, r->at, E_SYNTAX, why, "the text ends too early");
    switch ((enum state)r->state) {
    case WANT_FIRST:
        if (c == ']') return close_container(r);
        return read_value(r, why);
    case WANT_FIRST_KEY:
        if (c == '}') return close_container(r);
        return read_key(r, why);
    case WANT_COMMA:
        if (c == (in_object(r) ? '}' : ']')) return close_container(r);
        if (c != ',') return fail(r, r->at, E_SYNTAX, why, "',' or the end must stand here");
        r->at++;
        skip_space(r);
        r->start = r->at;
        if (r->at == r->text.n) return fail(r, r->at, E_SYNTAX, why, "the text ends too early");
        return in_object(r) ? read_key(r, why) : read_value(r, why);
    default: return read_value(r, why);
    }
}
