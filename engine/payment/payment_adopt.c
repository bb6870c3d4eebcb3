/* See payment_adopt.h. Each orphan is told by itself, as its callback would be that came again; the
 * commit that books it takes the row out of the orphans. */
#include "payment/payment_adopt.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "payment/payment_settle.h"
#include "script/script_set.h"
#include "sys/log.h"

enum { ADOPT_MAX = 30 };

struct adopting {
    int64_t last; /* the row that was read last */
    struct loop *loop;
    struct script_set *set; /* keeps the versions */
    size_t waiting;
    int err;
    struct task task;
    payment_adopted done;
    void *data;
};

static void end(struct task *task) {
    struct adopting *a = CONTAINER_OF(task, struct adopting, task);
    if (a->done != NULL) a->done(a->err, a->last, a->data);
    script_set_drop(a->set);
    mem_free(a);
}

static void told(int err, const struct why *why, enum verdict verdict, int64_t inbox, void *data) {
    struct adopting *a = data;
    (void)verdict, (void)inbox;
    if (err != 0) {
        log_error("orphan_not_adopted", L_TEXT("error", why->text));
        if (a->err == 0) a->err = err;
    }
    if (--a->waiting == 0) end(&a->task);
}

/* The channel of the attempt whose reference it is. */
static const struct version *channel_of(const struct core *core, const struct script_set *set,
                                        const struct inbox_row *row) {
    struct payment p;
    size_t at;
    int err = payment_find(core, row->account, row->reference, &p, &at);
    if (err == E_NOTFOUND)
        err = payment_find_key(core, row->account, STR("reference"), row->reference, &p, &at);
    if (err != 0) return NULL;
    const struct script_entry *e =
        script_set_find(set, KIND_CHANNEL, attempt_channel(&p.attempts[at]));
    payment_free(&p);
    return e == NULL ? NULL : e->version;
}

static int tell_again(struct adopting *a, const struct script_services *services,
                      struct runtime *runtime, const struct inbox_row *row) {
    struct payment_told what = {.services = services,
                                .runtime = runtime,
                                .channel = channel_of(services->core, a->set, row),
                                .account = row->account,
                                .reference = row->reference,
                                .status = STR("success"),
                                .money_id = row->money_id,
                                .amount = row->amount,
                                .paid_at = row->paid_at,
                                .orphan = row->id};
    if (row->state != INBOX_ORPHAN || row->amount == 0 || what.channel == NULL) return 0;
    int err = payment_tell(&what, told, a);
    if (err == 0) a->waiting++;
    return err;
}

/* Takes `list` over. */
static int adopt(const struct script_services *services, struct runtime *runtime,
                 struct inbox_list *list, payment_adopted done, void *data) {
    struct adopting *a = mem_zalloc(sizeof *a);
    if (a != NULL) {
        a->loop = runtime_loop(runtime);
        a->set = script_set_keep(services->scripts(services->worker));
        a->done = done;
        a->data = data;
    }
    for (size_t i = 0; a != NULL && a->err == 0 && i < list->count; i++) {
        struct inbox_row row;
        a->err = inbox_row(list, i, &row);
        if (a->err == 0) a->last = row.id;
        if (a->err == 0) a->err = tell_again(a, services, runtime, &row);
    }
    inbox_list_free(list);
    if (a == NULL) return E_NOMEM;
    a->task.run = end;
    if (a->waiting == 0) loop_post(a->loop, &a->task);
    return 0;
}

int payment_adopt_orphans(const struct script_services *services, struct runtime *runtime,
                          int64_t after, payment_adopted done, void *data) {
    struct inbox_list list;
    int err = inbox_orphans_known(services->core, after, ADOPT_MAX, &list);
    return err != 0 ? err : adopt(services, runtime, &list, done, data);
}

void payment_adopt_result(const struct script_services *services, struct runtime *runtime,
                          struct str account, const struct payment_result *result) {
    for (size_t i = 0; i < result->key_count; i++) {
        struct inbox_list list;
        if (!str_eq(result->keys[i].kind, STR("reference")) ||
            inbox_orphans(services->core, account, result->keys[i].value, &list) != 0)
            continue;
        if (list.count == 0)
            inbox_list_free(&list);
        else
            (void)adopt(services, runtime, &list, NULL, NULL);
    }
}
