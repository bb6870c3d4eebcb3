/* See virtual_account_open.h. read -> known by its key? -> channel -> its number -> commit. */
#include "payment/virtual_account_open.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "core/audit.h"
#include "core/idempotency.h"
#include "core/merchant.h"
#include "core/person.h"
#include "core/virtual_account.h"
#include "payment/payment_channels.h"
#include "payment/payment_decision.h"
#include "script/dispatch.h"
#include "script/manifest.h"
#include "sys/log.h"

#include <stdio.h>

enum { NUMBER_TRIES = 4 }; /* a number that stands already: another one */

struct opening {
    struct payment_ask ask; /* texts behind the struct */
    struct str actor;
    const struct core *core;
    struct loop *loop;
    struct script_set *set;
    struct version *version; /* of the set */
    struct payment_request request;
    bool read;
    int tries;
    char account[ACCOUNT_NAME_SIZE], reference[ID_SIZE], person[ID_SIZE];
    struct buf doc, input, given;
    struct payment_decision decision;
    struct payment_reply reply;
    struct task task;
    payment_replied done;
    void *data;
    char texts[];
};

/* ---- the ends ---- */

static void end_now(struct task *task) {
    struct opening *o = CONTAINER_OF(task, struct opening, task);
    struct buf filled = {0};
    if (!o->reply.problem && o->reply.body.err == 0) {
        int err = customer_fill(o->core, buf_str(&o->reply.body), &filled);
        buf_free(&o->reply.body);
        o->reply.body = filled;
        if (err != 0) o->reply.body.err = err;
    }
    if (o->reply.body.err != 0)
        payment_reply_store(&o->reply, o->reply.body.err, o->ask.request_id);
    o->done(&o->reply, o->data);
    if (o->read) payment_request_free(&o->request);
    payment_decision_free(&o->decision);
    payment_reply_free(&o->reply);
    script_set_drop(o->set);
    buf_free(&o->doc);
    buf_free(&o->input);
    buf_free(&o->given);
    mem_free(o);
}

static void end(struct opening *o) {
    o->task.run = end_now;
    loop_post(o->loop, &o->task);
}

static void end_fault(struct opening *o, const struct refusal *fault) {
    payment_reply_fault(&o->reply, fault, o->ask.request_id);
    end(o);
}

static void end_error(struct opening *o, int err) {
    payment_reply_store(&o->reply, err, o->ask.request_id);
    end(o);
}

static void end_none(struct opening *o) {
    end_fault(o, &(struct refusal){.code = PROBLEM_UNIQUE_CODES_EXHAUSTED,
                                   .text = "no number is free; try later"});
}

/* ---- which channel ---- */

static bool fits(const struct opening *o, const struct version *v) {
    const struct payment_request *r = &o->request;
    const struct manifest *m = v->manifest;
    return manifest_has(m, "open_account") && channel_is_local(v) &&
           (r->channel.n == 0 || str_eq(r->channel, str_of(v->name))) &&
           (r->bank.n == 0 || (m->bank != NULL && str_eq(r->bank, str_of(m->bank))));
}

static int find_channel(struct opening *o, struct refusal *fault) {
    bool any = false;
    for (size_t i = 0; o->set != NULL && i < o->set->count; i++) {
        const struct script_entry *e = &o->set->entries[i];
        if (e->deleted || e->version->kind != KIND_CHANNEL || e->version->manifest == NULL ||
            !fits(o, e->version))
            continue;
        any = true;
        if (!channel_configured(o->ask.services, e->version, o->ask.merchant)) continue;
        o->version = e->version;
        return 0;
    }
    if (!any && (o->request.channel.n != 0 || o->request.bank.n != 0))
        return refusal_set(fault, PROBLEM_INVALID_REQUEST,
                           o->request.channel.n != 0 ? "channel" : "bank",
                           "no channel here gives out numbers that stay");
    return refusal_set(fault, PROBLEM_UNAVAILABLE, NULL, "no channel is available for this now");
}

/* ---- what is kept ---- */

static int write_value(struct buf *out, const struct json *value) {
    struct json_out w;
    json_out_init(&w, out);
    json_value(&w, value);
    return json_out_end(&w);
}

