/* Log lines: built on the stack, so that they can still be written when memory is out, then sent by
 * one write(2).
 *
 * A line is at most LINE_MAX_ bytes (what a pipe takes in one piece). What does not fit is cut: the
 * value is closed where room ends, later fields are left out, and the line says "cut":true. Text is
 * redacted over a window somewhat longer than what is shown, so that a cut never leaves the front
 * of a card number standing. A line that the descriptor does not take is counted, and the next one
 * that goes through carries the count as "dropped".
 *
 * Level, format and descriptor are atomics: log_setup may run while other threads log. */
#include "sys/log.h"

#include "base/ensure.h"
#include "sys/redact.h"
#include "sys/utf8_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_ 4096
#define TAIL      32   /* always left for: closing quote, "cut":true, brace, newline */
#define TEXT_MAX  3000 /* of one field */
#define WINDOW    128  /* how much farther redaction looks */

struct line {
    char data[LINE_MAX_];
    size_t n;
    bool cut;
};

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};
static const char *const TEXT_LEVELS[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
static const char *const COLOURS[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int line_format = LOG_AUTO;
static _Atomic int line_fd = STDERR_FILENO;
static _Atomic(const struct clock *) line_clock;
static _Atomic int64_t dropped;

static pthread_mutex_t capture_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*capture)(void *data, struct str line); /* under capture_lock */
static void *capture_data;
static _Atomic bool capturing;

static _Thread_local struct log_context context;

void log_setup(enum log_level least, enum log_format format, int fd) {
    atomic_store(&least_level, (int)least);
    atomic_store(&line_format, (int)format);
    atomic_store(&line_fd, fd);
}

void log_clock(const struct clock *clock) {
    atomic_store(&line_clock, clock);
}

void log_capture(void (*line)(void *data, struct str line), void *data) {
    pthread_mutex_lock(&capture_lock);
    capture = line;
    capture_data = data;
    atomic_store(&capturing, line != NULL);
    pthread_mutex_unlock(&capture_lock);
}

void log_context(const struct log_context *now) {
    context = now == NULL ? (struct log_context){0} : *now;
}

/* ---- building ---- */

static void force(struct line *l, const char *text) { /* into the tail: always fits */
    size_t n = strlen(text);
    memcpy(l->data + l->n, text, n);
    l->n += n;
}

static bool put(struct line *l, const char *p, size_t n) {
    if (l->cut || n > LINE_MAX_ - TAIL - l->n) {
        l->cut = true;
        return false;
    }
    memcpy(l->data + l->n, p, n);
    l->n += n;
    return true;
}

static void puts_(struct line *l, const char *text) {
    put(l, text, strlen(text));
}

/* Characters that end lines, move a terminal's cursor or turn the direction of text. */
static bool is_unsafe(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static void put_escaped(struct line *l, struct str s, bool many_lines) {
    for (size_t i = 0; i < s.n && !l->cut;) {
        uint32_t c = 0;
        size_t n = utf8_at(s, i, &c);
        char code[12];
        if (n == 0) {
            puts_(l, "\\ufffd");
            n = 1;
        } else if (c == '\n' && many_lines) {
            puts_(l, "\n    ");
        } else if (c == '"' || c == '\\') {
            put(l, (char[]){'\\', (char)c}, 2);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            put(l, (char[]){'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'}, 2);
        } else if (is_unsafe(c)) {
            put(l, code, (size_t)snprintf(code, sizeof code, "\\u%04x", (unsigned)c));
        } else {
            put(l, s.p + i, n);
        }
        i += n;
    }
}

/* Redacted and cut to TEXT_MAX; `scratch` holds what the view points into. */
static struct str cleaned(struct str text, char scratch[TEXT_MAX + WINDOW], bool *too_long) {
    size_t n = text.n < TEXT_MAX + WINDOW ? text.n : TEXT_MAX + WINDOW;
    if (n != 0) memcpy(scratch, text.p, n);
    redact(scratch, n);
    *too_long = text.n > TEXT_MAX;
    return (struct str){scratch, *too_long ? TEXT_MAX : n};
}

static void put_i64(struct line *l, int64_t value) {
    char digits[24];
    put(l, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

static void json_key(struct line *l, const char *key) {
    if (l->n > 1) puts_(l, ",");
    puts_(l, "\"");
    put_escaped(l, str_of(key), false);
    puts_(l, "\":");
}

static void json_text(struct line *l, const char *key, struct str text) {
    char scratch[TEXT_MAX + WINDOW];
    bool too_long = false;
    size_t start = l->n;
    json_key(l, key);
    if (!put(l, "\"", 1)) {
        l->n = start;
        return;
    }
    put_escaped(l, cleaned(text, scratch, &too_long), false);
    force(l, "\"");
    l->cut = l->cut || too_long;
}

static void json_int(struct line *l, const char *key, int64_t value) {
    size_t start = l->n;
    json_key(l, key);
    put_i64(l, value);
    if (l->cut) l->n = start;
}

static void json_field(struct line *l, const struct log_field *f) {
    size_t start = l->n;
    switch (f->type) {
    case LOG_F_TEXT: json_text(l, f->key, f->text); break;
    case LOG_F_INT: json_int(l, f->key, f->i); break;
    case LOG_F_SECRET: json_text(l, f->key, STR("***")); break;
    case LOG_F_BOOL:
        json_key(l, f->key);
        puts_(l, f->i ? "true" : "false");
        if (l->cut) l->n = start;
        break;
    }
}

static bool is_plain(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7F) return false;
    }
    return s.n != 0;
}

static void text_value(struct line *l, const char *key, struct str text) {
    char scratch[TEXT_MAX + WINDOW];
    bool too_long = false;
    struct str clean = cleaned(text, scratch, &too_long);
    if (strcmp(key, "traceback") == 0) { /* for a person: one line each, set in */
        put(l, "\n    ", 5);
        put_escaped(l, clean, true);
    } else if (is_plain(clean)) {
        put(l, clean.p, clean.n);
    } else {
        size_t start = l->n;
        if (!put(l, "\"", 1)) {
            l->n = start;
            return;
        }
        put_escaped(l, clean, false);
        force(l, "\"");
    }
    l->cut = l->cut || too_long;
}

static void text_field(struct line *l, const struct log_field *f) {
    puts_(l, " ");
    put_escaped(l, str_of(f->key), false);
    puts_(l, "=");
    switch (f->type) {
    case LOG_F_TEXT: text_value(l, f->key, f->text); break;
    case LOG_F_INT: put_i64(l, f->i); break;
    case LOG_F_BOOL: puts_(l, f->i ? "true" : "false"); break;
    case LOG_F_SECRET: puts_(l, "***"); break;
    }
}

/* ---- writing ---- */

static void format_time(int64_t ms, bool date, char *out, size_t size) {
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    int millis = (int)(ms - seconds * 1000);
    time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL) memset(&tm, 0, sizeof tm);
    size_t n = strftime(out, size, date ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
    snprintf(out + n, size - n, ".%03d%s", millis, date ? "Z" : "");
}

static int64_t now_ms(void) {
    const struct clock *clock = atomic_load(&line_clock);
    if (clock != NULL) return clock_now_ms(clock);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool send_line(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static void build_json(struct line *l, const char *time, enum log_level level, const char *event,
                       const struct log_field *fields, int64_t lost) {
    puts_(l, "{");
    json_text(l, "time", str_of(time));
    json_text(l, "level", str_of(LEVELS[level]));
    json_text(l, "event", str_of(event));
    if (context.request.n != 0) json_text(l, "request", context.request);
    if (context.script.n != 0) json_text(l, "script", context.script);
    if (lost != 0) json_int(l, "dropped", lost);
    for (; fields->key != NULL && !l->cut; fields++)
        json_field(l, fields);
    if (l->cut) force(l, ",\"cut\":true");
    force(l, "}\n");
}

static void build_text(struct line *l, const char *time, enum log_level level, const char *event,
                       const struct log_field *fields, int64_t lost, bool colour) {
    puts_(l, time);
    puts_(l, " ");
    if (colour) puts_(l, COLOURS[level]);
    puts_(l, TEXT_LEVELS[level]);
    if (colour) puts_(l, "\033[0m");
    puts_(l, " ");
    put_escaped(l, str_of(event), false);
    struct log_field extra[] = {L_STR("request", context.request), L_STR("script", context.script),
                                L_INT("dropped", lost)};
    if (context.request.n != 0) text_field(l, &extra[0]);
    if (context.script.n != 0) text_field(l, &extra[1]);
    if (lost != 0) text_field(l, &extra[2]);
    for (; fields->key != NULL && !l->cut; fields++)
        text_field(l, fields);
    force(l, l->cut ? " (cut)\n" : "\n");
}

bool log_takes(enum log_level level) {
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_emit(enum log_level level, const char *event, const struct log_field *fields) {
    if (!log_takes(level)) return;
    int saved = errno; /* callers log before they look at errno */
    int fd = atomic_load(&line_fd);
    int format = atomic_load(&line_format);
    bool terminal = format != LOG_JSON && !atomic_load(&capturing) && isatty(fd) == 1;
    bool json = format == LOG_JSON || (format == LOG_AUTO && !terminal);
    int64_t lost = atomic_exchange(&dropped, 0);

    char time[40];
    format_time(now_ms(), json || !terminal, time, sizeof time);
    struct line l;
    l.n = 0;
    l.cut = false;
    if (json) {
        build_json(&l, time, level, event, fields, lost);
    } else {
        build_text(&l, time, level, event, fields, lost, terminal && getenv("NO_COLOR") == NULL);
    }

    bool taken = false;
    if (atomic_load(&capturing)) {
        pthread_mutex_lock(&capture_lock);
        if (capture != NULL) capture(capture_data, (struct str){l.data, l.n - 1});
        taken = capture != NULL;
        pthread_mutex_unlock(&capture_lock);
    }
    if (!taken && !send_line(fd, l.data, l.n)) atomic_fetch_add(&dropped, lost + 1);
    errno = saved;
}
