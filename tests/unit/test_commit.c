/* Commits as bytes: what goes in comes out, and no byte a stranger may send passes unless it is a
 * commit that commit_add could have made. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/store_private.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

static void names_and_fields_come_from_the_list(void **state) {
    (void)state;
    enum store_op op;
    for (int i = 0; i < OP_COUNT_; i++) {
        const struct op_def *def = op_def((enum store_op)i);
        CHECK(op_find(str_of(def->name), &op));
        CHECK_INT(op, i);
        CHECK(def->field_count > 0);
        CHECK(def->doc[0] != '\0');
    }
    CHECK(!op_find(STR("no_such"), &op));
    const struct op_def *def = op_def(OP_OPERATION_INSERT);
    CHECK_INT(def->field_count, 9);
    CHECK_STR(def->fields[7].name, "doc");
    CHECK(def->fields[7].type == VAL_BLOB);
    CHECK(def->fields[8].least == 0);
    CHECK(op_def(OP_JOB_ENQUEUE)->fields[7].nullable);
    CHECK_INT(op_def(OP_JOB_ENQUEUE)->fields[5].most, 1);
}

/* A value that fits, other for each i. */
static struct val fitting(const struct op_field *field, int i) {
    if (field->nullable && i % 3 == 0) return V_NULL;
    switch (field->type) {
    case VAL_INT: return V_INT(i % 2 == 0 ? field->least : field->most);
    case VAL_TEXT: return i % 2 == 0 ? V_TEXT("caf\xc3\xa9 \xf0\x9f\x92\xb0") : V_TEXT("");
    default: return V_BLOB(((struct str){"\0\xff\x80", (size_t)(i % 4)}));
    }
}

static bool val_eq(struct val a, struct val b) {
    return a.type == b.type && a.i == b.i && str_eq(a.s, b.s);
}

/* As many rounds through all of them as a commit holds. */
#define ROUNDS (COMMIT_OPS_MAX / OP_COUNT_ * OP_COUNT_)

static void every_operation_comes_back(void **state) {
    (void)state;
    struct commit *c, *d;
    struct why why = {0};
    CHECK_OK(commit_new(&c));
    for (int i = 0; i < ROUNDS; i++) {
        struct val values[OP_FIELDS_MAX];
        const struct op_def *def = op_def((enum store_op)(i % OP_COUNT_));
        for (size_t k = 0; k < def->field_count; k++)
            values[k] = fitting(&def->fields[k], i + (int)k);
        CHECK_INT(commit_add(c, (enum store_op)(i % OP_COUNT_), values, def->field_count), i);
    }
    CHECK_OK(commit_decode(&d, commit_bytes(c), &why));
    CHECK(str_eq(commit_bytes(c), commit_bytes(d)));
    struct commit_cursor at = commit_walk(d);
    struct commit_step step;
    int i = 0;
    for (; commit_next(&at, &step); i++) {
        const struct op_def *def = op_def((enum store_op)(i % OP_COUNT_));
        CHECK_INT(step.op, i % OP_COUNT_);
        CHECK_INT(step.count, def->field_count);
        for (size_t k = 0; k < def->field_count; k++)
            CHECK(val_eq(step.values[k], fitting(&def->fields[k], i + (int)k)));
    }
    CHECK_INT(i, ROUNDS);
    commit_free(c);
    commit_free(d);
}

static int decode(const void *bytes, size_t n) {
    struct commit *c = NULL;
    struct why why = {0};
    char *copy = malloc(n == 0 ? 1 : n); /* exactly as long, so that ASan sees a read past it */
    memcpy(copy, bytes, n);
    int err = commit_decode(&c, (struct str){copy, n}, &why);
    free(copy);
    CHECK((err == 0) == (why.text[0] == '\0'));
    commit_free(c);
    return err;
}
#define DECODE(literal) decode(literal, sizeof(literal) - 1)

