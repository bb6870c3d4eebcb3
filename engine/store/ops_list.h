/* The list itself; see ops.h. */
#ifndef LUWAK_STORE_OPS_LIST_H
#define LUWAK_STORE_OPS_LIST_H

#define STORE_OPS(X)                                                                             \
    /* engine facts: environment stamp, clock offset */                                          \
    X(META_SET, "meta_set", "key:text value:text", "sets a fact of the data directory")          \
    /* small durable store of a provider or simulator: version 0 = must not exist, null = any */ \
    X(KV_PUT, "kv_put", "scope:text key:text value:blob version:int?",                           \
      "writes a value if its version is as given; returns the new version")                      \
    X(KV_DELETE, "kv_delete", "scope:text key:text version:int?", "removes a value")             \
    /* state of scripts across calls, workers and restarts */                                    \
    X(ONCE_TAKE, "once_take", "scope:text key:text until:int now:time",                          \
      "takes a key; the guard fails while somebody holds it")                                    \
    X(COUNTER_TAKE, "counter_take", "name:text max:int? until:int now:time",                     \
      "adds one; the guard fails above max; returns the value")                                  \
    X(SLOT_TAKE, "slot_take",                                                                    \
      "pool:text low:int high:int start:int holder:text until:int now:time",                     \
      "reserves the first free number at or after start, wrapping; returns it")                  \
    X(SLOT_FREE, "slot_free", "pool:text slot:int holder:text", "gives a number back")           \
    X(TOKEN_PUT, "token_put", "key:text value:blob refresh_at:time expires_at:time",             \
      "stores a fetched token")                                                                  \
    /* events: gapless sequence per topic */                                                     \
    X(EVENT_APPEND, "event_append", "topic:text type:text object:text doc:blob at:time",         \
      "appends; returns the sequence")                                                           \
    /* jobs */                                                                                   \
    X(JOB_ENQUEUE, "job_enqueue",                                                                \
      "id:text name:text args:blob due_at:time priority:int once:bool backoff:text? "            \
      "unique_key:text?"                                                                         \
      " now:time",                                                                               \
      "adds a job; with a unique key an open job of that key wins; returns the id that stands")  \
    X(JOB_CLAIM, "job_claim", "id:text run:int now:time",                                        \
      "waiting -> running; the guard fails if it is not waiting and due")                        \
    X(JOB_DONE, "job_done", "id:text run:int now:time", "running -> done")                       \
    X(JOB_RETRY, "job_retry", "id:text run:int due_at:time error:text now:time",                 \
      "running -> waiting, one attempt more")                                                    \
    X(JOB_DEAD, "job_dead", "id:text run:int error:text now:time", "running -> dead")            \
    X(JOB_LOST, "job_lost", "id:text run:int now:time", "running (once) -> lost, after a crash") \
    X(JOB_PURGE, "job_purge", "before:time limit:int", "forgets done jobs older than that")      \
    X(CRON_RAN, "cron_ran", "name:text due_at:time",                                             \
      "notes the last due time; guards against two")                                             \
    /* operations that can move money: stored intent, stored result */                           \
    X(OPERATION_INSERT, "operation_insert",                                                      \
      "id:text kind:text script:text version:text account:text reference:text status:text "      \
      "doc:blob"                                                                                 \
      " ask_at:time? now:time",                                                                  \
      "stores the intent; the reference is unique per account")                                  \
    X(OPERATION_MOVE, "operation_move",                                                          \
      "id:text generation:int from:text to:text doc:blob ask_at:time? now:time",                 \
      "moves it if status and generation still stand; returns the new generation")               \
    /* scripts */                                                                                \
    X(SCRIPT_TEXT, "script_text", "hash:text text:blob now:time",                                \
      "keeps a text; again is nothing")                                                          \
    X(SCRIPT_VERSION, "script_version", "path:text version:text state:text parts:text now:time", \
      "notes a version of a script: live, staged, broken, deleted")                              \
    X(GRANT_SET, "grant_set", "provider:text kind:text value:text now:time", "operator's grant") \
    X(GRANT_DROP, "grant_drop", "provider:text kind:text value:text", "takes a grant back")

#endif
