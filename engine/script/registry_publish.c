/* registry_publish: what serves goes to the workers as one set; what memory was too short for, a set
 * or a script, is tried again. */
#include "base/ensure.h"
#include "base/mem.h"
#include "script/registry_private.h"
#include "sys/log.h"

void registry_hear(struct registry_listener *l) {
    struct script_set *set = atomic_exchange(&l->pending, NULL);
    if (set != NULL) l->changed(l, set);
}

static void heard(struct task *task) {
    struct registry_listener *l = CONTAINER_OF(task, struct registry_listener, task);
    atomic_store(&l->posted, false);
    registry_hear(l);
}

/* A set that nobody took yet is replaced; the task is posted by whoever finds it not posted. */
static void tell(struct registry_listener *l, struct script_set *set) {
    script_set_drop(atomic_exchange(&l->pending, script_set_keep(set)));
    if (!atomic_exchange(&l->posted, true)) loop_post(l->loop, &l->task);
}

static void try_again(struct timer *timer) {
    struct registry *r = CONTAINER_OF(timer, struct registry, retry);
    if (r->set_pending) registry_publish(r);
    for (size_t i = 0; i < r->count; i++)
        if (r->entries[i]->waits) registry_mark(r, r->entries[i]);
}

void registry_short(struct registry *r, struct entry *e) {
    if (!r->started) {
        r->start_err = E_NOMEM;
        return;
    }
    log_warn("scripts_wait_for_memory", L_TEXT("path", e == NULL ? "" : e->path));
    if (e == NULL)
        r->set_pending = true;
    else
        e->waits = true;
    if (!timer_armed(&r->retry)) timer_start(r->options.loop, &r->retry, POLL_MS, try_again);
}

/* Said when it is so; at the start one line counts them all. */
static void say_live(struct registry *r, enum log_level level) {
    for (size_t i = 0; i < r->count; i++) {
        struct entry *e = r->entries[i];
        if (!e->unsaid) continue;
        e->unsaid = false;
        log_emit(level, "script_live",
                 (const struct log_field[]){
                     L_TEXT("path", e->path), L_TEXT("version", e->live->id), {0}});
    }
}

void registry_publish(struct registry *r) {
    if (!r->started) return;
    struct script_set *set = NULL;
    struct script_entry *list = mem_array(r->count + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; list != NULL && i < r->count; i++)
        if (r->entries[i]->live != NULL)
            list[count++] = (struct script_entry){r->entries[i]->live, r->entries[i]->deleted};
    int err = list == NULL ? E_NOMEM : script_set_new(&set, list, count, r->serial + 1);
    mem_free(list);
    r->set_pending = false;
    if (err != 0) {
        registry_short(r, NULL);
        return;
    }
    r->serial++;
    script_set_drop(r->set);
    r->set = set;
    for (struct registry_listener *l = r->listeners; l != NULL; l = l->next)
        tell(l, set);
    say_live(r, r->starting ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
}

void registry_listen(struct registry *r, struct registry_listener *l) {
    l->task = (struct task){.run = heard};
    atomic_store(&l->pending, NULL);
    atomic_store(&l->posted, false);
    l->next = r->listeners;
    r->listeners = l;
    if (r->set != NULL) tell(l, r->set);
}

void registry_unlisten(struct registry *r, struct registry_listener *listener) {
    struct registry_listener **at = &r->listeners;
    while (*at != NULL && *at != listener)
        at = &(*at)->next;
    if (*at != NULL) *at = listener->next;
    script_set_drop(atomic_exchange(&listener->pending, NULL));
}

struct script_set *registry_set(struct registry *r) {
    return r->set;
}
