/* A create request as the contract has it, held against it field by field: the first thing wrong is
 * named with its field ("customer.email"). Pure: what a channel takes, and whether the order is
 * known, is for payment_flow. */
#ifndef LUWAK_PAYMENT_REQUEST_H
#define LUWAK_PAYMENT_REQUEST_H

#include "base/json.h"
#include "net/problem.h"

enum { FAULT_TEXT_MAX = 240, FAULT_PARAM_MAX = 96 };

/* Why a request is refused, as the problem it is answered with. */
struct refusal {
    enum problem_code code; /* PROBLEM_NONE: nothing is wrong */
    char param[FAULT_PARAM_MAX];
    char text[FAULT_TEXT_MAX];
};
/* Fills it and returns E_INVAL. */
int refusal_set(struct refusal *fault, enum problem_code code, const char *param,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

struct payment_request {
    struct json_doc doc; /* what all below points into */
    struct json_doc own; /* return_urls, where the request left some to us */
    struct str order_id, currency, method, bank, channel, description;
    int64_t amount;
    int64_t expires_in; /* seconds; 0: not said */
    const struct json *customer, *items, *options, *metadata, *return_urls; /* NULL: not said */
};

/* On failure there is nothing to free. E_INVAL with the fault; E_NOMEM. */
int payment_request_read(struct payment_request *r, struct str body, struct refusal *fault);
void payment_request_free(struct payment_request *r);
/* The same for a virtual account that stays: of those fields bank, channel, customer, description
 * and metadata. */
int payment_request_read_account(struct payment_request *r, struct str body, struct refusal *fault);

/* Where the payer goes when the request does not say; NULL: nowhere. E_NOMEM. */
int payment_request_return_urls(struct payment_request *r, const char *success,
                                const char *failure);

/* What a route takes: a name, a type and what is to be true of it. For the smaller requests too. */
enum request_type { REQUEST_TEXT, REQUEST_INT, REQUEST_OBJECT, REQUEST_LIST };
struct request_field {
    const char *name; /* NULL ends a list */
    enum request_type type;
    bool required;
    int64_t min, max; /* of an integer; of a text's bytes; of a list's or an object's members */
    /* What else must hold for a text: NULL, or why it does not. */
    const char *(*wrong)(struct str value);
    const struct request_field *members; /* of an object; of each object of a list */
};
/* `prefix` is put before names: "customer." */
int request_check(const struct json *object, const struct request_field *fields, const char *prefix,
                  struct refusal *fault);

/* Some strings are checked alike everywhere. */
const char *request_not_url(struct str value);

/* Parses a JSON object; E_INVAL with the fault. */
int request_parse(struct json_doc *doc, struct str body, struct refusal *fault);

#endif
