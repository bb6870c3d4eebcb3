/* url: see url.h. Nothing is allocated; a struct url holds its host and points into the text. */
#include "net/url.h"

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* What RFC 3986 allows in path and query, '%' apart. */
static bool is_target_char(char c) {
    return is_alnum(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/?[]", c) != NULL);
}

/* Would some resolver read this label as a number? "1", "0x7f", "017" and "0x" all count. */
static bool is_number(struct str label) {
    if (label.n >= 2 && label.p[0] == '0' && (label.p[1] == 'x' || label.p[1] == 'X')) {
        for (size_t i = 2; i < label.n; i++)
            if (!is_hex(label.p[i])) return false;
        return true;
    }
    for (size_t i = 0; i < label.n; i++)
        if (label.p[i] < '0' || label.p[i] > '9') return false;
    return true;
}

static int check_name(struct str name, struct why *why) {
    if (name.n > URL_HOST_MAX)
        return why_set(why, E_SYNTAX, "host name longer than %d bytes", URL_HOST_MAX);
    for (size_t i = 0; i < name.n; i++)
        if (!is_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '.')
            return why_set(why, E_SYNTAX,
                           "host name with a character other than letters, digits, '-' and '.' "
                           "(international names: write the xn-- form)");
    struct str rest = name, label;
    bool more;
    do {
        more = str_cut(rest, '.', &label, &rest);
        if (label.n == 0 || label.n > 63 || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return why_set(why, E_SYNTAX, "%.*s is no host name", STR_FMT(name));
    } while (more);
    if (is_number(label))
        return why_set(why, E_SYNTAX,
                       "%.*s is neither a host name nor an IPv4 address of four decimal numbers",
                       STR_FMT(name));
    return 0;
}

static int parse_host(struct url *u, struct str host, bool bracketed, struct why *why) {
    if (host.n == 0) return why_set(why, E_SYNTAX, "no host name");
    if (address_parse(&u->address, host) == 0 && (u->address.family == 6) == bracketed) {
        u->is_address = true;
        address_format(&u->address, u->host);
        return 0;
    }
    if (bracketed) return why_set(why, E_SYNTAX, "the text in [] is no IPv6 address");
    int err = check_name(host, why);
    if (err != 0) return err;
    for (size_t i = 0; i < host.n; i++)
        u->host[i] = lower(host.p[i]);
    u->host[host.n] = '\0';
    return 0;
}

/* host[:port] with nothing behind it. */
static int parse_authority(struct url *u, struct str text, struct why *why) {
    struct str host, port = {0};
    bool bracketed = text.n != 0 && text.p[0] == '[', has_port = false;
    if (str_find(text, '@') >= 0)
        return why_set(why, E_SYNTAX, "a user name in the URL is not allowed");
    if (bracketed) {
        ptrdiff_t end = str_find(text, ']');
        if (end < 0) return why_set(why, E_SYNTAX, "'[' without ']'");
        host = str_sub(text, 1, (size_t)end);
        struct str tail = str_sub(text, (size_t)end + 1, text.n);
        has_port = tail.n != 0 && tail.p[0] == ':';
        if (tail.n != 0 && !has_port) return why_set(why, E_SYNTAX, "text behind ']'");
        if (has_port) port = str_sub(tail, 1, tail.n);
    } else {
        has_port = str_cut(text, ':', &host, &port);
    }
    if (has_port) {
        int64_t number = 0;
        if (str_to_i64(port, &number) != 0 || number < 1 || number > 65535)
            return why_set(why, E_SYNTAX, "the port must be a number from 1 to 65535");
        u->port = (uint16_t)number;
    }
    return parse_host(u, host, bracketed, why);
}

int url_parse(struct url *out, struct str text, struct why *why) {
    struct url u = {0};
    if (text.n > URL_MAX) return why_set(why, E_SYNTAX, "URL longer than %d bytes", URL_MAX);
    size_t at = 0;
    if (text.n >= 8 && str_eq_nocase(str_sub(text, 0, 8), STR("https://"))) {
        u.tls = true;
        at = 8;
    } else if (text.n >= 7 && str_eq_nocase(str_sub(text, 0, 7), STR("http://"))) {
        at = 7;
    } else {
        return why_set(why, E_SYNTAX, "the URL must begin with https:// or http://");
    }
    u.port = u.tls ? 443 : 80;
    size_t end = at;
    while (end < text.n && text.p[end] != '/' && text.p[end] != '?' && text.p[end] != '#')
        end++;
    int err = parse_authority(&u, str_sub(text, at, end), why);
    if (err != 0) return err;
    u.target = str_sub(text, end, text.n);
    for (size_t i = 0; i < u.target.n; i++) {
        char c = u.target.p[i];
        if (is_target_char(c)) continue;
        if (c == '%' && i + 2 < u.target.n && is_hex(u.target.p[i + 1]) &&
            is_hex(u.target.p[i + 2]))
            continue;
        if (c == '#') return why_set(why, E_SYNTAX, "a fragment (#) in the URL is not allowed");
        return why_set(why, E_SYNTAX, "byte 0x%02x in the URL must be percent-encoded",
                       (unsigned)(unsigned char)c);
    }
    *out = u;
    return 0;
}

void url_origin(const struct url *u, struct buf *out) {
    bool v6 = u->is_address && u->address.family == 6;
    buf_adds(out, u->tls ? "https://" : "http://");
    buf_addf(out, v6 ? "[%s]" : "%s", u->host);
    if (u->port != (u->tls ? 443 : 80)) buf_addf(out, ":%u", (unsigned)u->port);
}

void url_write(const struct url *u, struct buf *out) {
    url_origin(u, out);
    if (u->target.n == 0 || u->target.p[0] != '/') buf_addc(out, '/');
    buf_addstr(out, u->target);
}

bool url_same_origin(const struct url *a, const struct url *b) {
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* An entry as a URL without path; *plain: it says http://. Port 0: it names none. */
static int parse_entry(struct url *u, const char *entry, bool *plain, struct why *why) {
    struct str text = str_of(entry);
    *u = (struct url){0};
    *plain = str_starts(text, STR("http://"));
    if (*plain) text = str_sub(text, 7, text.n);
    if (str_starts(text, STR("https://"))) text = str_sub(text, 8, text.n);
    if (str_find(text, '/') >= 0)
        return why_set(why, E_SYNTAX, "a host with an optional port, no path");
    return parse_authority(u, text, why);
}

int url_host_check(const char *entry, struct why *why) {
    struct url u;
    bool plain;
    int err = parse_entry(&u, entry, &plain, why);
    if (err != 0) why_prefix(why, "host \"%.100s\": ", entry);
    return err;
}

bool url_allowed(const struct url *u, const char *const *hosts, bool plain_ok) {
    if (hosts == NULL) return u->tls || plain_ok;
    for (; *hosts != NULL; hosts++) {
        struct url e;
        bool plain;
        if (parse_entry(&e, *hosts, &plain, NULL) != 0) continue;
        if (!u->tls && !plain && !plain_ok) continue;
        uint16_t port = e.port != 0 ? e.port : u->tls ? 443 : 80;
        if (port == u->port && strcmp(e.host, u->host) == 0) return true;
    }
    return false;
}
