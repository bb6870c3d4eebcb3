/* Going on with a payment that has no attempt yet: what the merchant asked for at create is put
 * together again from the payment, with what is chosen now over it, and goes the same way. */
#include "core/person.h"
#include "payment/payment_flow_private.h"

#include <stdio.h>

static const struct request_field CHOICE[] = {{"method", REQUEST_TEXT, .min = 1, .max = 32},
                                              {"bank", REQUEST_TEXT, .min = 1, .max = 32},
                                              {"channel", REQUEST_TEXT, .min = 1, .max = 64},
                                              {"options", REQUEST_OBJECT, .max = 50},
                                              {0}};

static void put(struct json_out *w, const char *name, const struct json *chosen,
                const struct json *kept) {
    const struct json *value = json_get(chosen, name);
    if (value == NULL || value->type == JT_NULL) value = json_get(kept, name);
    if (value == NULL || value->type == JT_NULL) return;
    json_key(w, name);
    json_value(w, value);
}

static void put_text(struct json_out *w, const char *name, const struct json *chosen,
                     struct str kept) {
    struct str value = {0};
    if (json_get_str(chosen, name, &value) != 0) value = kept;
    if (value.n != 0) json_put_str(w, name, value);
}

static void put_options(struct json_out *w, const struct json *chosen, const struct json *kept) {
    const struct json *value = json_get(chosen, "options");
    if (value == NULL || value->type == JT_NULL) value = kept;
    if (value == NULL || value->count == 0) return;
    json_key(w, "options");
    json_value(w, value);
}

/* The create request that this payment came from, had the choice been in it. */
static int write_request(const struct flow *f, const struct json *chosen, struct buf *out) {
    const struct payment *p = &f->payment;
    struct json_out w;
    struct json_doc kept, options = {0};
    struct buf customer = {0}, text = {0};
    struct str asked = {0};
    int err = json_parse(&kept, p->doc, NULL, NULL);
    if (err != 0) return err;
    if (p->person.n != 0) err = person_open(f->core, p->person, &customer);
    if (err == 0 && p->person.n != 0) err = person_open_options(f->core, p->person, &text);
    if (err == 0 && text.len != 0) err = json_parse(&options, buf_str(&text), NULL, NULL);
    if (err == E_CLOSED || err == E_NOTFOUND) err = 0; /* erased */
    (void)json_get_str(kept.root, "channel", &asked);
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_str(&w, "order_id", p->order_id);
    json_put_int(&w, "amount", p->amount);
    json_put_str(&w, "currency", p->currency);
    put_text(&w, "method", chosen, p->method);
    put_text(&w, "bank", chosen, p->bank);
    put_text(&w, "channel", chosen, asked);
    put_options(&w, chosen, options.root);
    put(&w, "items", NULL, kept.root);
    put(&w, "description", NULL, kept.root);
    put(&w, "metadata", NULL, kept.root);
    put(&w, "return_urls", NULL, kept.root);
    if (customer.len != 0 && !str_eq(buf_str(&customer), STR("null"))) {
        json_key(&w, "customer");
        json_raw(&w, buf_str(&customer));
    }
    json_end_object(&w);
    if (err == 0) err = json_out_end(&w);
    json_doc_free(&kept);
    json_doc_free(&options);
    buf_free(&text);
    buf_free(&customer);
    return err;
}

static int read_request(struct flow *f, struct refusal *fault) {
    struct json_doc chosen = {0};
    struct buf text = {0};
    int err = request_parse(&chosen, f->ask.body.n == 0 ? STR("{}") : f->ask.body, fault);
    if (err == 0) err = request_check(chosen.root, CHOICE, "", fault);
    if (err == 0) err = write_request(f, chosen.root, &text);
    if (err == 0) err = payment_request_read(&f->request, buf_str(&text), fault);
    if (err == 0 && f->request.method.n == 0 && f->request.channel.n == 0)
        err = refusal_set(fault, PROBLEM_INVALID_REQUEST, "method",
                          "method is missing: how shall it be paid?");
    if (chosen.root != NULL) json_doc_free(&chosen);
    buf_free(&text);
    return err;
}

void flow_continue(struct flow *f) {
    struct refusal fault = {0};
    int err = payment_read(f->core, f->ask.merchant, str_of(f->id), &f->payment);
    f->has_payment = err == 0;
    if (err == E_NOTFOUND) {
        flow_end_problem(f, PROBLEM_NOT_FOUND, "there is no such payment");
        return;
    }
    if (err == 0 && (f->payment.status != PAYMENT_PENDING || f->payment.attempt_count != 0))
        err = refusal_set(&fault, PROBLEM_INVALID_STATE, NULL, "the payment is %s%s",
                          PAYMENT_STATES[f->payment.status].name,
                          f->payment.attempt_count != 0 ? " and has its way to be paid"
                          : payment_held(&f->payment)   ? ", held for a person"
                                                        : "");
    if (err == 0) {
        snprintf(f->person, sizeof f->person, "%.*s", STR_FMT(f->payment.person));
        f->expires_at = f->payment.expires_at;
        err = read_request(f, &fault);
    }
    if (err == 0)
        flow_continue_channels(f);
    else if (fault.code != PROBLEM_NONE)
        flow_end_fault(f, &fault);
    else
        flow_end_error(f, err);
}
