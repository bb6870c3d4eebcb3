/* See payment_breaker.h. */
#include "payment/payment_breaker.h"

#include "payment/payment_channels.h"
#include "sys/log.h"

bool payment_pass_take(struct payment_pass *pass, const struct script_services *services,
                       const struct version *channel) {
    *pass = (struct payment_pass){0};
    if (services->breaker == NULL || channel_is_local(channel)) return true;
    struct str name = str_of(channel->name);
    if (breaker_allow(services->breaker, name, &pass->pass, NULL) != 0) return false;
    pass->breaker = services->breaker;
    pass->channel = name;
    return true;
}

/* Did the provider do its work? A payer without money, a wrong field: it did. No answer, none that
 * can be used, "not now", our own key refused: another channel would do better. */
static bool is_good(const struct operation_decision *d, const struct payment_decision *read) {
    if (!d->decided || d->not_created || read->result.to == OPERATION_UNKNOWN) return false;
    if (read->result.to != OPERATION_FAILED) return true;
    return read->code != PROBLEM_BANK_UNAVAILABLE && read->code != PROBLEM_PROVIDER_ERROR &&
           read->code != PROBLEM_TIMEOUT && read->code != PROBLEM_UNAUTHORIZED_AT_PROVIDER;
}

/* With what the call that moved it came to, in the provider's words or the script's. */
static void log_moved(struct str channel, enum breaker_state now,
                      const struct operation_decision *d, const struct payment_decision *read) {
    struct buf said = {0};
    struct payment_result r = read->result;
    if (d->decided) r.doc = d->doc;
    if (!d->decided)
        buf_addf(&said, "raised: %s", d->error == NULL ? "no decision" : d->error);
    else
        buf_addf(&said, "%s",
                 d->not_created ? "not_created" : OPERATION_STATES[read->result.to].name);
    if (d->decided) payment_said(&r, &said);
    struct str last = said.err == 0 ? buf_str(&said) : STR(""), trace;
    (void)str_cut(last, '\n', &last, &trace);
    log_warn("channel_breaker", L_STR("channel", channel), L_TEXT("state", breaker_state_name(now)),
             L_STR("last_call", last));
    buf_free(&said);
}

void payment_pass_report(struct payment_pass *pass, const struct operation_decision *d,
                         const struct payment_decision *read) {
    if (!d->decided && !d->called) payment_pass_return(pass); /* says nothing of the provider */
    if (pass->breaker == NULL) return;
    enum breaker_state before = breaker_state(pass->breaker, pass->channel);
    breaker_report(pass->breaker, pass->channel, pass->pass, is_good(d, read));
    enum breaker_state now = breaker_state(pass->breaker, pass->channel);
    if (now != before) log_moved(pass->channel, now, d, read);
    pass->breaker = NULL;
}

void payment_pass_return(struct payment_pass *pass) {
    if (pass->breaker != NULL) breaker_cancel(pass->breaker, pass->channel, pass->pass);
    pass->breaker = NULL;
}
