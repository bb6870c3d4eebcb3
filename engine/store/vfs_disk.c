/* See vfs_record.h: the disk's side. Memory: each file owns its two contents and its pending
 * changes; an image is a disk of its own, with everything copied and nothing pending. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/vfs_private.h"

#include <stdio.h>
#include <string.h>

#define SECTOR 512

struct disk {
    struct disk *next;
    char path[32];
    struct disk_file *files;
    struct rng rng; /* which pages a failed sync drops */
    bool off;
    int64_t quota, used;
    uint64_t safe_version;
    uint64_t fail_in[DISK_FAULTS_]; /* counts down; 0: off */
    bool failed[DISK_FAULTS_];
    struct disk_counts counts;
    void (*before)(struct disk *disk, void *data);
    void *before_data;
};

static struct disk *disks;
static uint64_t serials;

/* ---- contents ---- */

int content_size(struct content *c, int64_t size) {
    size_t want = (size_t)size;
    if (want > c->cap) {
        size_t cap = c->cap == 0 ? 8192 : c->cap;
        while (cap < want)
            cap *= 2;
        char *p = mem_realloc(c->p, cap);
        if (p == NULL) return E_NOMEM;
        c->p = p;
        c->cap = cap;
    }
    if (want > c->n) memset(c->p + c->n, 0, want - c->n);
    c->n = want;
    return 0;
}

int content_write(struct content *c, const void *p, size_t n, int64_t at) {
    if ((size_t)at + n > c->n && content_size(c, at + (int64_t)n) != 0) return E_NOMEM;
    if (n != 0) memcpy(c->p + at, p, n);
    return 0;
}

static int content_copy(struct content *to, const struct content *from) {
    return from->n == 0 ? 0 : content_write(to, from->p, from->n, 0);
}

static void content_free(struct content *c) {
    mem_free(c->p);
    *c = (struct content){0};
}

/* ---- files ---- */

static void changes_free(struct disk_file *f) {
    for (size_t i = 0; i < f->change_count; i++)
        mem_free(f->changes[i].bytes);
    f->change_count = 0;
}

static void file_free(struct disk_file *f) {
    struct disk_file **at = &f->disk->files;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    f->disk->used -= (int64_t)f->live.n;
    changes_free(f);
    mem_free(f->changes);
    content_free(&f->live);
    content_free(&f->safe);
    mem_free(f->name);
    mem_free(f);
}

struct disk_file *disk_find(struct disk *d, const char *name) {
    for (struct disk_file *f = d->files; f != NULL; f = f->next)
        if (!f->gone && strcmp(f->name, name) == 0) return f;
    return NULL;
}

struct disk_file *disk_create(struct disk *d, const char *name) {
    struct disk_file *f = mem_zalloc(sizeof *f);
    if (f == NULL) return NULL;
    f->name = mem_strdup(name);
    if (f->name == NULL) {
        mem_free(f);
        return NULL;
    }
    f->disk = d;
    f->next = d->files;
    d->files = f;
    return f;
}

void disk_close(struct disk_file *f) {
    f->open--;
}

/* ---- faults ---- */

static bool fails(struct disk *d, enum disk_fault fault) {
    if (d->fail_in[fault] == 0 || --d->fail_in[fault] != 0) return false;
    d->failed[fault] = true;
    return true;
}

static void look(struct disk *d) {
    if (d->before != NULL && !d->off) d->before(d, d->before_data);
}

static struct change *change_new(struct disk_file *f, const void *p, size_t n) {
    if (f->change_count == f->change_cap) {
        size_t cap = f->change_cap == 0 ? 64 : f->change_cap * 2;
        struct change *grown = mem_realloc(f->changes, cap * sizeof *grown);
        if (grown == NULL) return NULL;
        f->changes = grown;
        f->change_cap = cap;
    }
    struct change *c = &f->changes[f->change_count];
    *c = (struct change){.bytes = p == NULL ? NULL : mem_dup(p, n), .n = n};
    if (p != NULL && c->bytes == NULL) return NULL;
    return c;
}