static void malformed_bytes_are_refused(void **state) {
    (void)state;
    CHECK_OK(DECODE("\1\0\0"));
    CHECK_ERR(DECODE(""), E_SYNTAX);
    CHECK_ERR(DECODE("\1\0"), E_SYNTAX);
    CHECK_ERR(DECODE("\2\0\0"), E_VERSION);
    CHECK_ERR(DECODE("\1\xc9\0"), E_LIMIT);  /* 201 operations */
    CHECK_ERR(DECODE("\1\1\0"), E_SYNTAX);   /* one promised, none there */
    CHECK_ERR(DECODE("\1\0\0\0"), E_SYNTAX); /* a byte too many */
    CHECK_ERR(DECODE("\1\1\0\xff\0"), E_SYNTAX);
    CHECK_ERR(DECODE("\1\1\0\0\x0d"), E_SYNTAX);                   /* 13 values */
    CHECK_ERR(DECODE("\1\1\0\0\1\2\1\0\0\0k"), E_INVAL);           /* meta_set takes two */
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\4"), E_SYNTAX);        /* no such type */
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\0"), E_INVAL);         /* null */
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\3\0\0\0\0"), E_INVAL); /* a blob for a text */
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\2\xff\xff\xff\xff"), E_SYNTAX);
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\2\1\0\0\0\0"), E_INVAL); /* NUL in a text */
    CHECK_ERR(DECODE("\1\1\0\0\2\2\1\0\0\0k\2\1\0\0"), E_SYNTAX);
    CHECK_OK(DECODE("\1\1\0\0\2\2\1\0\0\0k\2\1\0\0\0v"));
    char *big = calloc(1, COMMIT_BYTES_MAX + 1);
    CHECK_ERR(decode(big, COMMIT_BYTES_MAX + 1), E_LIMIT);
    free(big);
}

static void ranges_are_kept(void **state) {
    (void)state;
    struct op_field time = op_def(OP_CRON_RAN)->fields[1], once = op_def(OP_JOB_ENQUEUE)->fields[5];
    CHECK(op_field_wrong(&time, &V_INT(-1)) != NULL);
    CHECK(op_field_wrong(&time, &V_INT(0)) == NULL);
    CHECK(op_field_wrong(&time, &V_INT(253402300799999)) == NULL);
    CHECK(op_field_wrong(&time, &V_INT(253402300800000)) != NULL);
    CHECK(op_field_wrong(&once, &V_INT(2)) != NULL);
    CHECK(op_field_wrong(&once, &V_INT(-1)) != NULL);
    CHECK(op_field_wrong(&once, &V_INT(1)) == NULL);
}

static void text_is_clean_utf8(void **state) {
    (void)state;
    static const char *const GOOD[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\xc3\xa9z"};
    static const char *const BAD[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2z",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xe0\xa0z",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe1z\x80",
                                      "\xf1\x80\x80z"};
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
        CHECK(wire_text_good(str_of(GOOD[i])));
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        CHECK(!wire_text_good(str_of(BAD[i])));
    CHECK(!wire_text_good((struct str){"a\0b", 3}));
}

/* Whatever one changed byte, or a cut, makes of a good commit: refused, or a commit again whose
 * bytes are those. */
static void no_changed_byte_passes_unseen(void **state) {
    (void)state;
    struct commit *c, *d;
    CHECK_OK(commit_new(&c));
    commit_add(c, OP_KV_PUT, VALS(V_TEXT("s"), V_TEXT("k"), V_BLOB(STR("b")), V_NULL));
    commit_add(c, OP_CRON_RAN, VALS(V_TEXT("n"), V_INT(5)));
    struct str good = commit_bytes(c);
    for (size_t cut = 0; cut < good.n; cut++)
        CHECK(decode(good.p, cut) != 0);
    char *bytes = malloc(good.n);
    for (size_t at = 0; at < good.n; at++) {
        for (int v = 0; v < 256; v++) {
            memcpy(bytes, good.p, good.n);
            bytes[at] = (char)v;
            struct str changed = {bytes, good.n};
            if (commit_decode(&d, changed, NULL) != 0) continue;
            CHECK(str_eq(commit_bytes(d), changed));
            struct commit_cursor walk = commit_walk(d);
            struct commit_step step;
            while (commit_next(&walk, &step))
                for (size_t k = 0; k < step.count; k++)
                    CHECK(op_field_wrong(&op_def(step.op)->fields[k], &step.values[k]) == NULL);
            commit_free(d);
        }
    }
    free(bytes);
    commit_free(c);
}

static void builder_refuses(void **state) {
    (void)state;
    struct commit *c;
    CHECK_OK(commit_new(&c));
    struct val many[OP_FIELDS_MAX + 1] = {{0}};
    CHECK_ERR(commit_add(c, OP_META_SET, many, OP_FIELDS_MAX + 1), E_INVAL);
    CHECK_ERR(commit_add(c, OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))), E_INVAL); /* sticks */
    commit_free(c);
    CHECK_OK(commit_new(&c));
    CHECK_ERR(commit_add(c, OP_COUNT_, many, 0), E_INVAL);
    commit_free(c);
    CHECK_OK(commit_new(&c));
    CHECK_ERR(commit_add(c, OP_META_SET, NULL, 0), E_INVAL);
    commit_free(c);
    commit_free(NULL);
    CHECK_OK(commit_new(&c)); /* 200 operations, 1280 kB */
    for (int i = 0; i <= COMMIT_OPS_MAX; i++)
        CHECK_INT(commit_add(c, OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))),
                  i < COMMIT_OPS_MAX ? i : E_LIMIT);
    CHECK_INT(c->failed_op, COMMIT_OPS_MAX);
    commit_free(c);
    CHECK_OK(commit_new(&c));
    char *big = calloc(1, COMMIT_BYTES_MAX);
    CHECK_ERR(commit_add(c, OP_KV_PUT,
                         VALS(V_TEXT("s"), V_TEXT("k"),
                              V_BLOB(((struct str){big, COMMIT_BYTES_MAX})), V_NULL)),
              E_LIMIT);
    free(big);
    commit_free(c);
}

