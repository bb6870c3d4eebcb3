/* Webhooks in other words than ours: the script scripts/api/FORMAT.lua writes them, with its `webhook`,
 * on a worker; nil: there is nothing to say; nil and a duration: not yet. It is given the event and, as a secret, the API key that its payment was charged with,
 * because such formats are signed with the key that the merchant's shop holds. */
#ifndef LUWAK_WEBHOOK_FORMAT_H
#define LUWAK_WEBHOOK_FORMAT_H

#include "webhook/webhook_sender.h"

/* For webhook_sender_options; `engine`: struct engine. */
void webhook_format_write(struct webhook_letter *letter, void *engine);

#endif