enum disk_verdict disk_write(struct disk_file *f, const void *p, size_t n, int64_t at) {
    struct disk *d = f->disk;
    look(d);
    d->counts.writes++;
    if (fails(d, DISK_WRITE_ERROR)) return DISK_IO;
    if (fails(d, DISK_WRITE_FULL)) return DISK_FULL;
    if (d->off) return content_write(&f->live, p, n, at) == 0 ? DISK_OK : DISK_NOMEM;
    int64_t grows = at + (int64_t)n - (int64_t)f->live.n;
    if (grows < 0) grows = 0;
    if (d->quota >= 0 && grows > 0 && d->used + grows > d->quota) return DISK_FULL;
    struct change *c = change_new(f, p, n);
    if (c == NULL) return DISK_NOMEM;
    c->kind = CHANGE_WRITE;
    c->at = at;
    if (content_write(&f->live, p, n, at) != 0) {
        mem_free(c->bytes);
        return DISK_NOMEM;
    }
    f->change_count++;
    d->used += grows;
    return DISK_OK;
}

enum disk_verdict disk_truncate(struct disk_file *f, int64_t size) {
    struct disk *d = f->disk;
    look(d);
    d->counts.truncations++;
    if (d->off) return content_size(&f->live, size) == 0 ? DISK_OK : DISK_NOMEM;
    struct change *c = change_new(f, NULL, 0);
    if (c == NULL) return DISK_NOMEM;
    c->kind = CHANGE_TRUNCATE;
    c->at = size;
    int64_t was = (int64_t)f->live.n;
    if (content_size(&f->live, size) != 0) return DISK_NOMEM;
    d->used += size - was;
    f->change_count++;
    return DISK_OK;
}

static int apply(struct content *to, const struct change *c) {
    return c->kind == CHANGE_WRITE ? content_write(to, c->bytes, c->n, c->at)
                                   : content_size(to, c->at);
}

enum disk_verdict disk_sync(struct disk_file *f) {
    struct disk *d = f->disk;
    look(d);
    d->counts.syncs++;
    bool bad = fails(d, DISK_SYNC_ERROR);
    if (d->off && !bad) return DISK_OK;
    for (size_t i = 0; i < f->change_count; i++) {
        /* after a failed sync the kernel may call a page clean that never reached the disk */
        if (bad && rng_below(&d->rng, 2) == 0) continue;
        if (apply(&f->safe, &f->changes[i]) != 0) return DISK_NOMEM;
    }
    changes_free(f);
    f->safe_name = f->safe_name || !bad;
    d->safe_version++;
    if (bad) return DISK_IO;
    /* with the directory entry of this name every older file of it is gone for good */
    for (struct disk_file *old = d->files, *next; old != NULL; old = next) {
        next = old->next;
        if (old->gone && old->open == 0 && strcmp(old->name, f->name) == 0) file_free(old);
    }
    return DISK_OK;
}

enum disk_verdict disk_remove(struct disk_file *f, bool synced) {
    struct disk *d = f->disk;
    look(d);
    d->counts.deletions++;
    if (d->off) return DISK_OK;
    ENSURE(f->open == 0);
    if (!synced && f->safe_name) {
        f->gone = true;
        d->used -= (int64_t)f->live.n;
        f->live.n = 0;
        return DISK_OK;
    }
    file_free(f);
    d->safe_version++;
    if (synced) disk_sync_names(d);
    return DISK_OK;
}

void disk_sync_names(struct disk *d) {
    look(d);
    for (struct disk_file *f = d->files, *next; f != NULL && !d->off; f = next) {
        next = f->next;
        f->safe_name = true;
        if (f->gone && f->open == 0) file_free(f);
    }
    d->safe_version++;
}

bool disk_may_read(struct disk_file *f) {
    f->disk->counts.reads++;
    return !fails(f->disk, DISK_READ_ERROR);
}

/* ---- images ---- */

/* Some sectors of the write arrived, and of one only its first half. */
static int apply_torn(struct content *to, const struct change *c, struct rng *rng) {
    size_t sectors = (c->n + SECTOR - 1) / SECTOR;
    size_t mixed = rng_below(rng, sectors == 0 ? 1 : sectors);
    for (size_t i = 0; i < sectors; i++) {
        size_t at = i * SECTOR, n = c->n - at < SECTOR ? c->n - at : SECTOR;
        if (i == mixed)
            n /= 2;
        else if (rng_below(rng, 2) == 0)
            continue;
        if (content_write(to, c->bytes + at, n, c->at + (int64_t)at) != 0) return E_NOMEM;
    }
    return 0;
}

