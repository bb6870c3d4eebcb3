/* scripts/queries/NAME.sql: named reads for trusted scripts. Each file is one SELECT, checked
 * against the schema when it is added; its name is its path below the folder without ".sql". */
#include "named_queries.h"

#include "sys/file_read.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { QUERY_TEXT_MAX = 64 * 1024 };

static int add(struct store *store, const char *folder, const char *file, struct why *why) {
    char path[1400], name[256];
    size_t n = strlen(file) - 4;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(name, sizeof name, "%.*s", (int)n, file);
    struct buf text = {.max = QUERY_TEXT_MAX};
    int err = file_read(path, &text, why);
    if (err == 0) err = store_add_query(store, name, text.data, why);
    if (err != 0) why_prefix(why, "%s: ", path);
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
