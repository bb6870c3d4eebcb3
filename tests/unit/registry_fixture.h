/* What the tests of hot load share: a registry over a real folder of the test's own, in virtual time,
 * whose plays end when the test says so and whose channels lack a grant until it gives it. */
#ifndef LUWAK_TESTS_REGISTRY_FIXTURE_H
#define LUWAK_TESTS_REGISTRY_FIXTURE_H

#include "registry_fake.h"
#include "unit.h"

extern struct fixture {
    struct clock clock;
    struct loop *loop;
    struct registry *r;
    struct registry_options options;
    struct fake_store store;
    struct registry_listener listener;
    struct script_set *set; /* as a worker has it */
    char root[512];
    int broken; /* reports so far */
    char said[WHY_MAX];
    int started;
    int64_t live_before;
    /* plays: nothing ends until the test says how */
    bool playing;
    char files[512]; /* "a b " of the run under way, or the last */
    int runs;
    void (*played)(void *to, const struct why *why);
    void *played_to;
    bool granted;
} f;

/* Each test begins with empty folders and ends with no block of memory more than before. */
int setup(void **state);
int teardown(void **state);
#define T(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SECOND() loop_sim_run_for(f.loop, 1000)

/* What the registry tells: counted in f.broken with its text in f.said, and kept in f.set. */
void on_broken(void *data, const char *path, const char *text);
void on_changed(struct registry_listener *self, struct script_set *set);

void begin(enum scripts_mode mode, bool with_store);
void finish(void);

/* files below the root */
void put(const char *path, const char *text);
void put_by_rename(const char *path, const char *text);
void make(const char *folder);
void gone(const char *path);

/* Scripts: a page whose route names its version; the same with the module m's word behind it. */
const char *api(const char *word);
const char *api_of_m(const char *word);
const char *title(const char *name); /* of the page that serves; "-": none, "deleted" */
bool listed(const char *text);

int deploy(const char *path);
/* For a deploy that waits: it sets `deployed`. */
void on_deployed(void *data, const struct why *why);
extern const struct why *deployed;
void play_ends(int code, const char *text);

/* the log: nothing kept; or the title that served when script_live was said */
void quiet(void *data, struct str line);
void hear_at_live(void *data, struct str line);
extern char live_title[64];

#endif
