/* What can be set (settings_list.h) and how a value's text is checked. */
#ifndef LUWAK_SYS_SETTINGS_H
#define LUWAK_SYS_SETTINGS_H

#include "base/buf.h"
#include "base/err.h"
#include "sys/settings_list.h"

enum setting_type {
    TYPE_TEXT,
    TYPE_INT,
    TYPE_DURATION, /* 500ms 30s 5m 24h 7d; a plain number is seconds */
    TYPE_BOOL,     /* true yes on 1, false no off 0 */
    TYPE_ENUM,
    TYPE_SIZE, /* 512 64kB 1MB 2GB; steps of 1024 */
    TYPE_URL,  /* http or https, no user name in it */
    TYPE_SECRET,
    TYPE_PATH,
    TYPE_ADDRESS,  /* HOST:PORT */
    TYPE_NETWORKS, /* 10.0.0.0/8,::1 */
    TYPE_KEY32,
};

enum setting_flags {
    SETTING_PLAIN = 0,
    SETTING_SECRET = 1 << 0, /* masked wherever it is shown */
    SETTING_NEEDED = 1 << 1, /* outside simulated mode */
};

enum setting_id {
#define X(name, ...) SET_##name,
    SETTINGS_MAP(X)
#undef X
        SETTING_COUNT
};

struct setting {
    const char *name;
    enum setting_type type;
    const char *fallback; /* default as text, or NULL */
    int64_t min, max;     /* of INT, DURATION, SIZE */
    const char *choices;  /* of ENUM: "a|b" */
    unsigned flags;
    const char *doc;
};
extern const struct setting SETTINGS[SETTING_COUNT];

/* Checks a value; *number is what it means (int, ms, bytes, bool, index of the choice). */
int setting_parse(const struct setting *s, struct str text, int64_t *number, struct why *why);

int key32_parse(struct str text, uint8_t out[32]); /* base64, base64url or hex; else E_SYNTAX */

const char *setting_kind(const struct setting *s); /* "duration", or the choices */

#endif
