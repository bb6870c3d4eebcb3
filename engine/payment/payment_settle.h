/* What a callback says of a payment, applied: its raw bytes, the movement, the transition, the
 * entries and the events are one commit. What fits no attempt is kept as an orphan. */
#ifndef LUWAK_PAYMENT_SETTLE_H
#define LUWAK_PAYMENT_SETTLE_H

#include "core/inbox.h"
#include "script/context.h"
#include "script/runtime.h"

/* What ctx.find read last; the settle that follows begins with it. */
struct found {
    struct payment payment;
    size_t attempt;
};
void found_free(struct found *found);

struct payment_told { /* texts are copied */
    const struct script_services *services;
    struct runtime *runtime;
    const struct version *channel; /* that heard it */
    struct str account, reference, body;
    /* success and reversed: money; failed, expired, cancelled: only states */
    struct str status;
    struct str money_id;
    int64_t amount, paid_at; /* paid_at 0: now */
    bool denial;    /* reversed: or a try that was never paid; that it never came is no news */
    int64_t orphan; /* the inbox's row that is told again, without its body; 0: none */
    struct str code, message, provider_code;
    struct found **found; /* taken when it is this reference's; NULL or *found NULL: none */
    /* Whoever called does not wait any more: a commit that has not begun is withdrawn (E_CANCELLED), he
     * was answered that it failed and comes again, and so he is at once where the disk is full. Lives until `done`; NULL: he waits. */
    const bool *withdrawn;
};

/* `done` hears it once, never inside; err: nothing was kept, it must come again. NULL why on 0.
 * `inbox`: the row that was added for the body; 0: none, it was there. */
typedef void (*payment_told_cb)(int err, const struct why *why, enum verdict verdict, int64_t inbox,
                                void *data);
int payment_tell(const struct payment_told *told, payment_told_cb done, void *data);

/* When the merchant may have money paid then: so many working days on, at the start of the day. */
struct script_set;
int64_t payment_settle_at(const struct script_services *services, const struct script_set *set,
                          int64_t paid_at);

#endif
