/* What must hold of payments in a simulation: after each step of a few, at each crash and at the
 * end of all, and at the end against the books of the providers' simulators. */
#include "simulate_private.h"

#include <stdio.h>

/* Is it there, did it move by the table, do generations only grow? A crash may take back a move
 * that nobody heard of. */
static void check_payment(struct sim *s, int number) {
    struct sim_payment *p = &s->payments[number];
    struct payment row;
    if (p->id[0] == '\0') return;
    int err = payment_read(&s->engine->core, STR(""), str_of(p->id), &row);
    if (err == E_NOTFOUND) sim_wrong(s, "p%d (%s) was acknowledged and is lost", number, p->id);
    if (err != 0) return;
    if (row.generation != p->generation)
        sim_tell(s, "p%d is %s (%lld)", number, PAYMENT_STATES[row.status].name,
                 (long long)row.generation);
    bool closed = p->generation != 0 && !payment_open(p->status);
    if (closed && row.status != p->status && row.status != PAYMENT_SUCCESS)
        sim_wrong(s, "p%d was %s and is %s", number, PAYMENT_STATES[p->status].name,
                  PAYMENT_STATES[row.status].name);
    if (row.generation == p->generation && row.status != p->status)
        sim_wrong(s, "p%d changed without a move", number);
    if (row.generation < p->generation)
        sim_wrong(s, "p%d went back from generation %lld to %lld", number,
                  (long long)p->generation, (long long)row.generation);
    p->generation = row.generation;
    p->status = row.status;
    payment_free(&row);
}

void sim_check_payments_step(struct sim *s) {
    for (int i = 0; i < 3 && s->payment_count > 0; i++)
        check_payment(s, s->payment_looked++ % s->payment_count);
}

void sim_check_payments_whole(struct sim *s) {
    for (int i = 0; i < s->payment_count; i++)
        check_payment(s, i);
    sim_none_of(s, "a payment that can be paid and never ends",
                "SELECT id FROM payment WHERE status = 'pending' AND open = 0"
                " AND expires_at IS NULL");
    sim_none_of(s, "more counts than was due",
                "SELECT id FROM payment WHERE amount_paid > amount_due");
    sim_none_of(s, "more than one transfer, and none is second, late or the rest",
                "SELECT p.id FROM payment p JOIN movement m ON m.payment = p.id GROUP BY p.id"
                " HAVING sum(m.amount) > p.amount_due AND sum(m.held + m.returned) ="
                " 0 AND p.amount_paid < sum(m.amount)");
}

/* One row: what a provider says of one reference of ours, and what we booked. */
static const char MIDTRANS[] =
    "SELECT t.order_id || ': Midtrans ' || t.status || ' ' || t.net || ', here ' || t.mine"
    " FROM (SELECT json_extract(CAST(k.value AS TEXT), '$.order_id') AS order_id,"
    " group_concat(json_extract(CAST(k.value AS TEXT), '$.status')) AS status,"
    " sum(CASE json_extract(CAST(k.value AS TEXT), '$.status') WHEN 'deny' THEN 0"
    " ELSE coalesce(json_extract(CAST(k.value AS TEXT), '$.paid'), 0) END) AS net,"
    " (SELECT coalesce(sum(m.amount), 0) FROM movement m WHERE m.money_id IN"
    " (SELECT json_extract(CAST(x.value AS TEXT), '$.transaction_id') FROM kv x WHERE x.key GLOB"
    " 'sandbox/midtrans:tx *' AND json_extract(CAST(x.value AS TEXT), '$.order_id') ="
    " json_extract(CAST(k.value AS TEXT), '$.order_id')))"
    " - (SELECT coalesce(sum(v.amount), 0) FROM reversal v WHERE v.money_id ="
    " json_extract(CAST(k.value AS TEXT), '$.transaction_id')) AS mine"
    " FROM kv k WHERE k.key GLOB 'sandbox/midtrans:tx *' GROUP BY 1) t WHERE t.net <> t.mine";

void sim_check_payments_books(struct sim *s) {
    sim_none_of(s, "Midtrans' books are not ours", MIDTRANS);
}
