/* See webhook_format.h.
 *
 * An endpoint in another format hears of what came by the door of that name, and of nothing else: its
 * receiver is the shop that speaks this language, and knows no order of another. That is the script's
 * decision; it is told `door`, by which the payment came ("": our own API), `named`, that this goes to
 * a URL which the payment named itself, and `only_named`, that it goes to no other.
 * sender's loop -> a worker's -> the script -> sender's loop. The letter is the
 * sender's; what the call needs besides is on the heap until it ends, once. */
#include "webhook/webhook_format.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/schedule.h"
#include "core/merchant.h"
#include "core/payment.h"
#include "script/bind_json.h"
#include "script/bind_secret.h"
#include "script/dispatch_private.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "serve/worker.h"

#include <stdio.h>

enum { LATER_LEAST_MS = 50 };

struct writing {
    struct call_context context;
    struct webhook_letter *letter;
    struct version *version;
    struct buf key;
    char door[WEBHOOK_FORMAT_MAX + 1]; /* that the payment came by; empty: ours */
    bool only;                         /* it is told of where it named, and nowhere else */
    const char *entry[2];
};

static void back(struct task *task) {
    struct webhook_letter *l = CONTAINER_OF(task, struct webhook_letter, task);
    l->written(l);
}

static void answer(struct webhook_letter *l, int err, const char *error) {
    l->err = err;
    snprintf(l->error, sizeof l->error, "%s", error == NULL ? "" : error);
    l->task.run = back;
    loop_post(l->back, &l->task);
}

static void writing_free(struct writing *w) {
    if (w->key.data != NULL) mem_wipe(w->key.data, w->key.cap);
    buf_free(&w->key);
    if (w->version != NULL) version_drop(w->version);
    mem_free(w);
}

/* ---- the key ---- */

/* The payment that the event is about: its own, or a refund's. */
static int payment_of(const struct core *core, const struct webhook_letter *l, struct payment *p) {
    struct refund refund;
    struct str merchant = str_of(l->merchant), id = str_of(l->object);
    if (!str_starts(id, STR("re_"))) return payment_read(core, merchant, id, p);
    int err = refund_read(core, merchant, id, &refund);
    if (err != 0) return err;
    err = payment_read(core, merchant, str_of(refund.payment), p);
    refund_free(&refund);
    return err;
}

/* And by which door it came. */
static int open_key(const struct core *core, const struct webhook_letter *l, struct writing *w) {
    struct payment p;
    struct json_doc doc = {0};
    struct str key = {0}, door = {0};
    int err = payment_of(core, l, &p);
    bool known = err == 0;
    if (err == E_NOTFOUND) err = 0; /* an event of something else */
    if (known) {
        err = json_parse(&doc, p.doc, NULL, NULL);
        if (err == 0) (void)json_get_str(doc.root, "api_key", &key);
        if (err == 0) (void)json_get_str(doc.root, "door", &door);
        if (err == 0) (void)json_get_bool(doc.root, "only_named", &w->only);
        snprintf(w->door, sizeof w->door, "%.*s", STR_FMT(door));
    }
    if (err == 0) err = api_key_open(core, str_of(l->merchant), key, &w->key);
    json_doc_free(&doc);
    if (known) payment_free(&p);
    return err;
}

/* ---- the call ---- */

static int push(lua_State *L, void *data) {
    struct writing *w = data;
    if (json_decode_push(L, buf_str(&w->letter->event)) != 1) luaL_error(L, "an event is damaged");
    lua_pushstring(L, w->letter->merchant);
    lua_setfield(L, -2, "merchant");
    lua_pushboolean(L, w->letter->named);
    lua_setfield(L, -2, "named");
    lua_pushboolean(L, w->only);
    lua_setfield(L, -2, "only_named");
    lua_pushstring(L, w->door);
    lua_setfield(L, -2, "door");
    secret_push(L, buf_str(&w->key), "API_KEY");
    lua_setfield(L, -2, "key");
    return 1;
}

static int take(lua_State *L, int n, void *data) {
    struct writing *w = data;
    struct str body;
    struct why why = {0};
    if (n >= 2 && lua_isnil(L, -n) && lua_type(L, 1 - n) == LUA_TSTRING) {
        body.p = lua_tolstring(L, 1 - n, &body.n);
        if (duration_parse(body, &w->letter->later_ms, &why) != 0) luaL_error(L, "%s", why.text);
        if (w->letter->later_ms < LATER_LEAST_MS) w->letter->later_ms = LATER_LEAST_MS;
        return 0;
    }
    if (n == 0 || lua_isnil(L, -n)) return 0;
    if (lua_type(L, -n) != LUA_TSTRING) luaL_error(L, "webhook: a body, or nil, is expected");
    body.p = lua_tolstring(L, -n, &body.n);
    buf_addstr(&w->letter->body, body);
    return w->letter->body.err;
}

static void called(const struct call_result *result, void *data) {
    struct writing *w = data;
    struct webhook_letter *l = w->letter;
    bool good = result->outcome == CALL_RETURNED;
    dispatch_count(w->version, result);
    writing_free(w);
    answer(l, good ? 0 : E_STATE, good ? NULL : result->text == NULL ? "cut" : result->text);
}

static void begin(struct task *task) {
    struct webhook_letter *l = CONTAINER_OF(task, struct webhook_letter, task);
    struct worker *worker = l->worker;
    struct version *v = worker_script(worker, KIND_API, str_of(l->format));
    struct writing *w = mem_zalloc(sizeof *w);
    if (w == NULL) {
        answer(l, E_NOMEM, err_text(E_NOMEM));
        return;
    }
    w->letter = l;
    w->entry[0] = "webhook";
    int err = v != NULL && manifest_has(v->manifest, "webhook") ? 0 : E_NOTFOUND;
    const char *error = err == 0 ? NULL : "no script writes this format now";
    if (err == 0) err = open_key(worker->services.core, l, w);
    if (err == 0) {
        w->version = version_keep(v);
        call_context_init(&w->context, &worker->services, v, STR(""));
        struct call call = {
            .version = v, .entry = w->entry, .data = w, .push = push, .take = take, .done = called};
        err = script_call(worker->runtime, &call, NULL);
    }
    if (err == 0) return;
    writing_free(w);
    answer(l, err, error == NULL ? err_text(err) : error);
}

void webhook_format_write(struct webhook_letter *l, void *engine) {
    struct engine *e = engine;
    l->worker = e->workers[0]; /* these are few, and a worker's states are made once */
    l->task.run = begin;
    loop_post(l->worker->loop, &l->task);
}
