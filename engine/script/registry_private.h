/* Shared by registry.c (build, publish), registry_watch.c (the poll), registry_gate.c (plays,
 * grants) and registry_admin.c. */
#ifndef LUWAK_SCRIPT_REGISTRY_PRIVATE_H
#define LUWAK_SCRIPT_REGISTRY_PRIVATE_H

#include "script/registry.h"
#include "script/source.h"
#include "sys/crypto.h"

#define POLL_MS    250
#define LOOK_AGAIN 8  /* polls for which bytes are read again after stat saw a change */
#define LOOK_ALL   40 /* every so many polls all bytes are read */

/* Where versions of one entry stand; each is a pointer or a flag of it, and several may be set at
 * once: one serves, one waits for grants, one waits for deploy, one comes after that.
 *
 *   dirty -> built --> queued --> playing --> saving "staged" --> staged --deploy--+
 *     ^        |         (staged mode; one entry plays at a time)                  |
 *     |        +-- auto mode, the first start, rolled back to ---------------------+
 *     |        |                                                    lacks grants?  |
 *   waits <----+ memory is short                               held <--------------+
 *              +-> error (and failed: its plays were it)          |                v
 *                                                        granted  +-> saving "live" --> live
 *
 * Busy (registry_busy): dirty, waits, queued, playing or saving: what it comes to is not known yet,
 * so a deploy waits. What cannot be saved stays where it was. */
struct deploying {
    void (*done)(void *data, const struct why *why);
    void *data;
};

struct entry {
    char *path;
    char name[SCRIPT_PATH_MAX];
    enum script_kind kind;

    /* the watch */
    bool found;      /* in this poll */
    bool present;    /* as of the last settled look */
    bool unreadable; /* as of the last look: reported */
    struct stat stat;
    char seen[SHA256_HEX_SIZE];    /* bytes at the last look; "" gone */
    char settled[SHA256_HEX_SIZE]; /* bytes that were built (or tried) last */
    int again;                     /* polls left in which bytes are read whatever stat says */

    /* the script */
    struct version *live;    /* serves; NULL: none yet */
    bool unsaid;             /* that it does, as soon as a set with it is out */
    struct version *staged;  /* waits for deploy */
    struct version *held;    /* may go live, but lacks grants */
    struct version *saving;  /* on its way into the store */
    const char *saving_as;   /* "live" "staged" "deleted" */
    struct deploying deploy; /* who waits for `saving` */
    struct deploying wish;   /* a deploy that waits until what is under way is over */
    bool deleted;
    bool queued;                    /* its plays wait for their turn */
    bool failed;                    /* its plays did: a changed test may mend it */
    char passed[SHA256_HEX_SIZE];   /* plays_of, the key: of what passed last */
    char built[VERSION_ID_SIZE];    /* what the last build gave; "": an error */
    bool dirty;                     /* to be built */
    bool waits;                     /* for memory: it is built at the next try */
    bool clash;                     /* refused for a route that somebody else has */
    char approved[VERSION_ID_SIZE]; /* rolled back to, and was live once: not staged again */
    char *error;                    /* last one, NULL: good */
    char *kept_version;             /* at start: what the store has live */
    char *kept_parts;

    struct {                    /* during the start: registry_unchanged.c */
        struct part_text *text; /* as it was settled */
        struct str outline;     /* of version `of`; p NULL: none */
        char of[VERSION_ID_SIZE];
        char *made; /* outline.p, where it is not the file's */
    } start;
};

struct registry {
    struct registry_options options;
    char *root;
    struct entry **entries; /* by path */
    size_t count;
    struct script_set *set;
    uint64_t serial;
    struct registry_listener *listeners;
    struct timer timer;
    struct task build_task;
    bool building;      /* build_task is posted */
    bool starting;      /* built, not yet all kept */
    bool started;       /* the first scan is over */
    bool bootstrap;     /* staged mode, and the store knows no version: all goes live */
    bool set_pending;   /* a set could not be made for want of memory */
    struct timer retry; /* what memory was too short for */
    bool unlisted;      /* the folder could not be listed, which was said */
    struct {            /* during the start: registry_unchanged.c */
        struct buf file;
        lua_State *L; /* outlines become tables in it; NULL: there are none */
        bool wanted;  /* those of what is loaded now are kept */
    } outlines;
    unsigned polls;
    int saves;               /* under way */
    struct {                 /* the plays that run */
        struct entry *entry; /* NULL: none do */
        struct version *version;
        char key[SHA256_HEX_SIZE];
    } play;
    struct task start_task;
    int start_err;
    void (*start_done)(void *data, int err);
    void *start_data;
};

struct entry *registry_entry(const struct registry *r, const char *path);
int registry_entry_add(struct registry *r, const char *path, enum script_kind kind,
                       const char *name, struct entry **out);
void registry_report(struct registry *r, struct entry *e, const char *text);
void registry_mark(struct registry *r, struct entry *e); /* to be built, one per loop turn */
void registry_publish(struct registry *r);
/* Memory was short for the entry, or for the set (NULL). A start is refused for it: some of the
 * scripts would be worse than none. Later what serves goes on, and it is tried again. */
void registry_short(struct registry *r, struct entry *e);
void registry_gone(struct registry *r, struct entry *e);
void registry_save(struct registry *r, struct entry *e, struct version *v, const char *state);
/* E_EXISTS: a route of it belongs to another script, which is named. */
int registry_check_routes(struct registry *r, struct entry *e, const struct version *v,
                          struct why *why);
void registry_build(struct registry *r, struct entry *e);

void registry_good_again(struct entry *e);

void registry_scan(struct registry *r, bool first);

static inline bool entry_is_script(const struct entry *e) { /* no module, test, query */
    return (e->kind & (KIND_LIB | KIND_TEST | KIND_QUERY)) == 0;
}

/* registry_unchanged.c, all during the start. Open: the outlines that were kept, once the store's
 * versions are known. Close: keeps those that are new, if the start was good. */
int registry_outlines_open(struct registry *r);
void registry_outlines_close(struct registry *r);
bool registry_keeps_text(const struct registry *r, const struct entry *e);
/* The version that the store has live, if nothing of it has changed and it can be known without
 * being run. E_NOTFOUND: build it. E_NOMEM. */
int registry_unchanged(struct registry *r, struct entry *e, struct version **out);
int registry_load(struct registry *r, struct entry *e, struct version *v, struct why *why);

/* registry_gate.c. These take the reference to v over. */
void registry_stage(struct registry *r, struct entry *e, struct version *v); /* plays, then waits */
void registry_go_live(struct registry *r, struct entry *e, struct version *v); /* when granted */
bool registry_lacks(struct registry *r, const struct version *v, struct buf *command);
bool registry_busy(const struct registry *r, const struct entry *e);
void registry_drop_held(struct entry *e);
void registry_test_changed(struct registry *r);
bool registry_playing(const struct registry *r, const struct entry *e);
/* Nothing is under way for e any more, maybe: what waited for that has its turn. */
void registry_settled(struct registry *r, struct entry *e);
void registry_wish(struct registry *r, struct entry *e); /* of that, the deploy */

#endif
