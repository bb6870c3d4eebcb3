/* simulate.c makes things happen, simulate_payments.c asks and pays, simulate_calls.c follows what is
 * sent and told, simulate_check.c and simulate_books.c look, simulate_providers.c says how each
 * provider's books are read. */
#ifndef LUWAK_SIMULATE_PRIVATE_H
#define LUWAK_SIMULATE_PRIVATE_H

#include "core/operation.h"
#include "core/payment.h"
#include "engine.h"
#include "simulate/simulate.h"
#include "store/vfs_record.h"

#define SIM_OPERATIONS_MAX 2000
#define SIM_PAYMENTS_MAX   20000
#define SIM_WAYS_MAX       64
#define SIM_CALLS_MAX      131072 /* a power of 2, and more than are made */

struct sim_operation { /* as the merchant knows it: number n has the reference "rn" */
    char id[ID_SIZE];  /* once it was acknowledged */
    int64_t amount;
    const char *end; /* of the phone number: what the simulator will do */
    int effects;     /* how often it went out */
    bool twice;      /* the network doubles its request */
    int generation;  /* last seen */
    enum operation_state state;
};

struct sim_payment { /* as the merchant knows it: number n is the order "pn", or one that came after
                      * it had failed */
    char id[ID_SIZE]; /* of the last one that was acknowledged */
    int64_t amount;
    int way, seconds;
    bool routed;     /* asked for by its bank, not by its channel */
    const char *end; /* of the phone number, where one is asked for */
    int64_t generation;
    enum payment_status status;
    int refunds; /* asked for */
};

struct sim_way { /* a channel, from the registry */
    char channel[64], provider[32], method[32], bank[32];
    unsigned gives; /* what its create takes beside: simulate_payments.c */
    int longest;    /* seconds that it can be open; 0: as long as anybody likes */
    bool refunds, charge;
};

struct sim_call { /* what left for a provider under one reference, or one word of his about money */
    uint64_t hash;
    int times;          /* effects: sent, and no proof that nothing was made; callbacks: lost */
    int refusals;       /* of an effect's copies */
    bool twice;         /* the network doubles it */
    char reference[80]; /* callbacks about money: of what */
    bool heard;         /* and answered 2xx */
};

struct sim {
    const struct simulate_options *options;
    struct simulate_result *result;
    struct rng rng, engine_rng, chaos_rng;
    struct clock clock;
    struct disk *disk;
    struct engine *engine;
    struct engine_chaos chaos;
    int step, start_err;
    bool started, off, full;
    bool calm;        /* nothing goes wrong any more */
    uint64_t calm_ns; /* since then */
    struct sim_operation operations[SIM_OPERATIONS_MAX];
    int count;
    int looked; /* where the round of single looks is */
    struct sim_payment payments[SIM_PAYMENTS_MAX];
    int payment_count;
    int payment_looked;
    struct sim_way ways[SIM_WAYS_MAX];
    int way_count;
    struct sim_call calls[SIM_CALLS_MAX]; /* by hash, open addressing */
    int call_count;
    int declines, no_declines; /* asked for; of these are gone for sure */
    int reset_declines;
    uint64_t doubled_ns; /* until then the second of some effect may come */
    uint64_t resetting;  /* whose simulators have not said that they forgot */
};

/* A request of the merchant, of a payer or of who misleads the simulators; `answered` hears of it
 * unless the power went off before. */
typedef void (*sim_answered)(struct sim *s, int number, int status, struct str body);
void sim_ask(struct sim *s, const char *method, const char *path, const char *key, struct str body,
             int number, sim_answered answered);

