/* redact: see redact.h. It does not parse: a field is a name, then ':', '=' or the '>' of a tag,
 * then a value. That sees more fields than there are, which errs on the right side. */
#include "net/redact.h"

#include "base/ensure.h"
#include "base/pan.h"

static bool is_name_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static bool contains_nocase(struct str s, struct str part) {
    for (size_t i = 0; i + part.n <= s.n; i++)
        if (str_eq_nocase(str_sub(s, i, i + part.n), part)) return true;
    return false;
}

bool redact_name(struct str name) {
    static const char *const WHOLE[] = {"pin", "cvv", "cvc", "otp", "cookie", "set-cookie", "pan"};
    static const char *const PART[] = {"token",       "secret",        "password",   "passwd",
                                       "signature",   "authorization", "apikey",     "api_key",
                                       "api-key",     "server_key",    "serverkey",  "private",
                                       "card_number", "cardnumber",    "credential", "x-key"};
    for (size_t i = 0; i < ARRAY_LEN(WHOLE); i++)
        if (str_eq_nocase(name, str_of(WHOLE[i]))) return true;
    for (size_t i = 0; i < ARRAY_LEN(PART); i++)
        if (contains_nocase(name, str_of(PART[i]))) return true;
    return false;
}

static size_t secret_at(struct str text, size_t at, const struct str *secrets) {
    size_t longest = 0;
    for (; secrets != NULL && secrets->n != 0; secrets++)
        if (secrets->n > longest && secrets->n <= text.n - at &&
            memcmp(text.p + at, secrets->p, secrets->n) == 0)
            longest = secrets->n;
    return longest;
}

/* Behind a name at `at`: where its value begins and ends. False: there is none to hide. */
static bool value_of(struct str text, size_t at, bool tag, size_t *from, size_t *to, bool *bare) {
    bool quoted_name = at < text.n && text.p[at] == '"';
    if (quoted_name) at++;
    while (at < text.n && (text.p[at] == ' ' || text.p[at] == '\t'))
        at++;
    if (at == text.n) return false;
    char sep = text.p[at];
    if (sep != ':' && sep != '=' && !(sep == '>' && tag)) return false;
    at++;
    while (at < text.n && sep == ':' && (text.p[at] == ' ' || text.p[at] == '\n'))
        at++;
    *bare = false;
    if (at < text.n && text.p[at] == '"') {
        *from = ++at;
        while (at < text.n && text.p[at] != '"')
            at += text.p[at] == '\\' && at + 1 < text.n ? 2 : 1;
        *to = at;
        return true;
    }
    if (at < text.n && (text.p[at] == '{' || text.p[at] == '[')) return false;
    *from = at;
    while (at < text.n && strchr(sep == '>' ? "<" : "&,;}])<>\"' \t\r\n", text.p[at]) == NULL)
        at++;
    *to = at;
    *bare = sep == ':' && quoted_name;
    return at != *from && !str_eq(str_sub(text, *from, at), STR("null"));
}

void redact_text(struct str text, const struct str *secrets, struct buf *out) {
    size_t begin = out->len, at = 0;
    while (at < text.n) {
        size_t n = secret_at(text, at, secrets);
        if (n != 0) {
            buf_adds(out, REDACTED);
            at += n;
            continue;
        }
        bool starts = is_name_char(text.p[at]) && (at == 0 || !is_name_char(text.p[at - 1]));
        if (!starts) {
            buf_addc(out, text.p[at++]);
            continue;
        }
        size_t end = at, from, to;
        bool bare, tag = at != 0 && (text.p[at - 1] == '<' || text.p[at - 1] == ':');
        while (end < text.n && is_name_char(text.p[end]))
            end++;
        if (!redact_name(str_sub(text, at, end)) || !value_of(text, end, tag, &from, &to, &bare)) {
            buf_addc(out, text.p[at++]); /* one byte: a secret may begin inside the word */
            continue;
        }
        buf_addstr(out, str_sub(text, at, from));
        buf_adds(out, bare ? "\"" REDACTED "\"" : REDACTED);
        at = to;
    }
    if (out->err == 0 && out->len > begin) pan_mask(out->data + begin, out->len - begin);
}
