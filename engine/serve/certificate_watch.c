#include "serve/certificate_watch.h"

#include "base/ensure.h"
#include "sys/log.h"

#include <string.h>

enum { LOOK_MS = 2000 };

static void look_at(const struct certificate_watch *w, struct stat out[CERTIFICATE_FILES]) {
    for (int i = 0; i < CERTIFICATE_FILES; i++)
        if (w->files[i] == NULL || stat(w->files[i], &out[i]) != 0)
            memset(&out[i], 0, sizeof out[i]);
}

static bool same(const struct stat a[CERTIFICATE_FILES], const struct stat b[CERTIFICATE_FILES]) {
    for (int i = 0; i < CERTIFICATE_FILES; i++)
        if (a[i].st_dev != b[i].st_dev || a[i].st_ino != b[i].st_ino ||
            a[i].st_size != b[i].st_size || a[i].st_mtim.tv_sec != b[i].st_mtim.tv_sec ||
            a[i].st_mtim.tv_nsec != b[i].st_mtim.tv_nsec ||
            a[i].st_ctim.tv_sec != b[i].st_ctim.tv_sec ||
            a[i].st_ctim.tv_nsec != b[i].st_ctim.tv_nsec)
            return false;
    return true;
}

static void reload(struct certificate_watch *w, const struct stat now[CERTIFICATE_FILES]) {
    struct why why = {0};
    memcpy(w->served, now, sizeof w->served); /* not tried again until it changes again */
    if (tls_server_reload(w->tls, &why) != 0)
        log_error("certificate_not_reloaded", L_TEXT("error", why.text));
    else
        log_info("certificate_reloaded", L_TEXT("path", w->files[0]));
}

static void look(struct timer *timer) {
    struct certificate_watch *w = CONTAINER_OF(timer, struct certificate_watch, timer);
    struct stat now[CERTIFICATE_FILES];
    look_at(w, now);
    if (!same(now, w->served) && same(now, w->seen)) reload(w, now);
    memcpy(w->seen, now, sizeof w->seen);
    timer_start(w->loop, &w->timer, LOOK_MS, look);
}

void certificate_watch_start(struct certificate_watch *w, struct loop *loop, struct tls_server *tls,
                             const struct config *config) {
    if (tls == NULL) return;
    w->loop = loop;
    w->tls = tls;
    w->files[0] = config_text(config, SET_LUWAK_TLS_CERT);
    w->files[1] = config_text(config, SET_LUWAK_TLS_KEY);
    w->files[2] = config_text(config, SET_LUWAK_TLS_CLIENT_CA);
    look_at(w, w->served);
    memcpy(w->seen, w->served, sizeof w->seen);
    timer_start(loop, &w->timer, LOOK_MS, look);
}

void certificate_watch_now(struct certificate_watch *w) {
    if (w->tls == NULL) return;
    struct stat now[CERTIFICATE_FILES];
    look_at(w, now);
    reload(w, now);
}

void certificate_watch_stop(struct certificate_watch *w) {
    timer_stop(&w->timer);
}
