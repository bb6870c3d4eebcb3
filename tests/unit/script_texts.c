#include "script_texts.h"

#include "script/manifest.h"

int texts_read(void *data, const char *path, struct buf *text, struct why *why) {
    for (const struct script_text *t = data; t->path != NULL; t++)
        if (strcmp(t->path, path) == 0) {
            buf_adds(text, t->text);
            return text->err;
        }
    return why_set(why, E_NOTFOUND, "%s: there is no such file", path);
}

int texts_build(struct version **out, enum script_kind kind, const char *path,
                const struct script_text *texts, struct why *why) {
    struct version_files files = {texts_read, (void *)texts};
    return version_build(out, kind, "x", path, &files, BIND_MODULES, why);
}

int texts_load(struct version **out, enum script_kind kind, const char *path, const char *text,
               struct why *why) {
    const struct script_text texts[] = {{path, text}, {0}};
    int err = texts_build(out, kind, path, texts, why);
    if (err == 0 && (err = manifest_load(*out, NULL, NULL, why)) != 0) {
        version_drop(*out);
        *out = NULL;
    }
    return err;
}