static int image_file(const struct disk_file *f, enum disk_image kind, const struct change *torn,
                      struct rng *rng, struct content *out) {
    int err = content_copy(out, &f->safe);
    for (size_t i = 0; i < f->change_count && err == 0 && kind != IMAGE_NONE; i++) {
        const struct change *c = &f->changes[i];
        if (c == torn)
            err = apply_torn(out, c, rng);
        else if (kind == IMAGE_ALL || rng_below(rng, 2) != 0)
            err = apply(out, c);
    }
    return err;
}

/* Which file, if any, a name stands for after the cut. */
static bool there(const struct disk_file *f, enum disk_image kind, struct rng *rng) {
    bool maybe = kind == IMAGE_ALL || (kind != IMAGE_NONE && rng_below(rng, 2) != 0);
    if (f->gone) return !maybe;
    return f->safe_name || maybe;
}

static const struct change *pick_torn(const struct disk *d, struct rng *rng) {
    size_t writes = 0;
    const struct change *torn = NULL;
    for (const struct disk_file *f = d->files; f != NULL; f = f->next)
        for (size_t i = 0; i < f->change_count; i++)
            if (f->changes[i].kind == CHANGE_WRITE && rng_below(rng, ++writes) == 0)
                torn = &f->changes[i];
    return torn;
}

int disk_image(const struct disk *from, enum disk_image kind, struct rng *rng, struct disk **out) {
    struct disk *d;
    int err = disk_new(&d, rng_u64(rng));
    if (err != 0) return err;
    const struct change *torn = kind == IMAGE_TORN ? pick_torn(from, rng) : NULL;
    size_t prefix = strlen(from->path);
    for (const struct disk_file *f = from->files; f != NULL && err == 0; f = f->next) {
        char name[256];
        snprintf(name, sizeof name, "%s%s", d->path, f->name + prefix);
        if (!there(f, kind, rng) || disk_find(d, name) != NULL) continue;
        struct disk_file *copy = disk_create(d, name);
        err = copy == NULL ? E_NOMEM : image_file(f, kind, torn, rng, &copy->live);
        if (err == 0) err = content_copy(&copy->safe, &copy->live);
        if (err != 0) break;
        copy->safe_name = true;
        d->used += (int64_t)copy->live.n;
    }
    if (err != 0) {
        disk_delete(d);
        return err;
    }
    *out = d;
    return 0;
}

/* ---- the disk ---- */

int disk_new(struct disk **out, uint64_t seed) {
    vfs_record_setup();
    struct disk *d = mem_zalloc(sizeof *d);
    if (d == NULL) return E_NOMEM;
    d->quota = -1;
    rng_seeded(&d->rng, seed);
    snprintf(d->path, sizeof d->path, "disk:%llu", (unsigned long long)++serials);
    d->next = disks;
    disks = d;
    *out = d;
    return 0;
}

void disk_delete(struct disk *d) {
    if (d == NULL) return;
    while (d->files != NULL) {
        ENSURE(d->files->open == 0); /* a leaked handle would show false damage */
        file_free(d->files);
    }
    struct disk **at = &disks;
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    mem_free(d);
}

struct disk *disk_of_path(const char *name) {
    for (struct disk *d = disks; d != NULL; d = d->next) {
        size_t n = strlen(d->path);
        if (strncmp(name, d->path, n) == 0 && name[n] == '/') return d;
    }
    return NULL;
}

const char *disk_path(const struct disk *d) {
    return d->path;
}
void disk_cut(struct disk *d) {
    d->off = true;
}
uint64_t disk_safe_version(const struct disk *d) {
    return d->safe_version;
}
size_t disk_pending(const struct disk *d) {
    size_t n = 0;
    for (const struct disk_file *f = d->files; f != NULL; f = f->next)
        n += f->change_count + (f->gone ? 1 : 0) + (f->safe_name ? 0 : 1);
    return n;
}
void disk_watch(struct disk *d, void (*before)(struct disk *disk, void *data), void *data) {
    d->before = before;
    d->before_data = data;
}
void disk_fail(struct disk *d, enum disk_fault fault, uint64_t nth) {
    d->fail_in[fault] = nth;
    d->failed[fault] = false;
}
bool disk_failed(const struct disk *d, enum disk_fault fault) {
    return d->failed[fault];
}
void disk_quota(struct disk *d, int64_t bytes) {
    d->quota = bytes;
}
int64_t disk_used(const struct disk *d) {
    return d->used;
}
struct disk_counts disk_counts(const struct disk *d) {
    return d->counts;
}
