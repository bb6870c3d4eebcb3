/* See signals.h. libuv's handles end in their close callback: the struct is freed with the last. */
#include "loop/signals.h"

#include "base/err.h"
#include "base/mem.h"

#include <uv.h>

#define SIGNALS_MAX 4

struct signals {
    uv_signal_t handles[SIGNALS_MAX];
    int open;
    void (*got)(int number, void *data);
    void *data;
    void (*closed)(void *data);
    void *closed_data;
};

static void received(uv_signal_t *handle, int number) {
    struct signals *s = handle->data;
    s->got(number, s->data);
}

static void handle_closed(uv_handle_t *handle) {
    struct signals *s = handle->data;
    if (--s->open != 0) return;
    void (*closed)(void *) = s->closed;
    void *data = s->closed_data;
    mem_free(s);
    if (closed != NULL) closed(data);
}

int signals_new(struct signals **out, struct loop *loop, const int *numbers,
                void (*got)(int number, void *data), void *data) {
    struct signals *s = mem_zalloc(sizeof *s);
    if (s == NULL) return E_NOMEM;
    s->got = got;
    s->data = data;
    for (int i = 0; i < SIGNALS_MAX && numbers[i] != 0; i++) {
        uv_signal_init(loop_uv_handle(loop), &s->handles[i]);
        s->handles[i].data = s;
        s->open++;
        uv_signal_start(&s->handles[i], received, numbers[i]);
    }
    *out = s;
    return 0;
}

void signals_delete(struct signals *s, void (*closed)(void *data), void *data) {
    s->closed = closed;
    s->closed_data = data;
    int open = s->open;
    for (int i = 0; i < open; i++)
        uv_close((uv_handle_t *)&s->handles[i], handle_closed);
}
