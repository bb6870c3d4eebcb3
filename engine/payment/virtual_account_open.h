/* POST /v1/virtual_accounts: a number that stays. A channel that calls nobody gives it out
 * (`open_account`), and what it gave, the customer, the Idempotency-Key's answer and the line of the
 * audit log are one commit. A channel that decides nothing gives nothing: nobody was shown anything.
 */
#ifndef LUWAK_PAYMENT_VIRTUAL_ACCOUNT_OPEN_H
#define LUWAK_PAYMENT_VIRTUAL_ACCOUNT_OPEN_H

#include "payment/payment_flow.h"

/* `done` hears the answer once, never inside. `actor`: for the audit log. E_NOMEM. */
int virtual_account_open(const struct payment_ask *ask, struct str actor, payment_replied done,
                         void *data);

#endif
