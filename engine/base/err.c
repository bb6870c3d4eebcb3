#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_name(int code) {
    switch (code) {
    case E_OK: return "E_OK";
#define X(name, text) \
    case name: return #name;
        ERR_MAP(X)
#undef X
    }
    return "E_?";
}

const char *err_text(int code) {
    switch (code) {
    case E_OK: return "ok";
#define X(name, text) \
    case name: return text;
        ERR_MAP(X)
#undef X
    }
    return "unknown error";
}

int why_set(struct why *why, int code, const char *format, ...) {
    if (why == NULL) return code;
    va_list args;
    va_start(args, format);
    why->code = code;
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return code;
}

int why_prefix(struct why *why, const char *format, ...) {
    if (why == NULL) return E_INTERNAL;
    char old[WHY_MAX];
    memcpy(old, why->text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof why->text)
        snprintf(why->text + n, sizeof why->text - (size_t)n, "%s", old);
    return why->code;
}
