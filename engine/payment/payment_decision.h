/* What a channel decided about an attempt, as the payment core takes it. The decision is the JSON
 * that dispatch_operation tells ({"input","data","result"}); its `result` may hold, as far as the
 * channel knows it:
 *
 *     reference        the provider's own, where it is another than ours
 *     va_number (bank) | biller_code, bill_key | outlet, payment_code | qr_string, qr_image_url |
 *     redirect_url, deeplink_url | form = {url, fields} | account_number, account_holder,
 *     unique_code, amount_to_transfer | push = "what the payer sees"         how it is paid
 *     expires_at       milliseconds UTC, the provider's own
 *     money_id, amount, paid_at, settle_at                                    what was paid
 *     category, code, message, final                                          why it failed
 *     keys = { token = "..." }        what else it is found by: ctx.find{token = ...} */
#ifndef LUWAK_PAYMENT_DECISION_H
#define LUWAK_PAYMENT_DECISION_H

#include "core/payment.h"
#include "net/problem.h"
#include "script/manifest.h"

enum { DECISION_KEYS_MAX = 12 };
#define DECISION_AMOUNT_MAX INT64_C(1000000000000000) /* as the books have it, of one transfer */

struct payment_decision {
    struct payment_result result;
    struct payment_key keys[DECISION_KEYS_MAX];
    struct json_doc doc; /* what the texts point into */
    struct buf instructions, text;
    enum problem_code code; /* of a failure: its category */
    bool final;             /* of a failure: nothing more will come of it */
};

/* E_SCRIPT with why: it is no decision that can be kept. Then, and after 0, to be freed. `doc` is
 * copied. `m`: of the channel; `reference`: ours. */
int payment_decision_read(struct payment_decision *d, enum operation_state to, struct str doc,
                          const struct manifest *m, struct str reference, struct why *why);
void payment_decision_free(struct payment_decision *d);
/* Of an operation on its own, whose decision is kept as it is: E_SCRIPT where its amount is none. */
int payment_decision_amount(enum operation_state to, struct str doc, struct why *why);

/* Of a call's end, valid or not: what was sent without a decision is unknown, what was not, failed. */
struct operation_decision;
struct version;
void payment_decision_take(struct payment_decision *out, const struct operation_decision *d,
                           const struct version *channel, struct str reference);
/* Proven to have made nothing: the same request may go again. */
bool payment_decision_nothing(const struct payment_decision *read,
                              const struct operation_decision *d);

#endif
