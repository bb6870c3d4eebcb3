#include "registry_fake.h"

#include "base/ensure.h"

#include <stdlib.h>

struct later {
    struct task task;
    registry_done_cb done;
    void *data;
    int err;
};
static void run_later(struct task *t) {
    struct later *l = CONTAINER_OF(t, struct later, task);
    registry_done_cb done = l->done;
    void *data = l->data;
    int err = l->err;
    free(l);
    done(data, err);
}
static void post_done(struct fake_store *s, registry_done_cb done, void *data, int err) {
    struct later *l = calloc(1, sizeof *l);
    *l = (struct later){.task.run = run_later, .done = done, .data = data, .err = err};
    if (s->hold && s->held_count < 16)
        s->held[s->held_count++] = l;
    else
        loop_post(s->loop, &l->task);
}
void fake_store_release(struct fake_store *s) {
    s->hold = false;
    for (int i = 0; i < s->held_count; i++)
        loop_post(s->loop, &s->held[i]->task);
    s->held_count = 0;
}

static void save(struct registry_store *api, const struct version *v, const char *state,
                 registry_done_cb done, void *data) {
    struct fake_store *s = (struct fake_store *)api;
    if (s->fail == 0) {
        struct buf parts = {0};
        version_write_parts(v, &parts);
        s->rows[s->count++ % 20000] = (struct fake_row){strdup(v->path), strdup(v->id),
                                                        strdup(state), strdup(buf_str(&parts).p)};
        buf_free(&parts);
        for (size_t i = 0; i < v->part_count; i++) {
            int k = 0;
            while (k < s->text_count && strcmp(s->texts[k].hash, v->parts[i].hash) != 0)
                k++;
            if (k < s->text_count) continue;
            s->texts[k].hash = strdup(v->parts[i].hash);
            s->texts[k].text = strndup(v->parts[i].text.p, v->parts[i].text.n);
            s->text_count++;
        }
    }
    post_done(s, done, data, s->fail);
}

static struct registry_row row_of(const struct fake_row *f, int at) {
    return (struct registry_row){str_of(f->path), str_of(f->version), str_of(f->state),
                                 str_of(f->parts), INT64_C(1773120896000) + at * 1000};
}

static void live(struct registry_store *api, registry_row_cb row, registry_done_cb done,
                 void *data) {
    struct fake_store *s = (struct fake_store *)api;
    for (int i = 0; i < s->count; i++) {
        bool last = strcmp(s->rows[i].state, "live") == 0;
        for (int k = i + 1; k < s->count; k++)
            if (strcmp(s->rows[k].path, s->rows[i].path) == 0 &&
                strcmp(s->rows[k].state, "staged") != 0)
                last = false;
        struct registry_row r = row_of(&s->rows[i], i);
        if (last) row(data, &r);
    }
    post_done(s, done, data, 0);
}

static int history(struct registry_store *api, const char *path, int max, registry_row_cb row,
                   void *data) {
    struct fake_store *s = (struct fake_store *)api;
    for (int i = s->count - 1; i >= 0 && max > 0; i--)
        if (strcmp(s->rows[i].path, path) == 0) {
            struct registry_row r = row_of(&s->rows[i], i);
            row(data, &r);
            max--;
        }
    return 0;
}

static int version(struct registry_store *api, const char *path, const char *id,
                   registry_row_cb row, void *data) {
    struct fake_store *s = (struct fake_store *)api;
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].path, path) == 0 && strcmp(s->rows[i].version, id) == 0) {
            struct registry_row r = row_of(&s->rows[i], i);
            row(data, &r);
            return 0;
        }
    return E_NOTFOUND;
}

static int text(struct registry_store *api, struct str hash, struct buf *out) {
    struct fake_store *s = (struct fake_store *)api;
    for (int i = 0; i < s->text_count; i++)
        if (str_eq(str_of(s->texts[i].hash), hash)) {
            buf_adds(out, s->texts[i].text);
            return out->err;
        }
    return E_NOTFOUND;
}

void fake_store_init(struct fake_store *s, struct loop *loop) {
    memset(s, 0, sizeof *s);
    s->api = (struct registry_store){save, live, history, version, text};
    s->loop = loop;
}

void fake_store_free(struct fake_store *s) {
    for (int i = 0; i < s->count && i < 20000; i++) {
        free(s->rows[i].path), free(s->rows[i].version);
        free(s->rows[i].state), free(s->rows[i].parts);
    }
    for (int i = 0; i < s->text_count; i++)
        free(s->texts[i].hash), free(s->texts[i].text);
}