/* What each of its payments bears. */
static int write_doc(struct opening *o) {
    struct json_out w;
    buf_clear(&o->doc);
    json_out_init(&w, &o->doc);
    json_begin_object(&w);
    if (o->request.description.n != 0) json_put_str(&w, "description", o->request.description);
    if (o->request.metadata != NULL) {
        json_key(&w, "metadata");
        json_value(&w, o->request.metadata);
    }
    json_end_object(&w);
    return json_out_end(&w);
}

static void get_number(struct opening *o);

static void stored(const struct commit_result *result, void *data) {
    struct opening *o = data;
    if (result->err == 0) {
        end(o);
        return;
    }
    struct payment_key_of key = {o->ask.merchant, o->ask.path, o->ask.key, o->ask.raw,
                                 o->ask.request_id};
    payment_reply_free(&o->reply);
    if (result->err == E_EXISTS && o->ask.key.n != 0 &&
        payment_reply_known(&o->reply, o->core, NULL, &key) == 0)
        end(o); /* the same request was faster */
    else if (result->err == E_EXISTS && ++o->tries < NUMBER_TRIES)
        get_number(o);
    else
        end_error(o, result->err);
}

static int build(struct opening *o, struct commit *c, struct virtual_account *v) {
    struct buf customer = {0};
    struct why why = {0};
    int err = write_doc(o);
    if (err == 0 && o->request.customer != NULL && o->request.customer->count != 0) {
        err = write_value(&customer, o->request.customer);
        if (err == 0)
            err = person_add(o->core, c, o->ask.merchant, buf_str(&customer), STR(""), o->person,
                             &why);
    }
    buf_free(&customer);
    if (err != 0) return err;
    v->person = str_of(o->person);
    v->doc = buf_str(&o->doc);
    virtual_account_add(o->core, c, v);
    payment_reply_free(&o->reply);
    o->reply.status = 201;
    virtual_account_json(v, &o->reply.body);
    if (o->reply.body.err != 0 || o->ask.key.n == 0) return o->reply.body.err;
    return idempotency_take(o->core, c,
                            &(struct idempotency){.merchant = o->ask.merchant,
                                                  .path = o->ask.path,
                                                  .key = o->ask.key,
                                                  .body = o->ask.raw,
                                                  .object = str_of(v->id),
                                                  .status = 201,
                                                  .answer = buf_str(&o->reply.body)});
}

static void store_account(struct opening *o, struct str number) {
    struct commit *c = NULL;
    const struct manifest *m = o->version->manifest;
    struct virtual_account v = {.merchant = o->ask.merchant,
                                .account = str_of(o->account),
                                .number = number,
                                .bank = str_of(m->bank),
                                .script = str_of(o->version->path),
                                .version = str_of(o->version->id)};
    int err = commit_new(&c);
    if (err == 0) err = build(o, c, &v);
    if (err != 0) {
        if (c != NULL) commit_free(c);
        end_error(o, err);
        return;
    }
    const struct audit_line line = {.actor = o->actor,
                                    .action = STR("virtual_account.open"),
                                    .object = str_of(v.id),
                                    .detail = STR("{}")};
    err = audit_submit(o->core, c, &line, LANE_NEW, o->loop, stored, o);
    if (err != 0) end_error(o, err);
}

/* ---- the number ---- */

static void decided(const struct operation_decision *d, void *data) {
    struct opening *o = data;
    struct why why = {0};
    struct str number = {0};
    payment_decision_free(&o->decision);
    if (d->unavailable && d->to == OPERATION_FAILED) { /* not because there is no number */
        end_error(o, E_FULL);
        return;
    }
    int err = !d->decided ? E_SCRIPT
                          : payment_decision_read(&o->decision, d->to, d->doc, o->version->manifest,
                                                  str_of(o->reference), &why);
    const struct json *result = err == 0 ? json_get(o->decision.doc.root, "result") : NULL;
    if (err == 0 && d->to == OPERATION_FAILED) {
        end_none(o);
    } else if (err == 0 && d->to == OPERATION_PENDING &&
               json_get_str(result, "va_number", &number) == 0 && number.n != 0) {
        store_account(o, number);
    } else {
        log_error("virtual_account_not_opened", L_TEXT("script", o->version->path),
                  L_TEXT("error", why.code != 0 ? why.text : "it decided for no number"));
        payment_reply_problem(&o->reply, PROBLEM_INTERNAL_ERROR,
                              "the request failed here; its id is in our log", o->ask.request_id);
        end(o);
    }
}