void sim_tell(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_wrong(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

void sim_check_step(struct sim *s);  /* some of it */
void sim_check_whole(struct sim *s); /* the file and every row */
void sim_check_books(struct sim *s); /* ours against the provider's */
struct rows *sim_look(struct sim *s, const char *sql);
void sim_none_of(struct sim *s, const char *what, const char *sql); /* no row, or it is wrong */

/* ---- simulate_payments.c ---- */
void sim_payment_step(struct sim *s);
void sim_payment_ways(struct sim *s);  /* once, of the first life */
void sim_payment_peace(struct sim *s); /* nobody misbehaves any more */

/* ---- simulate_calls.c ---- */
bool sim_payment_call(struct sim *s, const struct http_out *request, struct local_fate *fate);
void sim_payment_name(const struct http_out *request, char *out, size_t size); /* for the story */
bool sim_payment_twice(struct sim *s, const struct http_out *request);         /* it was doubled */
void sim_payment_refused(struct sim *s, const struct http_out *request); /* proven: nothing made */
void sim_payment_answer(struct sim *s, const struct http_exchange *x, int status); /* unspoiled */
bool sim_payment_may_decline(const struct sim *s);
bool sim_payment_unheard(const struct sim *s, struct str reference); /* all tries were in vain */

/* ---- simulate_books.c ---- */
void sim_check_payment(struct sim *s, int number);
void sim_check_payments_step(struct sim *s);
void sim_check_payments_whole(struct sim *s);
void sim_check_payments_books(struct sim *s);

/* ---- simulate_providers.c ---- */

#define SIM_FEW     4
#define SIM_EFFECTS 10

struct sim_effect_row {
    const char *path; /* how it ends */
    const char
        *name; /* where the request names what it moves: a place in its body, or @ a header */
};

struct sim_word_row {
    const char *path;  /* of ours, where it is heard */
    const char *about; /* the place in the body that says what it is about ... */
    const char *word;  /* ... and what it says of it; NULL: always the same */
    const char *money; /* the words that tell of money that came or was taken back; NULL: any */
};

struct sim_provider {
    const char *name, *host; /* NULL: it is never called */
    const char *documents;   /* of its simulator's books: a GLOB of keys */
    const char *money;       /* SELECT account, reference, paid, taken back, status */
    const char *refunds;     /* SELECT account, charge, own reference, amount; NULL: none */
    const char *open;        /* the status there of what can still be paid; NULL: there is none */
    bool by_money_id;        /* it knows no reference of ours, each transfer has its own */
    bool takes_back;         /* deny_after_settlement makes sense there */
    bool priced;             /* there are rules of its fees */
    /* requests that move money, or make what can be paid; ends of paths of those that do not */
    struct sim_effect_row effects[SIM_EFFECTS];
    const char *harmless[SIM_FEW];
    /* its callbacks */
    struct sim_word_row words[SIM_FEW];
    /* channels where not each refund can be asked about: without an answer it waits for a person */
    const char *mute[SIM_FEW];
    /* channels that cannot be asked by our reference: what nobody was shown counts as never made */
    const char *unseen[SIM_FEW];
};

const struct sim_provider *sim_provider(struct str name);    /* NULL: nobody knows it */
const struct sim_provider *sim_provider_at(uint64_t number); /* any number */

/* Parts of a WITH:
 *   theirs (account, reference, paid, back, status), open (account, status)
 *   their_refunds (account, charge, reference, amount)
 *   ours (account, reference, paid, back, order_id, status)
 *   mute (script), unseen (script), priced (account), few (i) */
void sim_provider_books(struct buf *sql);

struct sim_request {
    struct str url; /* or "/sandbox/PROVIDER/..." */
    struct str body;
    const struct http_header *headers;
    size_t header_count;
};
const struct sim_provider *sim_provider_called(const struct sim_request *request);
enum sim_effect { SIM_MOVES_MONEY, SIM_MOVES_NOTHING, SIM_UNHEARD_OF };
enum sim_effect sim_effect_of(const struct sim_request *request, char *name, size_t size);

struct sim_word { /* what a provider told us */
    char about[80], word[48];
    bool money;
};
/* False: no word is heard at this path. */
bool sim_word_of(struct str path, struct str body, struct sim_word *out);

#endif
