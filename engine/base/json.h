/* JSON (RFC 8259) that can carry money: integers of 64 bits are exact, every other number keeps the
 * text it came with. Strict: UTF-8 is checked, surrogates must pair, no key twice in an object, no
 * byte-order mark, nothing behind the value, bounded depth and size.
 *
 * Three parts. The reader (json_read.c) walks a text token by token and allocates nothing; the
 * Lua binding and the tree both stand on it. The tree (json_value.c) is for C code that wants to
 * look things up. The writer (json_write.c) appends to a buffer, in the order it is called. */
#ifndef LUWAK_BASE_JSON_H
#define LUWAK_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH     64                /* default: arrays and objects inside each other */
#define JSON_DEPTH_MAX 512               /* what limits may ask for */
#define JSON_SIZE      (8 * 1024 * 1024) /* default: bytes of a text */

struct json_limits {
    int depth;   /* 0: JSON_DEPTH */
    size_t size; /* 0: JSON_SIZE */

    /* For a provider that is known to send broken JSON, named by its channel: of a key that comes
     * twice the last one counts, and JSON text that stands unescaped inside a string value
     * ("info":"{"a":"b"}") is that string, as it came. Everything else stays strict. */
    bool lenient;
};

/* ---- reader ---- */

enum json_token {
    JSON_END, /* the text is over, all was well */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_INT,    /* r->i */
    JSON_NUMBER, /* r->raw: fraction, exponent, "-0", or too big for 64 bits */
    JSON_STRING, /* r->raw, r->escaped */
    JSON_KEY,    /* likewise; its value is the next token */
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_OBJECT,
    JSON_OBJECT_END,
};

struct json_reader {
    struct str text;
    size_t at;      /* the next byte */
    size_t start;   /* where the last token began */
    struct str raw; /* the last string, key or number: a view of the text, without quotes */
    bool escaped;   /* raw holds escapes: json_unescape() it */
    int64_t i;      /* the last JSON_INT */
    int depth;      /* containers open */
    int state;      /* what may come next; json_read.c */
    int error;      /* sticks */
    struct json_limits limits;
    uint64_t object[JSON_DEPTH_MAX / 64]; /* bit d: the container inside d others is an object */
};

void json_reader_init(struct json_reader *r, struct str text, const struct json_limits *limits);

/* The next token, or a negative code: E_SYNTAX, E_LIMIT. That a key comes twice is for the caller
 * to see: only he keeps the keys. */
int json_next(struct json_reader *r, struct why *why);

/* Says where in the text: "json: line 2, column 7: TEXT". Returns code. */
int json_complain(const struct json_reader *r, size_t at, int code, struct why *why,
                  const char *text);

/* The value of a raw string that the reader accepted. `out` has room for raw.n bytes; returns how
 * many were written. */
size_t json_unescape(struct str raw, char *out);

bool json_is_number(struct str text); /* exactly one number of the grammar */
bool utf8_valid(struct str text);     /* shortest forms, no surrogates, up to U+10FFFF */

/* Length of the valid sequence at the start of s; 0: none. */
size_t utf8_step(struct str s);

/* ---- tree ---- */

enum json_type { JT_NULL, JT_BOOL, JT_INT, JT_NUMBER, JT_STRING, JT_ARRAY, JT_OBJECT };

struct json {
    enum json_type type;
    int64_t i;          /* JT_INT; JT_BOOL: 0 or 1 */
    struct str s;       /* JT_STRING: its value; JT_NUMBER: its text */
    struct str key;     /* as a member of an object */
    struct json *next;  /* the next member or item */
    struct json *first; /* members or items, in order */
    size_t count;
    size_t at; /* where it (its key, if it has one) began in the text */
};

struct json_doc {
    struct arena arena; /* holds everything, copies of strings too */
    struct json *root;
};

int json_parse(struct json_doc *doc, struct str text, const struct json_limits *limits,
               struct why *why); /* on failure there is nothing to free */
void json_doc_free(struct json_doc *doc);

/* Look-ups take NULL for "not there" and give it back, so that they can be chained. */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t index);

/* 0, E_NOTFOUND (absent or null), or E_INVAL (another type, or text with a NUL byte where a C
 * string is wanted); *out is untouched then. */
int json_get_str(const struct json *object, const char *key, struct str *out);
int json_get_i64(const struct json *object, const char *key, int64_t *out);
int json_get_bool(const struct json *object, const char *key, bool *out);

/* ---- writer ---- */

struct json_out {
    struct buf *b;
    int err; /* sticks: E_SYNTAX (text that is not UTF-8, no number), E_LIMIT (depth) */
    int depth;
    bool comma;     /* something stands before the next value */
    bool after_key; /* the next value belongs to a key */
    bool repair;    /* write U+FFFD for what is not UTF-8: for logs, where refusing loses more */
    uint64_t object[JSON_DEPTH_MAX / 64];
};

void json_out_init(struct json_out *w, struct buf *b);
int json_out_end(struct json_out *w); /* every container closed; first error of w or its buffer */

void json_begin_object(struct json_out *w);
void json_end_object(struct json_out *w);
void json_begin_array(struct json_out *w);
void json_end_array(struct json_out *w);
void json_key(struct json_out *w, const char *key);
void json_key_str(struct json_out *w, struct str key);
void json_str(struct json_out *w, struct str value);
void json_int(struct json_out *w, int64_t value);
void json_bool(struct json_out *w, bool value);
void json_null(struct json_out *w);
void json_number(struct json_out *w, struct str text); /* checked against the grammar */
void json_raw(struct json_out *w, struct str text);    /* a whole value, encoded by us before */
void json_value(struct json_out *w, const struct json *value); /* a tree */

/* key and value in one */
void json_put_str(struct json_out *w, const char *key, struct str value);
void json_put_text(struct json_out *w, const char *key, const char *value); /* NULL: null */
void json_put_int(struct json_out *w, const char *key, int64_t value);
void json_put_bool(struct json_out *w, const char *key, bool value);

/* The pieces, for a writer that has memory of its own: how long is the quoted form, and writing
 * it. json_quoted_size is 0 for text that is not UTF-8. */
size_t json_quoted_size(struct str text);
char *json_quote(struct str text, char *out); /* returns the end */

#endif
