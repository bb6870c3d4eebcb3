/* Structured log lines: one event name, then typed fields. Only what is passed as a field is
 * written; there is no free format, so nothing slips in by accident. Text fields are scanned for
 * card numbers and masked; L_SECRET never shows more than that there is one.
 *
 *     log_info("listening", L_TEXT("address", address), L_INT("workers", n));
 *
 * JSON lines, or readable columns on a terminal; one write(2) per line; from any thread. Lines made
 * while log_context is set on a thread carry its request id and script version. */
#ifndef LUWAK_SYS_LOG_H
#define LUWAK_SYS_LOG_H

#include "base/clock.h"
#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

struct log_field {
    const char *key; /* NULL ends the list */
    enum { LOG_F_TEXT, LOG_F_INT, LOG_F_BOOL, LOG_F_SECRET } type;
    struct str text;
    int64_t i;
};

#define L_TEXT(k, z) ((struct log_field){.key = (k), .type = LOG_F_TEXT, .text = str_of(z)})
#define L_STR(k, s)  ((struct log_field){.key = (k), .type = LOG_F_TEXT, .text = (s)})
#define L_INT(k, n)  ((struct log_field){.key = (k), .type = LOG_F_INT, .i = (n)})
#define L_BOOL(k, b) ((struct log_field){.key = (k), .type = LOG_F_BOOL, .i = (b)})
#define L_SECRET(k)  ((struct log_field){.key = (k), .type = LOG_F_SECRET})

#define log_debug(...)             LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__, {0})
#define log_info(...)              LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__, {0})
#define log_warn(...)              LOG_AT_(LOG_LEVEL_WARN, __VA_ARGS__, {0})
#define log_error(...)             LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__, {0})
#define LOG_AT_(level, event, ...) log_emit(level, event, (const struct log_field[]){__VA_ARGS__})

void log_emit(enum log_level level, const char *event, const struct log_field *fields);
bool log_takes(enum log_level level); /* a line of this level is written */

void log_setup(enum log_level least, enum log_format format, int fd);
void log_clock(const struct clock *clock); /* whose wall time lines carry; NULL: the real one */
void log_capture(void (*line)(void *data, struct str line), void *data); /* tests; NULL ends it */

struct log_context {
    struct str request;
    struct str script; /* path@version */
};
/* This thread's, NULL: none. The struct is copied, the bytes it points to are not. */
void log_context(const struct log_context *context);

#endif
