/* core.checkout: what a page for the payer needs, and nothing of the merchant's or the customer's
 * beyond it. Whoever has the token of the link may look and choose: it is 80 random bits. */
#include "core/payment.h"
#include "script/bind.h"
#include "script/bind_json.h"
#include "script/buf_lua.h"
#include "script/context.h"
#include "script/lua_util.h"
#include "script/manifest.h"
#include "script/runtime.h"
#include "script/script_set.h"

#include <stdio.h>

static const struct core *core_of(lua_State *L) {
    return context_of(L)->services->core;
}

static struct str merchant_name(const struct core *core, struct str id, struct rows **rows) {
    int err = store_get(core->store, "merchant_get", VALS(V_STR(id)), rows);
    return err == 0 && rows_count(*rows) != 0 ? rows_text(*rows, 0, 1) : STR("");
}

static void write_doc_parts(struct json_out *w, const struct payment *p) {
    struct json_doc doc = {0};
    if (json_parse(&doc, p->doc, NULL, NULL) != 0) return;
    const struct json *urls = json_get(doc.root, "return_urls");
    if (urls != NULL) {
        json_key(w, "return_urls");
        json_value(w, urls);
    }
    struct str door; /* by which it came: what a shop of its own language means by a word */
    if (json_get_str(doc.root, "door", &door) == 0) json_put_str(w, "door", door);
    json_doc_free(&doc);
}

/* The provider's own end of the way that counts; 0: it said none. */
static int64_t way_expires(const struct payment *p) {
    const struct attempt *a = payment_attempt((struct payment *)p, p->attempt);
    struct json_doc doc = {0};
    int64_t at = 0;
    if (a == NULL || json_parse(&doc, a->doc, NULL, NULL) != 0) return 0;
    (void)json_get_i64(json_get(doc.root, "result"), "expires_at", &at);
    json_doc_free(&doc);
    return at;
}

/* What carries it now: whose, and what it is called. */
static void write_channel(struct json_out *w, const struct script_services *s,
                          const struct payment *p) {
    const struct script_set *set = s->scripts(s->worker);
    const struct script_entry *e =
        set == NULL || p->channel.n == 0 ? NULL : script_set_find(set, KIND_CHANNEL, p->channel);
    if (e == NULL || e->version->manifest == NULL) return;
    json_put_text(w, "title", e->version->manifest->title);
    json_put_text(w, "provider", e->version->manifest->provider);
}

static int write(const struct script_services *s, const struct payment *p, struct buf *out) {
    const struct core *core = s->core;
    struct json_out w;
    struct rows *rows = NULL;
    struct buf payment = {0};
    payment_json(core, p, &payment);
    json_out_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "payment");
    json_raw(&w, buf_str(&payment));
    json_put_str(&w, "merchant", p->merchant);
    json_put_str(&w, "name", merchant_name(core, p->merchant, &rows));
    json_put_int(&w, "generation", p->generation);
    json_put_int(&w, "expires_ms", p->expires_at);
    json_put_bool(&w, "held", payment_held(p));
    json_put_str(&w, "attempt", p->attempt);
    json_put_int(&w, "way_expires_ms", way_expires(p));
    json_put_bool(&w, "simulated", s->simulated);
    write_channel(&w, s, p);
    write_doc_parts(&w, p);
    json_end_object(&w);
    int err = payment.err != 0 ? payment.err : json_out_end(&w);
    rows_free(rows);
    buf_free(&payment);
    return err;
}

static int l_get(lua_State *L) {
    struct str token = check_str(L, 1);
    char id[ID_SIZE];
    struct payment p;
    struct buf *json = buf_push(L);
    if (token.n + 5 > sizeof id) return lua_pushnil(L), 1;
    snprintf(id, sizeof id, "pay_%.*s", STR_FMT(token));
    int err = payment_read(core_of(L), STR(""), str_of(id), &p);
    if (err == E_NOTFOUND) return lua_pushnil(L), 1;
    if (err != 0) return bind_fail(L, err, "%s", err_text(err));
    err = write(context_of(L)->services, &p, json);
    payment_free(&p);
    if (err != 0) return luaL_error(L, "%s", err_text(err));
    return json_decode_push(L, buf_str(json));
}

static int l_watch(lua_State *L) {
    (void)check_str(L, 1);
    lua_settop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "payment");
    script_set_tag(L, "watch");
    return 1;
}

#define WEB (KIND_PAGE | KIND_API | KIND_TEST)
static const struct bind_fn FNS[] = {
    {"get", l_get, WEB, "token: string -> table?, string?, string?",
     "the payment of a checkout link, without its customer: payment, merchant, name, return_urls, "
     "door, generation, expires_ms, way_expires_ms, held, attempt, simulated, title, provider; or "
     "nil"},
    {"watch", l_watch, WEB, "payment: string -> watch",
     "for a route to return: a stream of server-sent events, one after each change of the payment"},
    {0},
};
const struct bind_module bind_checkout = {"core.checkout", "what the payer sees", FNS, NULL};
