/* Which channels a create request may go to, what they take of it, and what they are given. */
#ifndef LUWAK_PAYMENT_CHANNELS_H
#define LUWAK_PAYMENT_CHANNELS_H

#include "core/payment.h"
#include "payment/payment_request.h"
#include "script/context.h"
#include "script/rules.h"
#include "script/script_set.h"

struct payment_channels {
    struct version *at[RULE_CHANNELS_MAX]; /* of the set */
    size_t count;
};

/* Those of the set that fit the request's method, bank and channel, are configured, and take its
 * amount, expiry and options; in file order. E_INVAL with the fault: none does, and this is why
 * the first did not. A request without a method and a channel fits none: count 0. */
int payment_channels_find(const struct script_services *services, const struct script_set *set,
                          struct str merchant, const struct payment_request *request,
                          struct payment_channels *out, struct refusal *fault);

/* Only those the rule names, in its order. Where it names none of them (their keys are not set, or
 * it does not know them) they stay as they are: what could be paid is never refused by a list. */
void payment_channels_order(struct payment_channels *channels, const struct rule_route *route);

/* All its keys are there: those of the merchant's own account where it has one, else the shared
 * one's. `merchant` empty: the shared one's. */
bool channel_configured(const struct script_services *services, const struct version *v,
                        struct str merchant);

/* A channel that declares no host calls nobody: what it decides is known before anything is
 * stored. */
bool channel_is_local(const struct version *v);

/* When a payment through it expires: what was asked, else the channel's, else the setting's. */
int64_t channel_expires_at(const struct script_services *services, const struct version *v,
                           const struct payment_request *request, int64_t now);

/* What its `create` is given as op.input; `customer` (JSON) takes the customer's place, empty:
 * there is none. Options are personal as well: what is kept goes without them (input_fill() puts
 * them back). Errors stick in the buffer. */
void channel_input(const struct payment_request *request, int64_t amount_due, struct str customer,
                   bool options, struct buf *out);

#endif
