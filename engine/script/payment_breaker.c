/* See payment_breaker.h. */
#include "script/payment_breaker.h"

#include "script/payment_channels.h"
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

void payment_pass_report(struct payment_pass *pass, const struct operation_decision *d,
                         const struct payment_decision *read) {
    if (pass->breaker == NULL) return;
    enum breaker_state before = breaker_state(pass->breaker, pass->channel);
    breaker_report(pass->breaker, pass->channel, pass->pass, is_good(d, read));
    enum breaker_state now = breaker_state(pass->breaker, pass->channel);
    if (now != before)
        log_warn("channel_breaker", L_STR("channel", pass->channel),
                 L_TEXT("state", breaker_state_name(now)));
    pass->breaker = NULL;
}

void payment_pass_return(struct payment_pass *pass) {
    if (pass->breaker != NULL) breaker_cancel(pass->breaker, pass->channel, pass->pass);
    pass->breaker = NULL;
}
