#include "core/event.h"

#include "base/json.h"
#include "base/timefmt.h"

#define TOPIC_BITS    24
#define SEQUENCE_BITS 56

void event_add(const struct core *core, struct commit *commit, struct str merchant,
               const char *type, struct str object, struct str data) {
    commit_add(
        commit, OP_EVENT_APPEND,
        VALS(V_STR(merchant), V_TEXT(type), V_STR(object), V_BLOB(data), V_INT(core_now(core))));
}

void event_id_make(char out[ID_SIZE], int64_t at, int64_t topic, int64_t sequence) {
    uint8_t raw[16];
    uint64_t where = (uint64_t)topic, seq = (uint64_t)sequence;
    for (int i = 0; i < 6; i++)
        raw[i] = (uint8_t)((uint64_t)at >> (40 - 8 * i));
    for (int i = 0; i < 3; i++)
        raw[6 + i] = (uint8_t)(where >> (16 - 8 * i));
    for (int i = 0; i < 7; i++)
        raw[9 + i] = (uint8_t)(seq >> (48 - 8 * i));
    memcpy(out, "evt_", 4);
    id_encode(out + 4, raw, sizeof raw);
}

int event_id_parse(struct str id, int64_t *at, int64_t *topic, int64_t *sequence) {
    uint8_t raw[16];
    if (!str_starts(id, STR("evt_")) || id_decode(str_sub(id, 4, id.n), raw, sizeof raw) != 0)
        return E_NOTFOUND;
    uint64_t when = 0, where = 0, seq = 0;
    for (int i = 0; i < 6; i++)
        when = when << 8 | raw[i];
    for (int i = 0; i < 3; i++)
        where = where << 8 | raw[6 + i];
    for (int i = 0; i < 7; i++)
        seq = seq << 8 | raw[9 + i];
    *at = (int64_t)when;
    *topic = (int64_t)where;
    *sequence = (int64_t)seq;
    return 0;
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
