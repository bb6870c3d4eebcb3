/* The scripts of the root folder: watched, built aside, checked, published; and what the operator
 * can ask about them. Lives on the main thread's loop; only listeners are other loops.
 *
 * A file goes through:
 *
 *   seen changed --> settled (same bytes at two looks) --> built and checked --> granted? --> kept
 *        |                                                     |                   ^   |      in the
 *        |                                                     |                   |   |      store,
 *        |          broken: reported once, the old serves <----+                   |   |      then
 *        |                ^                                    |                   |   |   published
 *        |                +-------- its plays fail <--------- staged mode:         |   v
 *        |                          they pass: kept, waits for registry_deploy ----+  held until
 *        |                                                                            granted
 *        +--> gone at two looks: takes no new payments, its last version serves the open ones
 *
 * The watch is a poll: stat every 250 ms, and the bytes are hashed when stat changed, for 2 s after
 * that (writes within one tick of the file system's clock), and of everything every 10 s. Names,
 * inodes and links do not matter, only what a read gives, so any way of saving works.
 *
 * A changed module makes the scripts that require it be built again; at most one script is built
 * per loop turn. Workers hear of a new set by a task on their loop; several publications in between
 * come as one. A script that cannot be kept in the store is not published.
 *
 * At a start a script whose texts are those that the store has live is neither run nor compiled: what
 * it declared was kept beside the database (registry_unchanged.c).
 *
 * The store remembers what was live, not what waits: after a restart a staged version is built,
 * played and staged anew, and one that was deployed but held for grants is to be deployed again. */
#ifndef LUWAK_SCRIPT_REGISTRY_H
#define LUWAK_SCRIPT_REGISTRY_H

#include "loop/loop.h"
#include "script/registry_store.h"
#include "script/script_set.h"

struct registry;

enum scripts_mode { SCRIPTS_AUTO, SCRIPTS_STAGED };

struct registry_options {
    struct loop *loop;
    const char *root;
    const struct bind_module *const *modules; /* BIND_MODULES */
    enum scripts_mode mode;
    bool unwatched;               /* the folder is read once, at the start, and at registry_look */
    bool unplayed;                /* for who only asks: what has plays is shown as staged, without
                                     them, and not kept as that */
    struct registry_store *store; /* NULL: nothing is kept (checks, one-off runs) */
    const char *outlines;         /* the folder where it is kept what scripts declare, so that
                                     unchanged ones need not run at a start; NULL: nowhere */
    const char *build;            /* which build of the engine this is; NULL or "": unknown */
    /* Staged mode: runs the plays of a version, files below the root, before it is staged. `done`
     * later on the loop; E_CLOSED: we are stopping; E_NOMEM: it is tried again. One run at a time.
     * NULL: no plays. */
    void (*plays)(void *data, const char *const *files, size_t count,
                  void (*done)(void *to, const struct why *why), void *to);
    /* False: v has every grant it needs; else appends the command that gives it the rest. NULL:
     * nothing has to be granted. */
    bool (*lacks)(void *data, const struct version *v, struct buf *command);
    /* False: every key that v declares is set; else appends those that are not. NULL: all are. */
    bool (*unset)(void *data, const struct version *v, struct buf *keys);
    /* Takes the text of scripts/queries/NAME.sql, new or changed; the error is reported, and what
     * was there before stays. NULL: queries are somebody else's. */
    int (*query)(void *data, const char *name, const char *sql, struct why *why);
    void (*broken)(void *data, const char *path,
                   const char *text); /* once per new error; or NULL */
    void *data;
};

int registry_new(struct registry **out, const struct registry_options *options, struct why *why);

/* Reads what the store has live, loads the folder, publishes, then watches. `started` is called
 * once, on the loop, or inside where memory is short (E_NOMEM); broken scripts do not fail it. */
void registry_start(struct registry *r, void (*started)(void *data, int err), void *data);
void registry_look(struct registry *r); /* a poll now: SIGHUP, tests */
/* Nothing may be under way in the store any more (registry_idle). */
void registry_delete(struct registry *r);
bool registry_idle(const struct registry *r); /* nothing to build, to play, being stored */

/* ---- for workers ---- */

struct registry_listener {
    struct registry_listener *next;
    struct loop *loop;
    /* On its loop; `set` is the listener's to drop. */
    void (*changed)(struct registry_listener *self, struct script_set *set);
    struct task task;
    atomic_bool posted;
    _Atomic(struct script_set *) pending;
};
/* Both on the registry's loop. Listening begins with the current set. Before unlisten the
 * listener's loop must have stopped or run its tasks. */
void registry_listen(struct registry *r, struct registry_listener *listener);
void registry_unlisten(struct registry *r, struct registry_listener *listener);
/* On the listener's loop, before a set is used: what was published is used from now on, though the
 * loop has not come to hear of it. So a request sent after the log said "script_live" meets it. */
void registry_hear(struct registry_listener *listener);

/* On the registry's loop: the set that serves; keep it to keep it. */
struct script_set *registry_set(struct registry *r);

/* ---- for the operator: texts for the command line ---- */

void registry_list(struct registry *r, struct buf *out);
int registry_history(struct registry *r, const char *path, struct buf *out, struct why *why);
/* Between two versions: `from` NULL = what serves; `to` NULL = the file in the folder. */
int registry_diff(struct registry *r, const char *path, const char *from, const char *to,
                  struct buf *out, struct why *why);
/* What registry_rollback would write, and of which version; for whoever may write where we may not. */
int registry_kept_text(struct registry *r, const char *path, const char *id,
                       char version[VERSION_ID_SIZE], struct buf *text, struct why *why);
/* Writes the text of version `id` (NULL: the one that was live before) back to the folder, where it
 * may stand already. It is
 * not staged again where it was live once with the modules as they are now. */
int registry_rollback(struct registry *r, const char *path, const char *id, struct buf *out,
                      struct why *why);
/* What waits for this path goes live; `done` once it is kept and published (code 0), or at once
 * where that cannot be. A save that is still being taken in, or played, is waited for. A version
 * that lacks grants is held, E_STATE says how to give them. */
void registry_deploy(struct registry *r, const char *path,
                     void (*done)(void *data, const struct why *why), void *data);
/* The grants have changed: what was held for them goes live. */
void registry_granted(struct registry *r);
/* Every version that serves, waits or is held. */
void registry_each(const struct registry *r, void (*each)(void *data, const struct version *v),
                   void *data);
/* The last error of a path, or NULL. */
const char *registry_error(const struct registry *r, const char *path);

#endif
