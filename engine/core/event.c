#include "core/event.h"

#include "base/json.h"
#include "base/timefmt.h"

void event_add(const struct core *core, struct commit *commit, struct str merchant,
               const char *type, struct str object, struct str data) {
    commit_add(
        commit, OP_EVENT_APPEND,
        VALS(V_STR(merchant), V_TEXT(type), V_STR(object), V_BLOB(data), V_INT(core_now(core))));
}

static void put_bits(uint8_t *out, int64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; i--)
        *out++ = (uint8_t)((uint64_t)value >> 8 * i);
}

static int64_t bits_of(const uint8_t *raw, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | raw[i];
    return (int64_t)value;
}

/* One of the three parts of an id, in id_encode's alphabet. */
enum { TIME_BYTES = 6, TOPIC_BYTES = 3, SEQUENCE_BYTES = 5, PART_MAX = 6 };
enum { TIME_AT = 4, TOPIC_AT = 15, SEQUENCE_AT = 21, END_AT = 29 };

void event_id_make(char out[ID_SIZE], int64_t at, int64_t topic, int64_t sequence) {
    uint8_t raw[PART_MAX];
    memcpy(out, "evt_", TIME_AT);
    put_bits(raw, at, TIME_BYTES);
    id_encode(out + TIME_AT, raw, TIME_BYTES);
    put_bits(raw, topic, TOPIC_BYTES);
    id_encode(out + TOPIC_AT, raw, TOPIC_BYTES);
    put_bits(raw, sequence, SEQUENCE_BYTES);
    id_encode(out + SEQUENCE_AT, raw, SEQUENCE_BYTES);
    out[TOPIC_AT - 1] = 't';
    out[SEQUENCE_AT - 1] = 's';
}

static int part_of(struct str id, size_t from, size_t to, int bytes, int64_t *out) {
    uint8_t raw[PART_MAX];
    int err = id_decode(str_sub(id, from, to), raw, (size_t)bytes);
    if (err == 0) *out = bits_of(raw, bytes);
    return err;
}

int event_id_parse(struct str id, int64_t *at, int64_t *topic, int64_t *sequence) {
    bool good = id.n == END_AT && str_starts(id, STR("evt_")) && id.p[TOPIC_AT - 1] == 't' &&
                id.p[SEQUENCE_AT - 1] == 's' &&
                part_of(id, TIME_AT, TOPIC_AT - 1, TIME_BYTES, at) == 0 &&
                part_of(id, TOPIC_AT, SEQUENCE_AT - 1, TOPIC_BYTES, topic) == 0 &&
                part_of(id, SEQUENCE_AT, END_AT, SEQUENCE_BYTES, sequence) == 0;
    return good ? 0 : E_NOTFOUND;
}

int event_read(const struct core *core, struct str merchant, struct str id, struct rows **out) {
    int64_t at, topic, sequence;
    int err = event_id_parse(id, &at, &topic, &sequence);
    if (err == 0)
        err = store_get(core->store, "merchant_event", VALS(V_STR(merchant), V_INT(sequence)), out);
    if (err != 0) return err;
    if (rows_count(*out) == 1 && rows_int(*out, 0, 0) == topic && rows_int(*out, 0, 5) == at)
        return 0;
    rows_free(*out);
    *out = NULL;
    return E_NOTFOUND;
}

void json_put_time(struct json_out *w, const char *key, int64_t ms) {
    json_key(w, key);
    if (ms == 0) {
        json_null(w);
        return;
    }
    char bytes[40];
    struct buf text = {.data = bytes, .cap = sizeof bytes, .max = sizeof bytes - 1};
    if (time_format(ms, STR("rfc3339"), ZONE_WIB, &text) != 0) w->err = E_RANGE;
    json_str(w, buf_str(&text));
}

int event_json(const struct rows *rows, size_t row, struct buf *out) {
    char id[ID_SIZE];
    struct json_out w;
    event_id_make(id, rows_int(rows, row, 5), rows_int(rows, row, 0), rows_int(rows, row, 1));
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_text(&w, "id", id);
    json_put_text(&w, "object", "event");
    json_put_int(&w, "sequence", rows_int(rows, row, 1));
    json_put_str(&w, "type", rows_text(rows, row, 2));
    json_put_time(&w, "created_at", rows_int(rows, row, 5));
    json_key(&w, "data");
    json_begin_object(&w);
    json_key(&w, "object");
    json_raw(&w, rows_text(rows, row, 4));
    json_end_object(&w);
    json_end_object(&w);
    return json_out_end(&w);
}

int event_webhook_json(const struct rows *rows, size_t row, struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_object(&w);
    json_put_str(&w, "type", rows_text(rows, row, 2));
    json_put_time(&w, "timestamp", rows_int(rows, row, 5));
    json_put_int(&w, "sequence", rows_int(rows, row, 1));
    json_key(&w, "data");
    json_raw(&w, rows_text(rows, row, 4));
    json_end_object(&w);
    return json_out_end(&w);
}
