#include "sys/settings.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>

const struct setting SETTINGS[SETTING_COUNT] = {
#define X(name, type, fallback, min, max, choices, flags, doc) \
    [SET_##name] = {#name, TYPE_##type, fallback, min, max, choices, flags, doc},
    SETTINGS_MAP(X)
#undef X
};

/* A number with a unit behind it; `units` is ended by {NULL}. */
struct unit {
    const char *name;
    int64_t factor;
};

static int parse_scaled(struct str text, const struct unit *units, int64_t *out) {
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    int64_t n = 0;
    int err = str_to_i64(str_sub(text, 0, digits), &n);
    if (err != 0) return err;
    struct str unit = str_sub(text, digits, text.n);
    for (; units->name != NULL; units++) {
        if (!str_eq_nocase(unit, str_of(units->name))) continue;
        return __builtin_mul_overflow(n, units->factor, out) ? E_OVERFLOW : 0;
    }
    return E_SYNTAX;
}

static int parse_bool(struct str text, int64_t *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq_nocase(text, str_of(words[i]))) continue;
        *out = (int64_t)(i % 2);
        return 0;
    }
    return E_SYNTAX;
}

static int parse_choice(const char *choices, struct str text, int64_t *out) {
    struct str rest = str_of(choices), choice;
    bool more = true;
    for (*out = 0; more; ++*out) {
        more = str_cut(rest, '|', &choice, &rest);
        if (str_eq(choice, text)) return 0;
    }
    return E_SYNTAX;
}

static bool has_bad_char(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == 0x7F) return true;
    }
    return false;
}

static bool is_url(struct str text) {
    size_t scheme = str_starts(text, STR("https://"))  ? 8
                    : str_starts(text, STR("http://")) ? 7
                                                       : 0;
    if (scheme == 0 || has_bad_char(text)) return false;
    struct str host = str_sub(text, scheme, text.n), path;
    str_cut(host, '/', &host, &path);
    return host.n != 0 && str_find(host, '@') < 0 && host.p[0] != ':' && host.p[0] != '?' &&
           host.p[0] != '#';
}

static bool is_address(struct str text) {
    size_t colon = text.n;
    while (colon > 0 && text.p[colon - 1] != ':')
        colon--;
    if (colon < 2 || has_bad_char(text)) return false;
    struct str host = str_sub(text, 0, colon - 1);
    int64_t port = 0;
    if (str_to_i64(str_sub(text, colon, text.n), &port) != 0 || port < 0 || port > 65535)
        return false;
    bool bracketed = host.p[0] == '[' && host.p[host.n - 1] == ']' && host.n > 2;
    return bracketed || (str_find(host, ':') < 0 && str_find(host, '[') < 0);
}

static bool is_network(struct str text) {
    struct str address, bits;
    bool masked = str_cut(text, '/', &address, &bits);
    char name[64];
    unsigned char raw[16];
    int64_t n = 0;
    if (address.n == 0 || address.n >= sizeof name) return false;
    memcpy(name, address.p, address.n);
    name[address.n] = '\0';
    int most = inet_pton(AF_INET, name, raw) == 1    ? 32
               : inet_pton(AF_INET6, name, raw) == 1 ? 128
                                                     : -1;
    if (most < 0) return false;
    return !masked || (str_to_i64(bits, &n) == 0 && n >= 0 && n <= most);
}

static bool are_networks(struct str text) {
    struct str one, rest = text;
    bool more = true;
    while (more) {
        more = str_cut(rest, ',', &one, &rest);
        if (!is_network(str_trim(one))) return false;
    }
    return true;
}

static int digit_of(char c, int base) {
    int v = c >= '0' && c <= '9' ? c - '0' : -1;
    if (base == 16) {
        if (c >= 'a' && c <= 'f') v = c - 'a' + 10;
        if (c >= 'A' && c <= 'F') v = c - 'A' + 10;
        return v;
    }
    if (v >= 0) return v + 52;
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int key32_parse(struct str text, uint8_t out[32]) {
    bool hex = text.n == 64;
    if (!hex && text.n == 44 && text.p[43] == '=') text.n = 43;
    if (!hex && text.n != 43) return E_SYNTAX;
    uint32_t bits = 0;
    int have = 0, each = hex ? 4 : 6;
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int v = digit_of(text.p[i], hex ? 16 : 64);
        if (v < 0) return E_SYNTAX;
        bits = bits << each | (uint32_t)v;
        have += each;
        if (have < 8) continue;
        have -= 8;
        ENSURE(n < 32);
        out[n++] = (uint8_t)(bits >> have);
        bits &= (1u << have) - 1;
    }
    return n == 32 && bits == 0 ? 0 : E_SYNTAX;
}

