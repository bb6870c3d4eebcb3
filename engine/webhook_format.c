/* See webhook_format.h. sender's loop -> a worker's -> the script -> sender's loop. The letter is the
 * sender's; what the call needs besides is on the heap until it ends, once. */
#include "webhook_format.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/merchant.h"
#include "core/payment.h"
#include "script/bind_json.h"
#include "script/bind_secret.h"
#include "script/dispatch_private.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "worker.h"

#include <stdio.h>

struct writing {
    struct call_context context;
    struct webhook_letter *letter;
    struct version *version;
    struct buf key;
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

static int open_key(const struct core *core, const struct webhook_letter *l, struct buf *out) {
    struct payment p;
    struct json_doc doc = {0};
    struct str key = {0};
    int err = payment_of(core, l, &p);
    bool known = err == 0;
    if (err == E_NOTFOUND) err = 0; /* an event of something else */
    if (known) {
        err = json_parse(&doc, p.doc, NULL, NULL);
        if (err == 0) (void)json_get_str(doc.root, "api_key", &key);
    }
    if (err == 0) err = api_key_open(core, str_of(l->merchant), key, out);
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
    lua_pushstring(L, w->letter->endpoint);
    lua_setfield(L, -2, "endpoint");
    push_str(L, buf_str(&w->letter->url));
    lua_setfield(L, -2, "url");
    secret_push(L, buf_str(&w->key), "API_KEY");
    lua_setfield(L, -2, "key");
    return 1;
}

static int take(lua_State *L, int n, void *data) {
    struct writing *w = data;
    struct str body;
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
    if (err == 0) err = open_key(worker->services.core, l, &w->key);
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
