/* Webhooks out, by Standard Webhooks. The merchant's events are the outbox: each endpoint has a
 * cursor over their sequence; fanning out makes delivery rows of what lies behind it, and a
 * delivery is tried by this schedule until it is delivered or dead. Who sends calls
 *
 *     endpoints_behind -> webhook_add_fan ; deliveries_due -> send -> webhook_add_outcome
 *
 * Nothing is sent twice at once by one sender; a crash in between sends again (at least once). */
#ifndef LUWAK_CORE_WEBHOOK_H
#define LUWAK_CORE_WEBHOOK_H

#include "base/buf.h"
#include "core/core.h"

#define WEBHOOK_TRIES       10                              /* at once, then 75 h 35 min */
#define WEBHOOK_FAILING_MS  (5 * 24 * 3600 * INT64_C(1000)) /* of failure, and it is disabled */
#define WEBHOOK_OLD_MS      (24 * 3600 * INT64_C(1000))     /* an old secret lives on */
#define WEBHOOK_FAN_MAX     100                             /* events in one commit */
#define WEBHOOK_SECRET_SIZE 64

/* How long to wait after try number `tried` (1: the first) failed; -1: it is dead. Shortened by up
 * to a tenth at random. */
int64_t webhook_wait(int64_t tried, struct rng *rng);

/* Types: "payment.succeeded", ...; none: all. E_INVAL names one that is unknown. */
struct endpoint_new {
    struct str merchant, url;
    const struct str *types;
    size_t type_count;
    struct str format; /* empty: standard; it never changes */
    int64_t named; /* 1-3: it has no URL, each payment names one in that place; 0: a plain one */
};
/* Our own words. Any other format is written by the script of scripts/api that bears its name. */
#define WEBHOOK_STANDARD   STR("standard")
#define WEBHOOK_FORMAT_MAX 32
int endpoint_add(const struct core *core, struct commit *commit, const struct endpoint_new *what,
                 char id[ID_SIZE], char secret[WEBHOOK_SECRET_SIZE], struct why *why);
/* state: "enabled", "disabled", "deleted". */
int endpoint_set(const struct core *core, struct commit *commit, struct str id,
                 const struct endpoint_new *what, struct str state, struct why *why);
/* `rows`: endpoint_get. The old secret lives on for a day. */
int endpoint_rotate(const struct core *core, struct commit *commit, const struct rows *rows,
                    char secret[WEBHOOK_SECRET_SIZE]);
/* endpoint_get's columns that others need. */
enum {
    ENDPOINT_MERCHANT = 1,
    ENDPOINT_URL,
    ENDPOINT_STATE = 7,
    ENDPOINT_FAILING = 9,
    ENDPOINT_FORMAT = 11,
    ENDPOINT_NAMED
};
#define WEBHOOK_NAMED_MAX 3 /* URLs of one payment */
/* {id,object,url,enabled_types,format,status,secret?,created_at}; secret only when given. */
int endpoint_json(const struct rows *rows, size_t row, const char *secret, struct buf *out);

/* Events of that type go there? `rows`: endpoint_get or endpoints_of_merchant. */
bool endpoint_hears(const struct rows *rows, size_t row, struct str type);

/* Its types, views of the row; how many (none: all). */
size_t endpoint_types(const struct rows *rows, size_t row, struct str *out, size_t max);

/* A row of endpoints_behind. */
void webhook_add_fan(const struct core *core, struct commit *commit, struct str endpoint,
                     int64_t cursor, int64_t last);

/* webhook-signature: "v1,... v1,..." of every secret that lives. `rows`: endpoint_get. */
int webhook_sign(const struct core *core, const struct rows *rows, struct str id,
                 int64_t timestamp_s, struct str body, struct buf *out);

/* A secret that nothing keeps, and its signature: `luwak listen` signs as a server does. */
int webhook_secret(struct rng *rng, char text[WEBHOOK_SECRET_SIZE]);
int webhook_sign_key(struct str secret, struct str id, int64_t timestamp_s, struct str body,
                     struct buf *out);

/* What came of a delivery: status 0: no answer. 2xx is delivered; 410 disables the endpoint, as do
 * five days of nothing but failure, with an event; not one whose URLs payments name. */
struct webhook_outcome {
    int64_t sequence;
    int64_t tries; /* before this one */
    int status;
    bool
        nothing; /* its format has no word for the event: nothing was sent, nothing is known of it */
    struct str error;       /* for a person */
    int64_t retry_after_ms; /* the receiver's; 0: none */
};
/* *wait_ms: until the next try; 0: there is none. */
int webhook_add_outcome(const struct core *core, struct commit *commit, const struct rows *rows,
                        const struct webhook_outcome *outcome, int64_t *wait_ms);
/* It is not time to say it yet: no try of it. */
void webhook_add_later(const struct core *core, struct commit *commit, struct str endpoint,
                       int64_t sequence, int64_t wait_ms);
void webhook_add_again(const struct core *core, struct commit *commit, struct str endpoint,
                       int64_t sequence);

#endif
