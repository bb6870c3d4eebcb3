/* See payment_price.h. */
#include "payment/payment_price.h"

#include "base/ensure.h"
#include "base/timefmt.h"
#include "core/merchant.h"
#include "sys/log.h"

#include <stdio.h>

_Static_assert((int)FEE_LINES_MAX >= (int)RULE_LINES_MAX, "a rule's lines are kept");

struct fee fee_of_rule(const struct rule_fee *rule, const char *version) {
    struct fee fee = {.bearer = rule->bearer == BEARER_CUSTOMER ? STR("customer") : STR("merchant"),
                      .version = str_of(version),
                      .count = rule->count};
    for (size_t i = 0; i < rule->count; i++)
        fee.lines[i] = (struct fee_line){str_of(rule->lines[i].name), rule->lines[i].amount};
    return fee;
}

bool payment_price_frozen(const struct payment *p) {
    return str_search(p->fee, STR("\"bearer\":\"customer\"")) >= 0;
}

static void priced(const struct rule_answer *answer, void *data) {
    struct payment_price *price = data;
    price->unpriced = answer->err != 0;
    price->known = answer->err == 0 && answer->path != NULL;
    price->rule = answer->fee;
    if (answer->version != NULL)
        snprintf(price->version, sizeof price->version, "%s", answer->version);
    if (price->unpriced)
        log_error("payment_unpriced", L_TEXT("payment", price->payment),
                  L_TEXT("error", answer->text));
    price->done(price->data);
}

/* The attempt may be older than the one that the payment goes by. */
static int write_facts(const struct core *core, const struct payment_price_of *what,
                       int64_t paid_at, struct buf *out) {
    const struct payment *p = what->payment;
    const struct attempt *a = what->attempt;
    bool known = a->method.n != 0;
    struct str bank = known ? a->bank : p->bank;
    struct json_out w;
    struct buf day = {0};
    int err = time_format(paid_at, STR("date"), ZONE_WIB, &day);
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_int(&w, "amount", what->amount);
    json_put_str(&w, "currency", p->currency);
    json_put_str(&w, "merchant", p->merchant);
    json_put_str(&w, "order_id", p->order_id);
    json_put_str(&w, "paid_on", buf_str(&day));
    json_put_str(&w, "method", known ? a->method : p->method);
    json_put_str(&w, "channel", attempt_channel(a));
    if (bank.n != 0) json_put_str(&w, "bank", bank);
    json_put_text(&w, "provider", what->provider);
    if (err == 0) err = merchant_put_category(core, p->merchant, &w);
    json_end_object(&w);
    if (err == 0) err = json_out_end(&w);
    buf_free(&day);
    return err;
}

int payment_price(struct payment_price *price, const struct core *core,
                  const struct payment_price_of *what, payment_price_done done, void *data) {
    struct buf facts = {0};
    *price = (struct payment_price){.done = done, .data = data};
    memcpy(price->payment, what->payment->id, sizeof price->payment);
    int err = write_facts(core, what, what->paid_at == 0 ? core_now(core) : what->paid_at, &facts);
    if (err == 0)
        err = rules_ask(&(struct rule_question){.rule = RULE_FEE,
                                                .runtime = what->runtime,
                                                .set = what->set,
                                                .facts = buf_str(&facts)},
                        priced, price);
    buf_free(&facts);
    return err;
}

const struct fee *payment_price_fee(const struct payment_price *price, struct fee *out) {
    static const struct rule_fee UNPRICED = {.count = 1, .lines = {{"unpriced", 0}}};
    if (!price->known && !price->unpriced) return NULL;
    *out = price->unpriced ? fee_of_rule(&UNPRICED, "") : fee_of_rule(&price->rule, price->version);
    return out;
}
