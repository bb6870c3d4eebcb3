/* The JSON tree: built from the reader's tokens in an arena, looked up by key and index.
 *
 * All texts are copied, so the input may go away. That a key comes twice is seen when its object
 * ends: the members are sorted by key in scratch memory (heap sort, so that no choice of keys is
 * slow), small objects are compared pair by pair. */
#include "base/json.h"
#include "base/mem.h"
#include "base/sort.h"

#define PAIRS_MAX 8 /* objects up to this size are compared pair by pair */

struct builder {
    struct json_doc *doc;
    struct json_reader r;
    struct json *open[JSON_DEPTH_MAX]; /* the containers around the next value */
    struct json *last[JSON_DEPTH_MAX]; /* the last member of each */
    int depth;
    struct str key; /* read and waiting for its value */
    size_t key_at;
    struct json **sorted; /* scratch, grown as needed */
    size_t room;
};

static int copy_text(struct builder *b, struct str *out) {
    size_t n = b->r.raw.n;
    char *text = arena_alloc(&b->doc->arena, n + 1);
    if (text == NULL) return E_NOMEM;
    if (b->r.escaped)
        n = json_unescape(b->r.raw, text);
    else if (n != 0)
        memcpy(text, b->r.raw.p, n);
    text[n] = '\0';
    *out = (struct str){text, n};
    return 0;
}

static struct json *add(struct builder *b, enum json_type type) {
    struct json *v = arena_alloc(&b->doc->arena, sizeof *v);
    if (v == NULL) return NULL;
    v->type = type;
    v->at = b->r.start;
    if (b->depth == 0) {
        b->doc->root = v;
        return v;
    }
    struct json *parent = b->open[b->depth - 1];
    if (parent->type == JT_OBJECT) {
        v->key = b->key;
        v->at = b->key_at;
    }
    if (parent->first == NULL)
        parent->first = v;
    else
        b->last[b->depth - 1]->next = v;
    b->last[b->depth - 1] = v;
    parent->count++;
    return v;
}

/* By key; equal keys as they stand in the text. */
static int by_key(const void *a, const void *b) {
    const struct json *x = *(struct json *const *)a, *y = *(struct json *const *)b;
    int d = str_cmp(x->key, y->key);
    return d != 0 ? d : x->at < y->at ? -1 : x->at > y->at;
}

/* Takes the members that twin() marked (no key at all; "" has one) out of the list. */
static void unlink_dropped(struct json *object) {
    struct json **link = &object->first;
    object->count = 0;
    while (*link != NULL) {
        if ((*link)->key.p == NULL) {
            *link = (*link)->next;
        } else {
            object->count++;
            link = &(*link)->next;
        }
    }
}

static int twin(struct builder *b, struct json *earlier, struct json *later, struct why *why) {
    if (b->r.limits.lenient) {
        earlier->key = (struct str){0}; /* unlink_dropped() knows it by this */
        return 0;
    }
    return json_complain(&b->r, later->at, E_SYNTAX, why, "this key is there twice");
}

static int check_pairs(struct builder *b, struct json *object, struct why *why) {
    for (struct json *x = object->first; x != NULL; x = x->next)
        for (struct json *y = x->next; y != NULL; y = y->next)
            if (str_eq(x->key, y->key)) {
                int err = twin(b, x, y, why);
                if (err != 0) return err;
                break; /* x is gone; y meets its own later twins in its turn */
            }
    return 0;
}

static int check_sorted(struct builder *b, struct json *object, struct why *why) {
    if (object->count > b->room) {
        struct json **grown = mem_realloc(b->sorted, object->count * sizeof(struct json *));
        if (grown == NULL) return E_NOMEM;
        b->sorted = grown;
        b->room = object->count;
    }
    size_t n = 0;
    for (struct json *v = object->first; v != NULL; v = v->next)
        b->sorted[n++] = v;
    sort_heap(b->sorted, n, sizeof(struct json *), by_key);
    for (size_t i = 1; i < n; i++)
        if (str_eq(b->sorted[i - 1]->key, b->sorted[i]->key)) {
            int err = twin(b, b->sorted[i - 1], b->sorted[i], why);
            if (err != 0) return err;
        }
    return 0;
}

