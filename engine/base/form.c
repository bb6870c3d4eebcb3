/* Form and cookie texts: see form.h. Stateless but for the iterator. */
#include "base/form.h"

int form_next(struct form_iter *it, struct form_pair *out) {
    struct str part;
    do {
        if (it->rest.n == 0) return 0;
        str_cut(it->rest, '&', &part, &it->rest);
    } while (part.n == 0);
    if (it->pairs == FORM_PAIRS_MAX) return E_LIMIT;
    it->pairs++;
    str_cut(part, '=', &out->name, &out->value);
    return 1;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int form_decode(struct str s, bool plus, struct buf *out) {
    char *at = buf_reserve(out, s.n); /* decoded is never longer */
    if (at == NULL) return out->err;
    char *begin = at;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '%') {
            int high = i + 1 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) return E_SYNTAX;
            c = (unsigned char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        } else if (c <= ' ' || c >= 0x7F) {
            return E_SYNTAX;
        }
        *at++ = (char)c;
    }
    out->len += (size_t)(at - begin);
    out->data[out->len] = '\0';
    return 0;
}

static bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void form_encode(struct str s, bool plus, struct buf *out) {
    static const char HEX[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (unreserved(s.p[i]))
            buf_addc(out, s.p[i]);
        else if (c == ' ' && plus)
            buf_addc(out, '+');
        else
            buf_add(out, (char[]){'%', HEX[c >> 4], HEX[c & 15]}, 3);
    }
}

void form_put(struct str name, struct str value, struct buf *out) {
    if (out->len != 0) buf_addc(out, '&');
    form_encode(name, true, out);
    buf_addc(out, '=');
    form_encode(value, true, out);
}

static bool token(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c >= 0x7F || strchr("()<>@,;:\\\"/[]?={}", c) != NULL) return false;
    }
    return s.n != 0;
}

static bool cookie_octets(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == ',' || c == ';' || c == '\\') return false;
    }
    return true;
}

int cookie_next(struct form_iter *it, struct form_pair *out) {
    if (str_trim(it->rest).n == 0) return 0;
    if (it->pairs == FORM_PAIRS_MAX) return E_LIMIT;
    it->pairs++;
    struct str part;
    str_cut(it->rest, ';', &part, &it->rest);
    part = str_trim(part);
    if (!str_cut(part, '=', &out->name, &out->value) || !token(out->name)) return E_SYNTAX;
    struct str *v = &out->value;
    if (v->n >= 2 && v->p[0] == '"' && v->p[v->n - 1] == '"') *v = str_sub(*v, 1, v->n - 1);
    return cookie_octets(*v) ? 1 : E_SYNTAX;
}
