/* scripts/queries/NAME.sql: named reads for trusted scripts. Each file is one SELECT, checked
 * against the schema when it is added; its name is its path below the folder without ".sql". */
#include "named_queries.h"

#include "base/buf.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { QUERY_TEXT_MAX = 64 * 1024 };

static int read_file(const char *path, struct buf *out) {
    FILE *f = fopen(path, "rb");
    if (f == NULL) return E_IO;
    out->max = QUERY_TEXT_MAX;
    char *at = buf_reserve(out, QUERY_TEXT_MAX);
    if (at != NULL) {
        out->len = fread(at, 1, QUERY_TEXT_MAX, f);
        at[out->len] = '\0';
    }
    int err = at == NULL ? out->err : ferror(f) ? E_IO : getc(f) != EOF ? E_LIMIT : 0;
    fclose(f);
    return err;
}

static int add(struct store *store, const char *folder, const char *file, struct why *why) {
    char path[1400], name[256];
    size_t n = strlen(file) - 4;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(name, sizeof name, "%.*s", (int)n, file);
    struct buf text = {0};
    int err = read_file(path, &text);
    if (err != 0)
        why_set(why, err, "%s: %s", path, err_text(err));
    else if ((err = store_add_query(store, name, text.data, why)) != 0)
        why_prefix(why, "%s: ", path);
    buf_free(&text);
    return err;
}

int named_queries_load(struct store *store, const char *root, struct why *why) {
    char folder[1100];
    snprintf(folder, sizeof folder, "%s/scripts/queries", root);
    DIR *d = opendir(folder);
    if (d == NULL) return 0;
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(d)) != NULL;) {
        struct str name = str_of(e->d_name);
        if (name.n > 4 && name.n < 200 && name.p[0] != '.' && str_ends(name, STR(".sql")))
            err = add(store, folder, e->d_name, why);
    }
    closedir(d);
    return err;
}