static int write_given(struct opening *o) {
    struct buf customer = {0};
    int err = o->request.customer == NULL ? 0 : write_value(&customer, o->request.customer);
    buf_clear(&o->given);
    buf_adds(&o->given, "{\"input\":{");
    if (customer.len != 0) {
        buf_adds(&o->given, "\"customer\":");
        buf_addstr(&o->given, buf_str(&customer));
    }
    buf_adds(&o->given, "}}");
    buf_free(&customer);
    return err != 0 ? err : o->given.err;
}

static void get_number(struct opening *o) {
    id_make(o->reference, "vn_", o->core->clock, o->core->rng);
    int err = write_given(o);
    if (err == 0)
        err = dispatch_operation(
            &(struct operation_call){.runtime = o->ask.runtime,
                                     .services = o->ask.services,
                                     .version = o->version,
                                     .function = "open_account",
                                     .operation =
                                         &(struct operation_row){.id = str_of(o->reference),
                                                                 .kind = STR("open_account"),
                                                                 .script = str_of(o->version->path),
                                                                 .version = str_of(o->version->id),
                                                                 .account = str_of(o->account),
                                                                 .reference = str_of(o->reference),
                                                                 .doc = STR("{}"),
                                                                 .given = buf_str(&o->given),
                                                                 .state = OPERATION_SENDING,
                                                                 .generation = 1},
                                     .decided = decided},
            NULL, o);
    if (err != 0) end_error(o, err);
}

static void begin(struct task *task) {
    struct opening *o = CONTAINER_OF(task, struct opening, task);
    struct refusal fault = {0};
    struct payment_key_of key = {o->ask.merchant, o->ask.path, o->ask.key, o->ask.raw,
                                 o->ask.request_id};
    int err = 0;
    if (o->ask.key.n != 0 && !idempotency_key_is(o->ask.key))
        err = refusal_set(&fault, PROBLEM_INVALID_REQUEST, "Idempotency-Key",
                          "an Idempotency-Key is 1 to %d characters of printable ASCII",
                          IDEMPOTENCY_KEY_MAX);
    if (err == 0) err = payment_request_read_account(&o->request, o->ask.body, &fault);
    o->read = err == 0;
    if (err == 0 && o->ask.key.n != 0) {
        err = payment_reply_known(&o->reply, o->core, NULL, &key);
        if (err == 0) {
            end(o);
            return;
        }
        if (err == E_NOTFOUND) err = 0;
    }
    if (err == 0) err = find_channel(o, &fault);
    if (err == 0)
        err = account_choose(o->core, str_of(o->version->manifest->provider), o->ask.merchant,
                             str_of(o->ask.services->environment), o->account);
    if (err == 0)
        get_number(o);
    else if (fault.code != PROBLEM_NONE)
        end_fault(o, &fault);
    else
        end_error(o, err);
}

int virtual_account_open(const struct payment_ask *ask, struct str actor, payment_replied done,
                         void *data) {
    struct opening *o = mem_zalloc(sizeof *o + ask->merchant.n + ask->body.n + ask->key.n +
                                   ask->path.n + ask->request_id.n + actor.n + 6);
    if (o == NULL) return E_NOMEM;
    char *at = o->texts;
    o->ask = *ask;
    o->ask.merchant = str_copy(&at, ask->merchant);
    o->ask.body = o->ask.raw = str_copy(&at, ask->body);
    o->ask.key = str_copy(&at, ask->key);
    o->ask.path = str_copy(&at, ask->path);
    o->ask.request_id = str_copy(&at, ask->request_id);
    o->actor = str_copy(&at, actor);
    o->core = ask->services->core;
    o->loop = runtime_loop(ask->runtime);
    o->set = script_set_keep(ask->services->scripts(ask->services->worker));
    o->done = done;
    o->data = data;
    o->task.run = begin;
    loop_post(o->loop, &o->task);
    return 0;
}
