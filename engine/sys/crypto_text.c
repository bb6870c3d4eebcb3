#include "sys/crypto_text.h"

#include "base/err.h"

static const char STD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int encoding_by_name(struct str name) {
    static const char *const names[] = {"raw", "hex", "base64", "base64url"};
    for (int i = 0; i < 4; i++)
        if (str_eq(name, str_of(names[i]))) return i;
    return -1;
}

static void hex_encode(struct buf *out, struct str data) {
    char *at = data.n > SIZE_MAX / 4 ? NULL : buf_reserve(out, data.n * 2);
    if (at == NULL) {
        if (out->err == 0) out->err = E_LIMIT;
        return;
    }
    for (size_t i = 0; i < data.n; i++) {
        unsigned char c = (unsigned char)data.p[i];
        *at++ = "0123456789abcdef"[c >> 4];
        *at++ = "0123456789abcdef"[c & 15];
    }
    *at = '\0';
    out->len += data.n * 2;
}

static void base64_encode(struct buf *out, struct str data, const char *alphabet, bool pad) {
    char *at = data.n > SIZE_MAX / 4 ? NULL : buf_reserve(out, (data.n + 2) / 3 * 4);
    if (at == NULL) {
        if (out->err == 0) out->err = E_LIMIT;
        return;
    }
    char *start = at;
    const unsigned char *p = (const unsigned char *)data.p;
    size_t n = data.n;
    for (; n >= 3; n -= 3, p += 3) {
        *at++ = alphabet[p[0] >> 2];
        *at++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
        *at++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
        *at++ = alphabet[p[2] & 63];
    }
    if (n != 0) {
        unsigned second = n == 2 ? p[1] : 0;
        *at++ = alphabet[p[0] >> 2];
        *at++ = alphabet[(p[0] & 3) << 4 | second >> 4];
        if (n == 2) *at++ = alphabet[(second & 15) << 2];
        if (n == 1 && pad) *at++ = '=';
        if (pad) *at++ = '=';
    }
    *at = '\0';
    out->len += (size_t)(at - start);
}

void text_encode(struct buf *out, enum encoding e, struct str data) {
    switch (e) {
    case ENC_RAW: buf_addstr(out, data); break;
    case ENC_HEX: hex_encode(out, data); break;
    case ENC_BASE64: base64_encode(out, data, STD, true); break;
    case ENC_BASE64URL: base64_encode(out, data, URL, false); break;
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static int hex_decode(char *at, struct str text, size_t *n) {
    if (text.n % 2 != 0) return E_SYNTAX;
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0) return E_SYNTAX;
        *at++ = (char)(high << 4 | low);
    }
    *n = text.n / 2;
    return 0;
}

static int digit64(char c, bool url) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == (url ? '-' : '+')) return 62;
    if (c == (url ? '_' : '/')) return 63;
    return -1;
}

static int base64_decode(char *at, struct str text, bool url, size_t *n) {
    if (!url) {
        if (text.n % 4 != 0) return E_SYNTAX;
        if (text.n != 0 && text.p[text.n - 1] == '=') text.n--;
        if (text.n % 4 == 3 && text.p[text.n - 1] == '=') text.n--;
    }
    if (text.n % 4 == 1) return E_SYNTAX;
    const char *start = at;
    for (size_t i = 0; i < text.n; i += 4) {
        size_t have = text.n - i < 4 ? text.n - i : 4;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k < have ? digit64(text.p[i + k], url) : 0;
            if (d < 0) return E_SYNTAX;
            group = group << 6 | (uint32_t)d;
        }
        /* Bits that no byte takes must be zero: else several texts would mean the same. */
        if ((have == 2 && (group & 0xffff) != 0) || (have == 3 && (group & 0xff) != 0))
            return E_SYNTAX;
        *at++ = (char)(group >> 16);
        if (have > 2) *at++ = (char)(group >> 8);
        if (have > 3) *at++ = (char)group;
    }
    *n = (size_t)(at - start);
    return 0;
}

int text_decode(struct buf *out, enum encoding e, struct str text) {
    if (e == ENC_RAW) {
        buf_addstr(out, text);
        return out->err;
    }
    char *at = buf_reserve(out, text.n);
    if (at == NULL) return out->err;
    size_t n = 0;
    int err =
        e == ENC_HEX ? hex_decode(at, text, &n) : base64_decode(at, text, e == ENC_BASE64URL, &n);
    if (err == 0) out->len += n;
    out->data[out->len] = '\0';
    return err;
}

uint16_t crc16_ccitt(struct str data) {
    uint16_t crc = 0xffff;
    for (size_t i = 0; i < data.n; i++) {
        crc = (uint16_t)(crc ^ (uint16_t)((unsigned char)data.p[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

static void uuid_text(char out[UUID_SIZE], uint8_t b[16], int version) {
    b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
        *at++ = "0123456789abcdef"[b[i] >> 4];
        *at++ = "0123456789abcdef"[b[i] & 15];
    }
    *at = '\0';
}

void uuid_v4(char out[UUID_SIZE], struct rng *rng) {
    uint8_t b[16];
    rng_fill(rng, b, sizeof b);
    uuid_text(out, b, 4);
}

void uuid_v7(char out[UUID_SIZE], const struct clock *clock, struct rng *rng) {
    uint8_t b[16];
    rng_fill(rng, b, sizeof b);
    uint64_t ms = (uint64_t)clock_now_ms(clock);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    uuid_text(out, b, 7);
}