const char *setting_kind(const struct setting *s) {
    static const char *const kinds[] = {
        [TYPE_TEXT] = "text",         [TYPE_INT] = "number",     [TYPE_DURATION] = "duration",
        [TYPE_BOOL] = "true|false",   [TYPE_SIZE] = "size",      [TYPE_URL] = "URL",
        [TYPE_SECRET] = "secret",     [TYPE_PATH] = "path",      [TYPE_ADDRESS] = "HOST:PORT",
        [TYPE_NETWORKS] = "networks", [TYPE_KEY32] = "32 bytes",
    };
    return s->type == TYPE_ENUM ? s->choices : kinds[s->type];
}

static const char *expectation(enum setting_type type) {
    switch (type) {
    case TYPE_INT: return "must be a whole number";
    case TYPE_DURATION: return "must be a duration such as 500ms, 30s, 5m, 24h or 7d";
    case TYPE_BOOL: return "must be true or false";
    case TYPE_SIZE: return "must be a size such as 512, 64kB or 1MB";
    case TYPE_URL: return "must be an http:// or https:// URL without a user name";
    case TYPE_ADDRESS: return "must be HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080";
    case TYPE_NETWORKS: return "must be addresses or networks, e.g. 10.0.0.0/8,::1";
    case TYPE_KEY32: return "must be 32 bytes in base64 or hex; make one: openssl rand -base64 32";
    default: return "is not valid";
    }
}

/* Says what is wrong; the value itself only when it is no secret. */
static int refuse(const struct setting *s, struct str text, const char *what, struct why *why) {
    if (s->flags & SETTING_SECRET) return why_set(why, E_CONFIG, "%s %s", s->name, what);
    return why_set(why, E_CONFIG, "%s=%.*s %s", s->name, text.n > 80 ? 80 : (int)text.n, text.p,
                   what);
}

int setting_parse(const struct setting *s, struct str text, int64_t *number, struct why *why) {
    static const struct unit durations[] = {{"ms", 1},       {"s", 1000},    {"", 1000},
                                            {"m", 60000},    {"min", 60000}, {"h", 3600000},
                                            {"d", 86400000}, {NULL, 0}};
    static const struct unit sizes[] = {{"", 1},        {"B", 1},        {"k", 1024},
                                        {"kB", 1024},   {"M", 1048576},  {"MB", 1048576},
                                        {"G", 1 << 30}, {"GB", 1 << 30}, {NULL, 0}};
    uint8_t key[32];
    int64_t n = 0;
    int err = 0;
    switch (s->type) {
    case TYPE_INT: err = str_to_i64(text, &n); break;
    case TYPE_DURATION: err = parse_scaled(text, durations, &n); break;
    case TYPE_SIZE: err = parse_scaled(text, sizes, &n); break;
    case TYPE_BOOL: err = parse_bool(text, &n); break;
    case TYPE_ENUM: err = parse_choice(s->choices, text, &n); break;
    case TYPE_URL: err = is_url(text) ? 0 : E_SYNTAX; break;
    case TYPE_ADDRESS: err = is_address(text) ? 0 : E_SYNTAX; break;
    case TYPE_NETWORKS: err = are_networks(text) ? 0 : E_SYNTAX; break;
    case TYPE_KEY32:
        err = key32_parse(text, key);
        mem_wipe(key, sizeof key);
        break;
    case TYPE_TEXT:
    case TYPE_SECRET:
    case TYPE_PATH: break;
    }
    if (err != 0 && s->type == TYPE_ENUM) {
        char what[160];
        snprintf(what, sizeof what, "must be one of %s", s->choices);
        return refuse(s, text, what, why);
    }
    if (err != 0) return refuse(s, text, expectation(s->type), why);
    bool bounded = s->type == TYPE_INT || s->type == TYPE_DURATION || s->type == TYPE_SIZE;
    if (bounded && (n < s->min || n > s->max)) {
        const char *unit = s->type == TYPE_DURATION ? "ms" : s->type == TYPE_SIZE ? " bytes" : "";
        char what[160];
        snprintf(what, sizeof what, "must be from %lld%s to %lld%s", (long long)s->min, unit,
                 (long long)s->max, unit);
        return refuse(s, text, what, why);
    }
    *number = n;
    return 0;
}
