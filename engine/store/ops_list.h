/* The list itself; see ops.h. */
#ifndef LUWAK_STORE_OPS_LIST_H
#define LUWAK_STORE_OPS_LIST_H

#define STORE_OPS(X)                                                                             \
    /* engine facts: environment stamp, clock offset */                                          \
    X(META_SET, "meta_set", "key:text value:text", "sets a fact of the data directory")          \
    /* small durable store of a provider or simulator: version 0 = must not exist, null = any */ \
    X(KV_PUT, "kv_put", "scope:text key:text value:blob version:int?",                           \
      "writes a value if its version is as given; returns the new version")                      \
    X(KV_ROOM, "kv_room",                                                                        \
      "scope:text key:text from:text to:text bytes:int rows_max:int bytes_max:int",              \
      "the guard fails when one more value would be too many, or too much, between two keys")    \
    X(KV_DELETE, "kv_delete", "scope:text key:text version:int?", "removes a value")             \
    /* state of scripts across calls, workers and restarts */                                    \
    X(ONCE_TAKE, "once_take", "scope:text key:text until:int now:time",                          \
      "takes a key; the guard fails while somebody holds it")                                    \
    X(COUNTER_TAKE, "counter_take", "name:text max:int? until:int now:time",                     \
      "adds one; the guard fails above max; returns the value")                                  \
    X(SLOT_TAKE, "slot_take",                                                                    \
      "pool:text low:int high:int start:int holder:text until:int now:time",                     \
      "reserves the first free number at or after start, wrapping; returns it")                  \
    X(SLOT_CLAIM, "slot_claim", "pool:text slot:int holder:text until:time now:time",            \
      "reserves that number; the guard fails where it is taken")                                 \
    X(SLOT_FREE, "slot_free", "pool:text slot:int holder:text", "gives a number back")           \
    X(TOKEN_PUT, "token_put", "key:text value:blob refresh_at:time expires_at:time",             \
      "stores a fetched token; what an account has beyond 32 goes, the oldest first")            \
    /* events: gapless sequence per topic */                                                     \
    X(EVENT_APPEND, "event_append", "topic:text type:text object:text doc:blob at:time",         \
      "appends; returns the sequence")                                                           \
    X(EVENT_PURGE, "event_purge", "topic:text kept:int",                                         \
      "forgets the events below that sequence, and how their webhooks went; never the newest")   \
    /* jobs */                                                                                   \
    X(JOB_ENQUEUE, "job_enqueue",                                                                \
      "id:text name:text args:blob due_at:time priority:int once:bool backoff:text? "            \
      "unique_key:text?"                                                                         \
      " now:time",                                                                               \
      "adds a job; with a unique key an open job of that key wins; returns the id that stands")  \
    X(JOB_CLAIM, "job_claim", "id:text run:int now:time",                                        \
      "waiting -> running; the guard fails if it is not waiting and due")                        \
    X(JOB_DONE, "job_done", "id:text run:int now:time",                                          \
      "running -> done; waiting, where it was hurried meanwhile")                                \
    X(JOB_RETRY, "job_retry", "id:text run:int due_at:time tries:int error:text now:time",       \
      "running -> waiting, so many tries more; due at once, where it was hurried meanwhile")     \
    X(JOB_DEAD, "job_dead", "id:text run:int error:text now:time", "running -> dead")            \
    X(JOB_HURRY, "job_hurry", "unique_key:text since:time urgent:bool now:time",                 \
      "one that waits is due now, if it was not looked at since then; urgent: it goes before "   \
      "others from now on, and one that runs runs once more")                                    \
    X(JOB_LOST, "job_lost", "id:text run:int now:time", "running (once) -> lost, after a crash") \
    X(JOB_PURGE, "job_purge", "before:time limit:int", "forgets done jobs older than that")      \
    X(CRON_RAN, "cron_ran", "name:text due_at:time",                                             \
      "notes the last due time; guards against two")                                             \
    /* operations that can move money: stored intent, stored result */                           \
    X(OPERATION_INSERT, "operation_insert",                                                      \
      "id:text kind:text script:text version:text account:text reference:text status:text "      \
      "doc:blob"                                                                                 \
      " now:time",                                                                               \
      "stores the intent; the reference is unique per account")                                  \
    X(OPERATION_MOVE, "operation_move",                                                          \
      "id:text generation:int from:text to:text doc:blob now:time",                              \
      "moves it if status and generation still stand; returns the new generation")               \
    /* payments: what core/ decides, written down; each change is guarded by its generation */   \
    X(MERCHANT_PUT, "merchant_put",                                                              \
      "id:text name:text kind:text status:text rate:int allow:text now:time",                    \
      "adds or changes a merchant: collect or direct, active or suspended")                      \
    X(MERCHANT_CATEGORY, "merchant_category", "id:text category:text? now:time",                 \
      "what it is in the eyes of Bank Indonesia")                                                \
    X(API_KEY_ADD, "api_key_add",                                                                \
      "id:text merchant:text hash:blob sealed:blob mode:text label:text now:time",               \
      "adds an API key: sealed, found by its hash")                                              \
    X(API_KEY_REVOKE, "api_key_revoke", "id:text merchant:text now:time",                        \
      "ends an API key; the guard fails if it has ended")                                        \
    X(ACCOUNT_PUT, "account_put",                                                                \
      "name:text provider:text merchant:text? environment:text config:blob now:time",            \
      "adds or changes a provider account")                                                      \
    X(PERSON_ADD, "person_add", "id:text merchant:text key:blob data:blob now:time",             \
      "keeps personal data, sealed with its own key")                                            \
    X(PERSON_ERASE, "person_erase", "id:text now:time",                                          \
      "forgets the key and the data, and the sealed bodies of the person's callbacks")           \
    X(PAYMENT_ADD, "payment_add",                                                                \
      "id:text merchant:text order_id:text status:text open:bool amount:int "                    \
      "amount_due:int currency:text method:text? channel:text? bank:text? attempt:text? "        \
      "instructions:blob? fee:blob? fee_version:text? failure:blob? person:text? doc:blob "      \
      "expires_at:time? now:time",                                                               \
      "adds a payment; one open or paid payment per order of a merchant")                        \
    X(PAYMENT_MOVE, "payment_move",                                                              \
      "id:text generation:int to:text open:bool amount_due:int received:int amount_paid:int "    \
      "amount_refunded:int refunding:int amount_reversed:int unsettled:int settle_at:time? "     \
      "method:text? channel:text? bank:text? attempt:text? instructions:blob? fee:blob? "        \
      "fee_version:text? failure:blob? expires_at:time? paid_at:time? now:time",                 \
      "moves a payment if its generation still stands")                                          \
    X(PAYMENT_STANDS, "payment_stands", "id:text generation:int",                                \
      "guards what follows by the payment's generation")                                         \
    X(ATTEMPT_ADD, "attempt_add",                                                                \
      "id:text kind:text script:text version:text account:text reference:text status:text "      \
      "doc:blob payment:text amount:int method:text? bank:text? now:time",                       \
      "stores the intent of an operation on a payment")                                          \
    X(ATTEMPT_KEY, "attempt_key", "account:text kind:text value:text operation:text only:bool",  \
      "notes what an attempt can be found by; only: by no other of that account")                \
    X(VIRTUAL_ACCOUNT_ADD, "virtual_account_add",                                                \
      "id:text merchant:text account:text number:text bank:text script:text version:text "       \
      "person:text? doc:blob now:time",                                                          \
      "adds an open virtual account; its number is one active one's per provider account")       \
    X(VIRTUAL_ACCOUNT_CLOSE, "virtual_account_close", "id:text merchant:text now:time",          \
      "closes it; the guard fails if it is closed")                                              \
    X(MOVEMENT_ADD, "movement_add",                                                              \
      "account:text money_id:text? payment:text? operation:text? amount:int counted:int "        \
      "held:int why:text source:text paid_at:time now:time",                                     \
      "notes money that came; its id is unique per provider account")                            \
    X(MOVEMENT_CLAIM, "movement_claim", "id:int money_id:text", "gives unclaimed money its id")  \
    X(MOVEMENT_MOVE, "movement_move", "id:int held:int counted:int returned:int",                \
      "moves that much out of suspense, if so much is held")                                     \
    X(MOVEMENT_OWN, "movement_own",                                                              \
      "id:int payment:text operation:text counted:int held:int "                                 \
      "why:text",                                                                                \
      "gives an orphan to a payment")                                                            \
    X(MOVEMENT_DROP, "movement_drop", "id:int",                                                  \
      "nobody's money was booked twice: none of it is held, and its id is free")                 \
    X(REFUND_ADD, "refund_add",                                                                  \
      "id:text payment:text merchant:text amount:int status:text reason:text? "                  \
      "destination:blob? destination_key:blob? operation:text? by:text movement:int? now:time",  \
      "adds a refund")                                                                           \
    X(REFUND_MOVE, "refund_move", "id:text generation:int to:text failure:blob? now:time",       \
      "moves a refund if its generation still stands")                                           \
    X(REVERSAL_ADD, "reversal_add",                                                              \
      "id:text payment:text account:text money_id:text? amount:int counted:int reason:text? "    \
      "now:time",                                                                                \
      "notes money that the provider took back")                                                 \
    X(NOTE_ADD, "note_add", "payment:text what:text detail:blob now:time",                       \
      "a step of a payment's life that is no event")                                             \
    /* the ledger */                                                                             \
    X(LEDGER_POST, "ledger_post",                                                                \
      "debit:text credit:text amount:int kind:text object:text? now:time",                       \
      "one transfer; refused where it would overdraw")                                           \
    X(LEDGER_TAKE, "ledger_take",                                                                \
      "merchant:text credit:text amount:int kind:text object:text now:time",                     \
      "from what a merchant has available, the rest from its receivable")                        \
    X(LEDGER_GIVE, "ledger_give",                                                                \
      "merchant:text debit:text amount:int kind:text object:text now:time",                      \
      "to a merchant: first to what it owes, the rest becomes available")                        \
    X(LEDGER_MIRROR, "ledger_mirror", "object:text kind:text as:text now:time",                  \
      "takes back all entries of that object and kind")                                          \
    X(IDEMPOTENCY_TAKE, "idempotency_take",                                                      \
      "merchant:text path:text key:text hash:blob object:text? status:int? answer:blob? "        \
      "now:time",                                                                                \
      "begins a request under its key; exists: somebody did")                                    \
    X(IDEMPOTENCY_ANSWER, "idempotency_answer",                                                  \
      "merchant:text path:text key:text status:int answer:blob object:text?",                    \
      "stores the answer, once")                                                                 \
    X(ENDPOINT_ADD, "endpoint_add",                                                              \
      "id:text merchant:text url:text secret:blob types:text format:text named:int? now:time",   \
      "adds a webhook endpoint; it hears what comes from now on")                                \
    X(ENDPOINT_SET, "endpoint_set",                                                              \
      "id:text merchant:text url:text types:text state:text now:time",                           \
      "changes, disables or deletes an endpoint; enabled anew it goes on from now")              \
    X(ENDPOINT_SECRET, "endpoint_secret",                                                        \
      "id:text merchant:text secret:blob old:blob old_until:time now:time",                      \
      "a new secret; the old one lives on until then")                                           \
    X(ENDPOINT_FAN, "endpoint_fan", "id:text from:int to:int now:time",                          \
      "makes deliveries of the events from one sequence to another")                             \
    X(DELIVERY_MOVE, "delivery_move",                                                            \
      "endpoint:text sequence:int state:text due_at:time status:int? error:text? now:time",      \
      "how a delivery went: delivered, waiting again, or dead")                                  \
    X(DELIVERY_LATER, "delivery_later", "endpoint:text sequence:int due_at:time now:time",       \
      "it is not time to say it yet: no try")                                                    \
    X(PAYMENT_URL_ADD, "payment_url_add", "payment:text n:int url:text",                         \
      "where a payment's own notifications go")                                                  \
    X(DELIVERY_AGAIN, "delivery_again", "endpoint:text sequence:int now:time",                   \
      "delivers once more, as asked by a person")                                                \
    X(INBOX_ADD, "inbox_add",                                                                    \
      "account:text key:blob? body:blob? hash:blob state:text reference:text? money_id:text? "   \
      "amount:int? paid_at:time? payment:text? status:int? answer:blob? now:time",               \
      "keeps a verified callback, sealed; returns its id")                                       \
    X(INBOX_MOVE, "inbox_move", "id:int state:text payment:text? now:time",                      \
      "an orphan found its payment, or its time is over")                                        \
    X(INBOX_ANSWER, "inbox_answer", "id:int status:int answer:blob now:time",                    \
      "keeps what was answered, for a repeat")                                                   \
    X(AUDIT_APPEND, "audit_append",                                                              \
      "n:int at:time actor:text action:text object:text detail:text prev:blob hash:blob",        \
      "adds a line that must follow the last one")                                               \
    /* scripts */                                                                                \
    X(SCRIPT_TEXT, "script_text", "hash:text text:blob now:time",                                \
      "keeps a text; again is nothing")                                                          \
    X(SCRIPT_VERSION, "script_version", "path:text version:text state:text parts:text now:time", \
      "notes a version of a script: live, staged, broken, deleted")                              \
    X(GRANT_SET, "grant_set", "provider:text kind:text value:text now:time", "operator's grant") \
    X(GRANT_DROP, "grant_drop", "provider:text kind:text value:text", "takes a grant back")

#endif
