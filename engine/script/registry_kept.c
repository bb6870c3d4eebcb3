/* registry_kept: versions that come out of the store instead of the folder: parts as JSON, and
 * building from kept texts. What comes out must have the id it was kept under. */
#include "base/json.h"
#include "base/mem.h"
#include "script/registry_private.h"

#include <stdio.h>

void version_write_parts(const struct version *v, struct buf *out) {
    struct json_out w;
    json_out_init(&w, out);
    json_begin_array(&w);
    for (size_t i = 0; i < v->part_count; i++) {
        json_begin_object(&w);
        json_put_text(&w, "name", v->parts[i].name);
        json_put_text(&w, "path", v->parts[i].path);
        json_put_text(&w, "hash", v->parts[i].hash);
        json_end_object(&w);
    }
    json_end_array(&w);
    int err = json_out_end(&w);
    if (err != 0 && out->err == 0) out->err = err;
}

int registry_parts(struct str parts,
                   void (*part)(void *data, struct str name, struct str path, struct str hash),
                   void *data) {
    struct json_doc doc;
    int err = json_parse(&doc, parts, NULL, NULL);
    if (err != 0) return err == E_NOMEM ? err : E_CORRUPT;
    for (size_t i = 0; err == 0; i++) {
        const struct json *one = json_at(doc.root, i);
        struct str name, path, hash;
        if (one == NULL) break;
        if (json_get_str(one, "name", &name) != 0 || json_get_str(one, "path", &path) != 0 ||
            json_get_str(one, "hash", &hash) != 0)
            err = E_CORRUPT;
        else
            part(data, name, path, hash);
    }
    json_doc_free(&doc);
    return err;
}

struct kept {
    struct registry_store *store;
    struct str parts;
    const char *path; /* being looked for */
    char hash[SHA256_HEX_SIZE];
};

static void find_path(void *data, struct str name, struct str path, struct str hash) {
    (void)name;
    struct kept *k = data;
    if (str_eq(path, str_of(k->path)) && hash.n == 64) memcpy(k->hash, hash.p, 64);
}

static int read_kept(void *data, const char *path, struct buf *text, struct why *why) {
    struct kept *k = data;
    k->path = path;
    memset(k->hash, 0, sizeof k->hash);
    int err = registry_parts(k->parts, find_path, k);
    if (err != 0) return why_set(why, err, "%s: its list of parts is damaged", path);
    if (k->hash[0] == '\0') return why_set(why, E_NOTFOUND, "%s: is no part", path);
    err = k->store->text(k->store, str_of(k->hash), text);
    if (err == 0) return 0;
    return why_set(why, err == E_NOTFOUND ? E_CORRUPT : err,
                   "%s: its text %.12s is not in the store", path, k->hash);
}

int registry_build_kept(struct registry_store *s, const struct registry_row *row,
                        const struct bind_module *const *modules, struct version **out,
                        struct why *why) {
    struct kept k = {.store = s, .parts = row->parts};
    struct version_files files = {read_kept, &k};
    char path[SCRIPT_PATH_MAX], name[SCRIPT_PATH_MAX];
    enum script_kind kind;
    struct version *v = NULL;
    if (row->path.n >= sizeof path) return why_set(why, E_CORRUPT, "a kept path is too long");
    snprintf(path, sizeof path, "%.*s", STR_FMT(row->path));
    if (!source_kind(path, &kind, name))
        return why_set(why, E_CORRUPT, "%s: is no path of a script", path);
    int err = version_build(&v, kind, name, path, &files, modules, why);
    if (err == 0 && !str_eq(str_of(v->id), row->version))
        err = why_set(why, E_CORRUPT, "%s: version %.*s comes out of the store as %.12s", path,
                      (int)(row->version.n > 12 ? 12 : row->version.n), row->version.p, v->id);
    if (err != 0) {
        version_drop(v);
        return err;
    }
    *out = v;
    return 0;
}
