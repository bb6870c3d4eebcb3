/* What is shown: the contract's payment and refund objects, fees and failures as JSON. Parts that
 * came as JSON (items, metadata, instructions) are put in as they are stored. */
#include "base/money.h"
#include "core/payment_private.h"

enum part { PART_ITEMS, PART_DESCRIPTION, PART_METADATA, PARTS_ };
static const char *const PARTS[PARTS_] = {"items", "description", "metadata"};

/* Finds the texts of the document's members without building a tree. */
static void parts_find(struct str doc, struct str out[PARTS_]) {
    struct json_reader r;
    json_reader_init(&r, doc, NULL);
    int at = -1;
    size_t from = 0;
    for (int token; (token = json_next(&r, NULL)) > JSON_END;) {
        bool value_ends =
            r.depth == 1 && token != JSON_KEY && token != JSON_OBJECT && token != JSON_ARRAY;
        if (token == JSON_KEY && r.depth == 1) {
            at = -1;
            for (int i = 0; i < PARTS_; i++)
                if (str_eq(r.raw, str_of(PARTS[i]))) at = i;
            from = 0;
            continue;
        }
        if (from == 0) from = r.start;
        if (value_ends && at >= 0) out[at] = str_sub(doc, from, r.at);
    }
}

static void put_raw(struct json_out *w, const char *key, struct str json) {
    json_key(w, key);
    if (json.n == 0)
        json_null(w);
    else
        json_raw(w, json);
}

static void put_text(struct json_out *w, const char *key, struct str s) {
    json_key(w, key);
    if (s.n == 0)
        json_null(w);
    else
        json_str(w, s);
}

