/* See payment_cancel.h. A cancel's own reference is that of its attempt, whole, and 8 characters more:
 * by that the store's index operation_cancel knows whose it is. */
#include "payment/payment_cancel.h"

#include "core/jobs.h"
#include "payment/payment_channels.h"
#include "payment/payment_inquire.h"
#include "script/manifest.h"
#include "script/operation_text.h"

#include <stdio.h>

struct version *payment_cancel_channel(const struct script_set *set,
                                       const struct attempt *attempt) {
    const struct script_entry *e =
        attempt == NULL ? NULL : script_set_find(set, KIND_CHANNEL, attempt_channel(attempt));
    bool can =
        e != NULL && !channel_is_local(e->version) && manifest_has(e->version->manifest, "cancel");
    return can ? e->version : NULL;
}

static bool is_of(const struct operation_row *row, const struct attempt *attempt) {
    struct json_doc doc = {0};
    struct str of = {0};
    if (!str_eq(row->kind, STR("cancel")) || !operation_open(row->state) ||
        !str_eq(row->account, attempt->account) || json_parse(&doc, row->doc, NULL, NULL) != 0)
        return false;
    (void)json_get_str(json_get(doc.root, "input"), "reference", &of);
    bool is = str_eq(of, attempt->reference);
    json_doc_free(&doc);
    return is;
}

/* E_EXISTS: it is under way. */
static int find(const struct core *core, const struct payment *payment,
                const struct attempt *attempt, char id[ID_SIZE]) {
    struct rows *rows = NULL;
    struct operation_row row;
    int err = store_get(core->store, "operations_of_payment", VALS(V_TEXT(payment->id)), &rows);
    for (size_t i = 0; err == 0 && i < rows_count(rows); i++) {
        if (operation_row_read(rows, i, &row) != 0 || !is_of(&row, attempt)) continue;
        snprintf(id, ID_SIZE, "%.*s", STR_FMT(row.id));
        err = E_EXISTS;
    }
    rows_free(rows);
    return err;
}

int payment_cancel_add(const struct core *core, struct commit *commit, struct payment *payment,
                       const struct attempt *attempt, const struct version *channel,
                       char id[ID_SIZE]) {
    char token[TOKEN_SIZE];
    struct buf input = {0}, reference = {0};
    struct json_out w;
    int err = find(core, payment, attempt, id);
    if (err != 0) return err;
    token_make(token, core->rng);
    buf_addf(&reference, "%.*s-c%.6s", STR_FMT(attempt->reference), token);
    json_out_init(&w, &input);
    json_begin_object(&w);
    json_put_str(&w, "reference", attempt->reference);
    json_end_object(&w);
    err = json_out_end(&w);
    if (err == 0) err = reference.err;
    struct payment_operation o = {.kind = STR("cancel"),
                                  .script = str_of(channel->path),
                                  .version = str_of(channel->id),
                                  .account = attempt->account,
                                  .reference = buf_str(&reference),
                                  .input = buf_str(&input),
                                  .ask_at = core_now(core) + ASK_AFTER_MS,
                                  .ask_backoff = ASK_BACKOFF};
    if (err == 0) err = payment_add_operation(core, commit, payment, &o);
    if (err == 0) memcpy(id, o.id, ID_SIZE);
    buf_free(&input);
    buf_free(&reference);
    return err;
}

void payment_cancel_drop(const struct script_services *services, struct withdrawal *withdrawal) {
    operation_release(services->gate, &withdrawal->begun);
    withdrawal->id[0] = '\0';
}

int payment_cancel_withdraw(const struct script_services *services, const struct script_set *set,
                            const struct core *core, struct commit *commit, struct payment *payment,
                            const struct attempt *attempt, struct withdrawal *withdrawal) {
    const struct version *channel = payment_cancel_channel(set, attempt);
    payment_cancel_drop(services, withdrawal);
    if (channel == NULL) return 0;
    int err = payment_cancel_add(core, commit, payment, attempt, channel, withdrawal->id);
    if (err == 0)
        operation_hold(services->gate, &withdrawal->begun, withdrawal->id);
    else
        withdrawal->id[0] = '\0';
    return err == E_EXISTS ? 0 : err;
}

static void sent(int err, bool open, void *data) {
    (void)err, (void)open, (void)data;
}

void payment_cancel_send(const struct script_services *services, struct runtime *runtime,
                         const struct script_set *set, struct withdrawal *withdrawal) {
    struct rows *rows = NULL;
    struct operation_row row;
    if (withdrawal->id[0] == '\0') return;
    jobs_poke(services->jobs);
    int err = store_get(services->store, "operation_get", VALS(V_TEXT(withdrawal->id)), &rows);
    if (err == 0 && rows_count(rows) != 0 && operation_row_read(rows, 0, &row) == 0) {
        const struct attempt attempt = {.script = row.script};
        struct version *channel = payment_cancel_channel(set, &attempt);
        if (channel != NULL)
            (void)payment_inquire(&(struct payment_inquiry){.services = services,
                                                            .runtime = runtime,
                                                            .version = channel,
                                                            .function = "cancel",
                                                            .operation = &row},
                                  sent, NULL);
    }
    rows_free(rows);
    payment_cancel_drop(services, withdrawal);
}
