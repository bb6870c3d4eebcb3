/* The parsed form of ops_list.h. Parsed once, at first use; the list is ours, so a mistake in it is
 * an ENSURE, and the first test that runs finds it. */
#include "store/ops.h"

#include "base/ensure.h"
#include "store/wire.h"

#include <pthread.h>

#define TIME_MAX_MS 253402300799999 /* end of the year 9999 */

static struct op_def table[OP_COUNT_] = {
#define X(NAME, n, f, d) [OP_##NAME] = {.name = n, .doc = d},
    STORE_OPS(X)
#undef X
};

static const char *const SPECS[OP_COUNT_] = {
#define X(NAME, n, f, d) [OP_##NAME] = f,
    STORE_OPS(X)
#undef X
};

static void field_parse(struct op_field *field, struct str spec) {
    struct str type;
    bool typed = str_cut(spec, ':', &field->name, &type);
    ENSURE(typed);
    field->nullable = type.p[type.n - 1] == '?';
    if (field->nullable) type.n--;
    field->least = INT64_MIN;
    field->most = INT64_MAX;
    if (str_eq(type, STR("text"))) {
        field->type = VAL_TEXT;
    } else if (str_eq(type, STR("blob"))) {
        field->type = VAL_BLOB;
    } else {
        field->type = VAL_INT;
        bool is_bool = str_eq(type, STR("bool")), is_time = str_eq(type, STR("time"));
        ENSURE(is_bool || is_time || str_eq(type, STR("int")));
        if (is_bool || is_time) field->least = 0;
        if (is_bool) field->most = 1;
        if (is_time) field->most = TIME_MAX_MS;
    }
}

static void table_parse(void) {
    for (size_t i = 0; i < OP_COUNT_; i++) {
        struct str rest = str_of(SPECS[i]), one;
        while (rest.n != 0) {
            str_cut(rest, ' ', &one, &rest);
            if (one.n == 0) continue;
            ENSURE(table[i].field_count < OP_FIELDS_MAX);
            field_parse(&table[i].fields[table[i].field_count++], one);
        }
    }
}

static pthread_once_t parsed = PTHREAD_ONCE_INIT;

const struct op_def *op_def(enum store_op op) {
    pthread_once(&parsed, table_parse);
    ENSURE(op < OP_COUNT_);
    return &table[op];
}

bool op_find(struct str name, enum store_op *op) {
    for (size_t i = 0; i < OP_COUNT_; i++) {
        if (!str_eq(name, str_of(table[i].name))) continue;
        *op = (enum store_op)i;
        return true;
    }
    return false;
}

const char *op_field_wrong(const struct op_field *field, const struct val *value) {
    if (value->type == VAL_NULL) return field->nullable ? NULL : "may not be null";
    if (value->type != field->type) return "has the wrong type";
    if (value->type == VAL_INT && (value->i < field->least || value->i > field->most))
        return "is out of range";
    if (value->type == VAL_TEXT && !wire_text_good(value->s)) return "is no clean text";
    return NULL;
}
