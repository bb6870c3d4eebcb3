#include "base/fault.h"

#ifdef LUWAK_FAULTS
#include "base/str.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define POINTS_MAX 16

static struct point {
    struct str name;
    char action;  /* first letter of kill, exit, hang, fail */
    int64_t left; /* passings until it happens; 0 = happened */
} points[POINTS_MAX];
static size_t count;
static char *plan_text;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ready;

static void load(const char *plan) {
    free(plan_text);
    plan_text = plan == NULL ? NULL : strdup(plan);
    count = 0;
    struct str rest = str_of(plan_text), one, action, times;
    while (rest.n != 0 && count < POINTS_MAX) {
        str_cut(rest, ',', &one, &rest);
        struct point *p = &points[count];
        if (!str_cut(one, '=', &p->name, &action) || action.n == 0) continue;
        p->left = 1;
        if (str_cut(action, '@', &action, &times)) str_to_i64(times, &p->left);
        p->action = action.p[0];
        count++;
    }
    ready = 1;
}

void fault_set(const char *plan) {
    pthread_mutex_lock(&lock);
    load(plan);
    pthread_mutex_unlock(&lock);
}

int fault_at(const char *name) {
    char action = 0;
    pthread_mutex_lock(&lock);
    if (!ready) load(getenv("LUWAK_FAULT"));
    for (size_t i = 0; i < count; i++) {
        struct point *p = &points[i];
        if (p->left > 0 && str_eq(p->name, str_of(name)) && --p->left == 0) action = p->action;
    }
    pthread_mutex_unlock(&lock);
    switch (action) {
    case 'k': kill(getpid(), SIGKILL); break;
    case 'e': _exit(70);
    case 'h':
        for (;;)
            pause();
    case 'f': return 1;
    }
    return 0;
}
#else
typedef int fault_not_built; /* ISO C wants one declaration */
#endif