static int close_object(struct builder *b, struct why *why) {
    struct json *object = b->open[b->depth - 1];
    int err =
        object->count <= PAIRS_MAX ? check_pairs(b, object, why) : check_sorted(b, object, why);
    if (err == 0 && b->r.limits.lenient) unlink_dropped(object);
    return err;
}

static int take(struct builder *b, enum json_token token, struct why *why) {
    struct json *v = NULL;
    switch (token) {
    case JSON_KEY: b->key_at = b->r.start; return copy_text(b, &b->key);
    case JSON_OBJECT_END:
    case JSON_ARRAY_END: {
        int err = token == JSON_OBJECT_END ? close_object(b, why) : 0;
        b->depth--;
        return err;
    }
    case JSON_OBJECT:
    case JSON_ARRAY:
        v = add(b, token == JSON_OBJECT ? JT_OBJECT : JT_ARRAY);
        if (v == NULL) return E_NOMEM;
        b->open[b->depth++] = v;
        return 0;
    case JSON_INT:
        v = add(b, JT_INT);
        if (v == NULL) return E_NOMEM;
        v->i = b->r.i;
        return 0;
    case JSON_NUMBER:
    case JSON_STRING:
        if (token == JSON_NUMBER) b->r.escaped = false;
        v = add(b, token == JSON_NUMBER ? JT_NUMBER : JT_STRING);
        return v == NULL ? E_NOMEM : copy_text(b, &v->s);
    default: /* null, false, true */
        v = add(b, token == JSON_NULL ? JT_NULL : JT_BOOL);
        if (v == NULL) return E_NOMEM;
        v->i = token == JSON_TRUE;
        return 0;
    }
}

int json_parse(struct json_doc *doc, struct str text, const struct json_limits *limits,
               struct why *why) {
    struct builder b = {.doc = doc};
    *doc = (struct json_doc){0};
    json_reader_init(&b.r, text, limits);
    int err = 0;
    while (err == 0) {
        int token = json_next(&b.r, why);
        if (token <= 0) {
            err = token;
            break;
        }
        err = take(&b, token, why);
        if (err == E_NOMEM) why_set(why, err, "json: %s", err_text(err));
    }
    mem_free(b.sorted);
    if (err != 0) json_doc_free(doc);
    return err;
}

void json_doc_free(struct json_doc *doc) {
    arena_free(&doc->arena);
    doc->root = NULL;
}

const struct json *json_get(const struct json *object, const char *key) {
    if (object == NULL || object->type != JT_OBJECT) return NULL;
    struct str want = str_of(key);
    for (const struct json *v = object->first; v != NULL; v = v->next)
        if (str_eq(v->key, want)) return v;
    return NULL;
}

const struct json *json_at(const struct json *array, size_t index) {
    if (array == NULL || array->type != JT_ARRAY) return NULL;
    const struct json *v = array->first;
    while (v != NULL && index-- != 0)
        v = v->next;
    return v;
}

static int lookup(const struct json *object, const char *key, enum json_type type,
                  const struct json **out) {
    *out = json_get(object, key);
    if (*out == NULL || (*out)->type == JT_NULL) return E_NOTFOUND;
    return (*out)->type == type ? 0 : E_INVAL;
}

int json_get_str(const struct json *object, const char *key, struct str *out) {
    const struct json *v;
    int err = lookup(object, key, JT_STRING, &v);
    if (err != 0) return err;
    if (str_find(v->s, '\0') >= 0) return E_INVAL;
    *out = v->s;
    return 0;
}

int json_get_i64(const struct json *object, const char *key, int64_t *out) {
    const struct json *v;
    int err = lookup(object, key, JT_INT, &v);
    if (err == 0) *out = v->i;
    return err;
}

int json_get_bool(const struct json *object, const char *key, bool *out) {
    const struct json *v;
    int err = lookup(object, key, JT_BOOL, &v);
    if (err == 0) *out = v->i != 0;
    return err;
}
