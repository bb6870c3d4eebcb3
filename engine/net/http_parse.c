/* http_parse: see http_parse.h for what is accepted and the phases.
 *
 * One switch per byte would be slow, so each state that can see many bytes has its own inner loop
 * over a table; a loop leaves at the first byte of another class or at the end of the input, and
 * the state says where to go on. Two tables: LOWER maps token characters to themselves in lower
 * case and all else to 0; CLASS has a bit per place where a byte may stand. */
#include "net/http_parse.h"

#include "base/ensure.h"

enum {
    C_TARGET = 1, /* visible ASCII but '#' */
    C_VALUE = 2,  /* visible ASCII, blanks, 0x80-0xff */
    C_HOST = 4,   /* letters, digits, . - _ ~ */
    C_ADDR = 8,   /* inside the brackets of an IPv6 address */
};

/* clang-format off */
#define V C_TARGET | C_VALUE
#define D V | C_HOST | C_ADDR
#define L V | C_HOST
static const uint8_t CLASS[256] = {
    [9] = C_VALUE, [' '] = C_VALUE,
    ['!'] = V, ['"'] = V, ['#'] = C_VALUE, ['$'] = V, ['%'] = V, ['&'] = V, ['\''] = V, ['('] = V,
    [')'] = V, ['*'] = V, ['+'] = V, [','] = V, ['-'] = L, ['.'] = D, ['/'] = V,
    ['0'] = D, D, D, D, D, D, D, D, D, D,
    [':'] = V | C_ADDR, [';'] = V, ['<'] = V, ['='] = V, ['>'] = V, ['?'] = V, ['@'] = V,
    ['A'] = D, D, D, D, D, D, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    ['['] = V, ['\\'] = V, [']'] = V, ['^'] = V, ['_'] = L, ['`'] = V,
    ['a'] = D, D, D, D, D, D, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    ['{'] = V, ['|'] = V, ['}'] = V, ['~'] = L,
    [128 ... 255] = C_VALUE,
};
static const uint8_t LOWER[256] = {
    ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'', ['*'] = '*',
    ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['|'] = '|',
    ['~'] = '~',
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
            'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
    ['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q',
            'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};
/* clang-format on */
#undef V
#undef D
#undef L

enum state {
    S_START,
    S_START_LF, /* behind the CR of the one empty line that is let pass */
    S_FIRST,    /* behind it: now a method must come */
    S_METHOD,
    S_TARGET_FIRST,
    S_TARGET,
    S_STAR,
    S_VERSION,
    S_LINE_LF,
    S_FIELD, /* at the start of a field line, or of the empty line */
    S_NAME,
    S_BLANK, /* behind ':' */
    S_VALUE,
    S_VALUE_LF,
    S_END_LF,
    /* the body */
    S_LENGTH,
    S_SIZE,
    S_SIZE_LF,
    S_DATA,
    S_DATA_CR,
    S_DATA_LF,
    S_TRAILER,
    S_TRAILER_NAME,
    S_TRAILER_VALUE,
    S_TRAILER_LF,
    S_LAST_LF,
};

enum { SEEN_HOST = 1, SEEN_LENGTH = 2, SEEN_CODING = 4, SEEN_EXPECT = 8 };

void http_parse_init(struct http_parse *p, const struct http_parse_limits *limits) {
    ENSURE(limits->head_max <= HTTP_HEAD_CAP);
    ENSURE(limits->fields_max <= HTTP_FIELDS_CAP);
    ENSURE(limits->target_max < limits->head_max);
    p->limits = *limits;
    http_parse_reset(p);
}

void http_parse_reset(struct http_parse *p) {
    p->phase = PARSE_HEAD;
    p->status = 0;
    p->why = NULL;
    p->at = 0;
    p->method_len = p->target_len = p->field_count = 0;
    p->keep_alive = p->chunked = p->has_length = p->wants_continue = p->minor_one = false;
    p->length = p->left = 0;
    p->state = S_START;
    p->seen = p->digits = 0;
    p->trailer_used = p->trailer_count = 0;
}

static void bad(struct http_parse *p, int status, const char *why) {
    p->phase = PARSE_BAD;
    p->status = status;
    p->why = why;
}

static bool is(const char *at, size_t n, struct str lower) {
    if (n != lower.n) return false;
    for (size_t i = 0; i < n; i++)
        if (LOWER[(uint8_t)at[i]] != (uint8_t)lower.p[i]) return false;
    return true;
}

/* A field that may stand only once. */
static bool first(struct http_parse *p, uint8_t what) {
    bool again = (p->seen & what) != 0;
    p->seen |= what;
    return !again;
}

/* name or [address], then optionally ':' and digits */
static bool host_valid(const char *v, size_t n) {
    size_t i = 0;
    if (n != 0 && v[0] == '[') {
        for (i = 1; i < n && (CLASS[(uint8_t)v[i]] & C_ADDR); i++) {
        }
        if (i == 1 || i == n || v[i] != ']') return false;
        i++;
    } else {
        while (i < n && (CLASS[(uint8_t)v[i]] & C_HOST))
            i++;
        if (i == 0) return false;
    }
    if (i == n) return true;
    if (v[i++] != ':' || n - i > 5) return false;
    while (i < n && v[i] >= '0' && v[i] <= '9')
        i++;
    return i == n;
}

static const char *take_length(struct http_parse *p, const char *v, size_t n) {
    if (!first(p, SEEN_LENGTH)) return "more than one Content-Length";
    uint64_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (v[i] < '0' || v[i] > '9') return "Content-Length is no number";
        if (length < UINT64_MAX / 100) length = length * 10 + (uint64_t)(v[i] - '0');
    }
    if (n == 0) return "Content-Length is empty";
    p->has_length = true;
    p->length = length;
    return NULL;
}

/* Connection: a list of tokens; only two of them mean something to us. */
static void take_connection(struct http_parse *p, const char *v, size_t n) {
    struct str rest = {v, n}, one;
    while (rest.n != 0) {
        str_cut(rest, ',', &one, &rest);
        one = str_trim(one);
        if (is(one.p, one.n, STR("close"))) {
            p->keep_alive = false;
            p->seen |= 128; /* close wins, wherever it stands */
        } else if (is(one.p, one.n, STR("keep-alive")) && !(p->seen & 128)) {
            p->keep_alive = true;
        }
    }
}

/* The few fields that say how to go on. */
static void field_done(struct http_parse *p, const char *head) {
    const struct http_field *f = &p->fields[p->field_count++];
    const char *name = head + f->name, *v = head + f->value;
    size_t n = f->value_len;
    const char *wrong = NULL;
    switch (f->name_len) {
    case 4:
        if (memcmp(name, "host", 4) != 0) break;
        if (!first(p, SEEN_HOST))
            wrong = "more than one Host";
        else if (!host_valid(v, n))
            wrong = "Host is not a host name";
        break;
    case 6:
        if (memcmp(name, "expect", 6) != 0) break;
        if (!first(p, SEEN_EXPECT) || !is(v, n, STR("100-continue"))) {
            bad(p, 417, "only Expect: 100-continue is known");
            return;
        }
        break;
    case 10:
        if (memcmp(name, "connection", 10) == 0) take_connection(p, v, n);
        break;
    case 14:
        if (memcmp(name, "content-length", 14) == 0) wrong = take_length(p, v, n);
        break;
    case 17:
        if (memcmp(name, "transfer-encoding", 17) != 0) break;
        if (!first(p, SEEN_CODING))
            wrong = "more than one Transfer-Encoding";
        else if (!is(v, n, STR("chunked")))
            wrong = "Transfer-Encoding is not chunked";
        p->chunked = true;
        break;
    }
    if (wrong != NULL) bad(p, 400, wrong);
}

/* The whole head is there: what kind of body follows? */
static void head_done(struct http_parse *p) {
    if (p->minor_one && !(p->seen & SEEN_HOST)) {
        bad(p, 400, "Host is missing");
    } else if (p->chunked && p->has_length) {
        bad(p, 400, "both Content-Length and Transfer-Encoding");
    } else if (p->chunked && !p->minor_one) {
        bad(p, 400, "Transfer-Encoding in HTTP/1.0");
    } else if (p->has_length && p->length > p->limits.body_max) {
        bad(p, 413, "the body is too large");
    } else if (p->chunked || p->length != 0) {
        p->phase = PARSE_BODY;
        p->state = p->chunked ? S_SIZE : S_LENGTH;
        p->left = p->length;
        p->digits = 0;
        p->wants_continue = p->minor_one && (p->seen & SEEN_EXPECT) != 0;
    } else {
        p->phase = PARSE_DONE;
    }
}

/* "HTTP/1.1", one byte at a time so that every split fails at the same byte. */
static bool version_byte(struct http_parse *p, uint8_t c) {
    static const char PREFIX[] = "HTTP/d.d";
    uint8_t i = p->digits++;
    if (i == 5 || i == 7) {
        if (c < '0' || c > '9') {
            bad(p, 400, "malformed HTTP version");
            return false;
        }
        if (i == 5 ? c != '1' : c > '1') p->seen |= 64; /* well formed, another version */
        if (i == 7) p->minor_one = p->keep_alive = c == '1';
        return true;
    }
    if (i == 8 && c == '\r') return true;
    if (i < 8 && c == (uint8_t)PREFIX[i]) return true;
    bad(p, 400, "malformed HTTP version");
    return false;
}

static void target_done(struct http_parse *p, const char *head, uint32_t end) {
    p->target = p->mark;
    p->target_len = (uint16_t)(end - p->mark);
    const char *q = memchr(head + p->target, '?', p->target_len);
    p->path_len = q == NULL ? p->target_len : (uint16_t)(q - (head + p->target));
    p->state = S_VERSION;
    p->digits = 0;
}

void http_parse_head(struct http_parse *p, char *head, size_t len) {
    if (p->phase != PARSE_HEAD) return;
    uint32_t end = len > p->limits.head_max ? p->limits.head_max : (uint32_t)len;
    uint32_t i = p->at;
    uint8_t c;
    while (i < end) {
        c = (uint8_t)head[i];
        switch ((enum state)p->state) {
        case S_START:
            if (c == '\r') {
                p->state = S_START_LF;
                i++;
                break;
            } /* fall through */
        case S_FIRST:
            if (LOWER[c] == 0) {
                bad(p, 400, "the method is not a token");
                goto out;
            }
            p->method = (uint16_t)i++;
            p->state = S_METHOD;
            break;
        case S_START_LF:
            if (c != '\n') goto bare_cr;
            p->state = S_FIRST;
            i++;
            break;
        case S_METHOD:
            while (i < end && LOWER[c = (uint8_t)head[i]] != 0)
                if (++i - p->method > HTTP_METHOD_MAX) break;
            if (i - p->method > HTTP_METHOD_MAX) {
                bad(p, 400, "the method is too long");
                goto out;
            }
            if (i == end) break;
            if (c != ' ') {
                bad(p, 400, "the method is not a token");
                goto out;
            }
            p->method_len = (uint16_t)(i++ - p->method);
            p->state = S_TARGET_FIRST;
            break;
        case S_TARGET_FIRST:
            p->mark = (uint16_t)i;
            if (c == '/') {
                p->state = S_TARGET;
            } else if (c == '*' && p->method_len == 7 &&
                       memcmp(head + p->method, "OPTIONS", 7) == 0) {
                p->state = S_STAR;
                i++;
            } else {
                bad(p, 400, "the target does not begin with '/'");
                goto out;
            }
            break;
        case S_TARGET: {
            uint32_t stop = p->mark + p->limits.target_max;
            if (stop > end) stop = end;
            while (i < stop && (CLASS[c = (uint8_t)head[i]] & C_TARGET))
                i++;
            if (i == end) break;
            if (i == stop) c = (uint8_t)head[i];
            if (c == ' ') {
                target_done(p, head, i++);
            } else if (CLASS[c] & C_TARGET) {
                bad(p, 414, "the target is too long");
                goto out;
            } else {
                bad(p, 400, "a byte of the target is not visible ASCII");
                goto out;
            }
            break;
        }
        case S_STAR:
            if (c != ' ') {
                bad(p, 400, "the target does not begin with '/'");
                goto out;
            }
            target_done(p, head, i++);
            break;
        case S_VERSION:
            if (!version_byte(p, c)) goto out;
            i++;
            if (c == '\r') p->state = S_LINE_LF;
            break;
        case S_LINE_LF:
            if (c != '\n') goto bare_cr;
            if (p->seen & 64) {
                bad(p, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
                goto out;
            }
            p->state = S_FIELD;
            i++;
            break;
        case S_FIELD:
            if (c == '\r') {
                p->state = S_END_LF;
                i++;
                break;
            }
            if (LOWER[c] == 0) {
                bad(p, 400, "a field name is not a token");
                goto out;
            }
            if (p->field_count >= p->limits.fields_max) {
                bad(p, 431, "too many header fields");
                goto out;
            }
            p->mark = (uint16_t)i;
            p->state = S_NAME;
            /* fall through */
        case S_NAME: {
            uint8_t low = 0;
            while (i < end && (low = LOWER[(uint8_t)head[i]]) != 0)
                head[i++] = (char)low;
            if (i == end) break;
            if (head[i] != ':') {
                bad(p, 400, "a field name is not a token");
                goto out;
            }
            struct http_field *f = &p->fields[p->field_count];
            f->name = p->mark;
            f->name_len = (uint16_t)(i++ - p->mark);
            p->state = S_BLANK;
            break;
        }
        case S_BLANK:
            if (c == ' ' || c == '\t') {
                i++;
                break;
            }
            p->mark = p->value_end = (uint16_t)i;
            p->state = S_VALUE;
            /* fall through */
        case S_VALUE:
            while (i < end && (CLASS[c = (uint8_t)head[i]] & C_VALUE)) {
                i++;
                if (c > ' ') p->value_end = (uint16_t)i;
            }
            if (i == end) break;
            if (c != '\r') {
                bad(p, 400, "a control character in a field value");
                goto out;
            }
            p->fields[p->field_count].value = p->mark;
            p->fields[p->field_count].value_len = (uint16_t)(p->value_end - p->mark);
            p->state = S_VALUE_LF;
            i++;
            break;
        case S_VALUE_LF:
            if (c != '\n') goto bare_cr;
            i++;
            p->state = S_FIELD;
            field_done(p, head);
            if (p->phase == PARSE_BAD) goto out;
            break;
        default: /* S_END_LF; the body's states belong to another phase */
            if (c != '\n') goto bare_cr;
            i++;
            head_done(p);
            goto out;
        }
    }
    if (i >= p->limits.head_max) bad(p, 431, "the header fields are too large");
    goto out;
bare_cr:
    bad(p, 400, "a CR without LF");
out:
    p->at = i;
}

static int hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The chunk's size line is whole. */
static void size_done(struct http_parse *p) {
    p->digits = 0;
    if (p->left == 0) {
        p->state = S_TRAILER;
    } else if (p->left > p->limits.body_max - p->length) {
        bad(p, 413, "the body is too large");
    } else {
        p->state = S_DATA;
    }
}

/* Trailers are dropped, but one that would frame the body is an attempt at something: p->digits
 * says which of the two names the bytes so far (p->mark of them) are the beginning of. */
static void trailer_name_byte(struct http_parse *p, uint8_t c) {
    static const struct str FRAMING[] = {{"content-length", 14}, {"transfer-encoding", 17}};
    if (LOWER[c] == 0) {
        if (c != ':' || p->mark == 0)
            bad(p, 400, "a field name is not a token");
        else if ((p->digits == 1 && p->mark == FRAMING[0].n) ||
                 (p->digits == 2 && p->mark == FRAMING[1].n))
            bad(p, 400, "a framing field among the trailers");
        p->state = S_TRAILER_VALUE;
        return;
    }
    for (int i = 0; i < 2; i++)
        if (p->mark >= FRAMING[i].n || (uint8_t)FRAMING[i].p[p->mark] != LOWER[c])
            p->digits &= (uint8_t) ~(1 << i);
    p->mark++;
}

/* One byte of the lines around chunks. */
static void framing_byte(struct http_parse *p, uint8_t c) {
    switch ((enum state)p->state) {
    case S_SIZE: {
        int digit = hex(c);
        if (c == '\r' && p->digits != 0) {
            p->state = S_SIZE_LF;
        } else if (digit < 0 || p->digits == 8) {
            bad(p, 400, "malformed chunk size");
        } else {
            p->left = (p->digits == 0 ? 0 : p->left << 4) | (uint64_t)digit;
            p->digits++;
        }
        return;
    }
    case S_DATA_CR:
        p->state = S_DATA_LF;
        if (c != '\r') bad(p, 400, "a chunk is longer than it said");
        return;
    case S_TRAILER:
        if (c == '\r') {
            p->state = S_LAST_LF;
            return;
        }
        if (p->field_count + ++p->trailer_count > p->limits.fields_max) {
            bad(p, 431, "too many header fields");
            return;
        }
        p->state = S_TRAILER_NAME;
        p->mark = 0;
        p->digits = 3;
        trailer_name_byte(p, c);
        return;
    case S_TRAILER_NAME: trailer_name_byte(p, c); return;
    case S_TRAILER_VALUE:
        if (c == '\r')
            p->state = S_TRAILER_LF;
        else if (!(CLASS[c] & C_VALUE))
            bad(p, 400, "a control character in a field value");
        return;
    default: break;
    }
    if (c != '\n') {
        bad(p, 400, "a CR without LF");
        return;
    }
    switch ((enum state)p->state) {
    case S_SIZE_LF: size_done(p); return;
    case S_DATA_LF: p->state = S_SIZE; return;
    case S_TRAILER_LF: p->state = S_TRAILER; return;
    default: p->phase = PARSE_DONE; return; /* S_LAST_LF */
    }
}

size_t http_parse_body(struct http_parse *p, const char *in, size_t n, char *out, size_t *made) {
    size_t i = 0;
    *made = 0;
    while (i < n && p->phase == PARSE_BODY) {
        if (p->state == S_LENGTH || p->state == S_DATA) {
            size_t k = n - i < p->left ? n - i : (size_t)p->left;
            if (out != in + i) memmove(out, in + i, k);
            out += k;
            *made += k;
            i += k;
            p->left -= k;
            if (p->state == S_DATA) p->length += k;
            if (p->left != 0) continue;
            if (p->state == S_DATA)
                p->state = S_DATA_CR;
            else
                p->phase = PARSE_DONE;
            continue;
        }
        if (p->state >= S_TRAILER && ++p->trailer_used > p->limits.head_max) {
            bad(p, 431, "the trailer fields are too large");
            break;
        }
        framing_byte(p, (uint8_t)in[i]);
        if (p->phase != PARSE_BAD) i++;
    }
    return i;
}