static void put_attempts(struct json_out *w, const struct payment *p) {
    json_key(w, "attempts");
    json_begin_array(w);
    for (size_t i = 0; i < p->attempt_count; i++) {
        const struct attempt *a = &p->attempts[i];
        json_begin_object(w);
        json_put_text(w, "id", a->id);
        json_put_str(w, "channel", attempt_channel(a));
        json_put_str(w, "reference", a->reference);
        json_put_text(w, "status", OPERATION_STATES[a->state].name);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_customer(struct json_out *w, const struct payment *p) {
    json_key(w, "customer");
    if (p->person.n == 0) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    json_put_str(w, "id", p->person);
    json_end_object(w);
}

static void put_checkout(struct json_out *w, const struct core *core, const struct payment *p) {
    json_key(w, "checkout_url");
    if (core->public_url.n == 0) {
        json_null(w);
        return;
    }
    char url[512];
    struct buf b = {.data = url, .cap = sizeof url, .max = sizeof url - 1};
    buf_addstr(&b, core->public_url);
    buf_adds(&b, "/pay/");
    buf_adds(&b, p->id + 4); /* 80 random bits: nobody guesses it */
    if (b.err != 0)
        json_null(w);
    else
        json_str(w, buf_str(&b));
}

void payment_json(const struct core *core, const struct payment *p, struct buf *out) {
    struct str parts[PARTS_] = {{0}};
    struct json_out w;
    struct str version = STR("");
    (void)buf_reserve(out, 1024); /* about what it takes */
    parts_find(p->doc, parts);
    for (size_t i = 0; i < p->attempt_count; i++)
        if (str_eq(str_of(p->attempts[i].id), p->attempt)) version = p->attempts[i].version;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_text(&w, "id", p->id);
    json_put_text(&w, "object", "payment");
    json_put_bool(&w, "livemode", core->livemode);
    json_put_str(&w, "order_id", p->order_id);
    json_put_text(&w, "status", PAYMENT_STATES[p->status].name);
    json_put_int(&w, "amount", p->amount);
    json_put_int(&w, "amount_due", p->amount_due);
    json_put_int(&w, "amount_paid", p->amount_paid);
    json_put_int(&w, "amount_refunded", p->amount_refunded);
    json_put_int(&w, "amount_reversed", p->amount_reversed);
    json_put_str(&w, "currency", p->currency);
    put_text(&w, "method", p->method);
    put_text(&w, "channel", p->channel);
    put_text(&w, "bank", p->bank);
    put_customer(&w, p); /* before all that others may write as they like: customer_fill() */
    put_raw(&w, "fee", p->fee);
    put_raw(&w, "instructions", p->instructions);
    put_checkout(&w, core, p);
    put_raw(&w, "failure", p->failure);
    put_attempts(&w, p);
    put_raw(&w, "items", parts[PART_ITEMS]);
    put_raw(&w, "description", parts[PART_DESCRIPTION]);
    put_raw(&w, "metadata", parts[PART_METADATA]);
    json_key(&w, "scripts");
    json_begin_object(&w);
    put_text(&w, "channel", version);
    put_text(&w, "fee", p->fee_version);
    json_end_object(&w);
    json_put_time(&w, "expires_at", p->expires_at);
    json_put_time(&w, "created_at", p->created_at);
    json_put_time(&w, "paid_at", p->paid_at);
    json_end_object(&w);
    if (json_out_end(&w) != 0 && out->err == 0) out->err = w.err;
}

void refund_json(const struct refund *r, struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_text(&w, "id", r->id);
    json_put_text(&w, "object", "refund");
    json_put_text(&w, "payment", r->payment);
    json_put_int(&w, "amount", r->amount);
    json_put_text(&w, "status", REFUND_STATES[r->status].name);
    put_text(&w, "reason", r->reason);
    put_raw(&w, "failure", r->failure);
    json_put_time(&w, "created_at", r->created_at);
    json_end_object(&w);
    if (json_out_end(&w) != 0 && out->err == 0) out->err = w.err;
}

/* ---- fees and failures ---- */

int64_t fee_total(const struct fee *fee) {
    int64_t total = 0;
    for (size_t i = 0; i < fee->count; i++)
        if (money_add(total, fee->lines[i].amount, &total) != 0) return -1;
    return total;
}

static int keep_buf(struct payment *payment, struct buf *b, int err, struct str *out) {
    struct str text = buf_str(b);
    if (err == 0) err = payment_keep(payment, &text);
    if (err == 0) *out = text;
    buf_free(b);
    return err;
}

int fee_keep(struct payment *payment, const struct fee *fee) {
    struct buf b = {0};
    struct json_out w;
    int64_t total = fee_total(fee);
    if (total < 0 || fee->count > FEE_LINES_MAX) return E_OVERFLOW;
    json_out_init(&w, &b);
    json_begin_object(&w);
    json_put_int(&w, "total", total);
    json_put_str(&w, "bearer", fee->bearer);
    json_key(&w, "lines");
    json_begin_array(&w);
    for (size_t i = 0; i < fee->count; i++) {
        if (fee->lines[i].amount < 0) w.err = E_RANGE;
        json_begin_object(&w);
        json_put_str(&w, "name", fee->lines[i].name);
        json_put_int(&w, "amount", fee->lines[i].amount);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    int err = keep_buf(payment, &b, json_out_end(&w), &payment->fee);
    payment->fee_version = fee->version;
    if (err == 0) err = payment_keep(payment, &payment->fee_version);
    return err;
}

/* `doc` holds the texts; json_doc_free it. */
int fee_read(const struct payment *payment, struct fee *out, struct json_doc *doc) {
    *out = (struct fee){.version = payment->fee_version};
    int err = json_parse(doc, payment->fee, NULL, NULL);
    if (err != 0) return err;
    (void)json_get_str(doc->root, "bearer", &out->bearer);
    const struct json *lines = json_get(doc->root, "lines");
    for (const struct json *l = lines == NULL ? NULL : lines->first;
         l != NULL && out->count < FEE_LINES_MAX; l = l->next) {
        struct fee_line *line = &out->lines[out->count++];
        (void)json_get_str(l, "name", &line->name);
        (void)json_get_i64(l, "amount", &line->amount);
    }
    return 0;
}

int failure_keep(struct payment *payment, struct str code, struct str message,
                 struct str provider_code) {
    struct buf b = {0};
    struct json_out w;
    json_out_init(&w, &b);
    json_begin_object(&w);
    json_put_str(&w, "code", code.n == 0 ? STR("PROVIDER_ERROR") : code);
    json_put_str(&w, "message", message);
    put_text(&w, "provider_code", provider_code);
    json_end_object(&w);
    return keep_buf(payment, &b, json_out_end(&w), &payment->failure);
}