static struct commit_result told;
static char told_detail[DETAIL_MAX];
static void tell(const struct commit_result *result, void *data) {
    told = *result;
    if (result->detail != NULL) snprintf(told_detail, sizeof told_detail, "%s", result->detail);
    *(int *)data += 1;
}

static void the_answer_says_what_was_wrong(void **state) {
    (void)state;
    struct clock clock;
    struct loop *loop;
    struct commit *c;
    static struct store store; /* counts what it has under way */
    int times = 0;
    clock_virtual(&clock, 0);
    CHECK_OK(loop_sim_new(&loop, &clock, NULL));
    for (int bad = 0; bad < 2; bad++) {
        CHECK_OK(commit_new(&c));
        c->loop = loop;
        c->store = &store;
        atomic_store(&store.under_way, 1);
        c->done = tell;
        c->data = &times;
        if (bad) commit_failed(c, E_GUARD, 3, "why not");
        commit_answer(c);
        CHECK_INT(times, bad);
        loop_sim_drain(loop);
        CHECK_INT(times, bad + 1);
        CHECK_INT(atomic_load(&store.under_way), 0);
        CHECK_ERR(told.err, bad ? E_GUARD : 0);
        CHECK_INT(told.failed_op, bad ? 3 : -1);
        CHECK((told.detail == NULL) == !bad);
    }
    CHECK(strcmp(told_detail, "why not") == 0);
    loop_delete(loop);
}

static void memory_may_run_out(void **state) {
    (void)state;
    int64_t live = mem_live();
    for (uint64_t n = 1; n < 8; n++) {
        struct commit *c = NULL, *d = NULL;
        mem_fail_at(n, 1);
        if (commit_new(&c) == 0) {
            char big[4096] = {0};
            int at = commit_add(
                c, OP_KV_PUT,
                VALS(V_TEXT("s"), V_TEXT("k"), V_BLOB(((struct str){big, 4096})), V_NULL));
            CHECK(at == 0 || at == E_NOMEM);
            if (at == 0) {
                int err = commit_decode(&d, commit_bytes(c), NULL);
                CHECK(err == 0 || err == E_NOMEM);
            }
        }
        mem_fail_at(0, 0);
        commit_free(c);
        commit_free(d);
        CHECK_INT(mem_live(), live);
    }
}

static void rows_go_through_the_socket(void **state) {
    (void)state;
    struct rows_builder b = {0};
    struct rows *rows, *back;
    rows_build_name(&b, "a"), rows_build_name(&b, "b");
    const struct val cells[] = {V_INT(INT64_MIN), V_TEXT(""), V_NULL,
                                V_BLOB(((struct str){"\0z", 2}))};
    for (int i = 0; i < 4; i++)
        rows_build_cell(&b, &cells[i]);
    CHECK_OK(rows_build_done(&b, &rows));
    struct buf bytes = {0};
    rows_encode(rows, &bytes);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        struct wire_in in = wire_in(str_sub(buf_str(&bytes), 0, cut));
        CHECK_ERR(rows_decode(&in, &back), cut == bytes.len ? 0 : E_SYNTAX);
    }
    CHECK_INT(rows_count(back), 2);
    CHECK(strcmp(rows_name(back, 1), "b") == 0);
    for (size_t i = 0; i < 4; i++)
        CHECK(val_eq(rows_at(back, i / 2, i % 2), cells[i]));
    rows_free(rows), rows_free(back);
    buf_free(&bytes);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(names_and_fields_come_from_the_list),
    cmocka_unit_test(every_operation_comes_back),
    cmocka_unit_test(malformed_bytes_are_refused),
    cmocka_unit_test(ranges_are_kept),
    cmocka_unit_test(text_is_clean_utf8),
    cmocka_unit_test(no_changed_byte_passes_unseen),
    cmocka_unit_test(builder_refuses),
    cmocka_unit_test(the_answer_says_what_was_wrong),
    cmocka_unit_test(memory_may_run_out),
    cmocka_unit_test(rows_go_through_the_socket),
};
UNIT_MAIN("commit", TESTS)
