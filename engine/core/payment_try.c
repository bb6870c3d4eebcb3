/* Tries: one attempt's call is made again, with the same reference, where it is proven that nothing
 * was made before. The attempt stays `sending`; its document says how many tries were made and, until
 * the next one begins, when that is due. A try begins with a commit of its own, so that no crash and
 * no second job makes it twice: whoever finds no `try_at` does nothing, and the ask job asks. */
#include "core/jobs.h"
#include "core/payment_private.h"

#include <stdio.h>

enum { TRY_FIRST_MS = 5000, TRY_FACTOR = 5, TRY_MAX_MS = 3600000 };

int payment_tries_read(struct str doc, struct payment_tries *out) {
    struct json_doc json;
    int64_t made = 1;
    *out = (struct payment_tries){.made = 1};
    int err = json_parse(&json, doc, NULL, NULL);
    if (err != 0) return err;
    (void)json_get_i64(json.root, "tries", &made);
    (void)json_get_i64(json.root, "try_at", &out->next_at);
    out->made = (int)made;
    json_doc_free(&json);
    return 0;
}

/* The attempt's document with these tries in it. */
static int doc_write(struct payment *p, struct str doc, const struct payment_tries *tries,
                     struct str *out) {
    struct json_doc json;
    struct json_out w;
    struct buf b = {0};
    int err = json_parse(&json, doc, NULL, NULL);
    if (err != 0) return err;
    json_out_init(&w, &b);
    json_begin_object(&w);
    for (const struct json *v = json.root->first; v != NULL; v = v->next) {
        if (str_eq(v->key, STR("tries")) || str_eq(v->key, STR("try_at"))) continue;
        json_key_str(&w, v->key);
        json_value(&w, v);
    }
    json_put_int(&w, "tries", tries->made);
    if (tries->next_at != 0) json_put_int(&w, "try_at", tries->next_at);
    json_end_object(&w);
    err = json_out_end(&w);
    *out = buf_str(&b);
    if (err == 0) err = payment_keep(p, out);
    buf_free(&b);
    json_doc_free(&json);
    return err;
}

static int64_t delay_after(int made) {
    int64_t ms = TRY_FIRST_MS;
    for (int i = 1; i < made && ms < TRY_MAX_MS; i++)
        ms *= TRY_FACTOR;
    return ms < TRY_MAX_MS ? ms : TRY_MAX_MS;
}

int payment_add_try_later(const struct core *core, struct commit *commit, struct payment *p,
                          size_t attempt, int made, int limit,
                          const struct payment_result *result) {
    struct attempt *a = &p->attempts[attempt];
    int64_t ms = delay_after(made);
    struct payment_tries tries = {.made = made, .next_at = core_now(core) + ms};
    struct str doc;
    char args[ID_SIZE + 16], unique[ID_SIZE + 24];
    struct buf text = {0};
    int err = doc_write(p, a->doc, &tries, &doc);
    if (err == 0) err = attempt_move(core, commit, a, OPERATION_SENDING, doc);
    if (err != 0) return err;
    snprintf(args, sizeof args, "{\"id\":\"%s\"}", a->id);
    snprintf(unique, sizeof unique, "try %s %d", a->id, made + 1);
    job_enqueue(commit,
                &(struct job_new){.name = STR(OPERATION_TRY_JOB),
                                  .args = str_of(args),
                                  .due_at = tries.next_at,
                                  .unique = str_of(unique)},
                core->clock, core->rng);
    buf_addf(&text, "%s: try %d of %d made nothing; the next one is in %lld s", a->id, made, limit,
             (long long)(ms / 1000));
    payment_said(result, &text);
    payment_add_note(core, commit, str_of(p->id), "try", buf_str(&text));
    err = text.err;
    buf_free(&text);
    return err;
}

int payment_add_try(const struct core *core, struct commit *commit, struct payment *p,
                    size_t attempt, struct why *why) {
    struct attempt *a = &p->attempts[attempt];
    struct payment_tries tries;
    struct str doc;
    int err = payment_tries_read(a->doc, &tries);
    if (err != 0) return err;
    if (!payment_open(p->status) || a->state != OPERATION_SENDING || tries.next_at == 0)
        return why_set(why, E_STATE, "no try is due");
    tries = (struct payment_tries){.made = tries.made + 1};
    err = doc_write(p, a->doc, &tries, &doc);
    return err != 0 ? err : attempt_move(core, commit, a, OPERATION_SENDING, doc);
}
