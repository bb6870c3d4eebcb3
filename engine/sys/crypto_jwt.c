#include "sys/crypto_jwt.h"

#include "base/mem.h"
#include "sys/crypto_text.h"

#define TOKEN_BYTES_MAX (64 * 1024)
#define DEPTH_MAX       8

static const char *const NAMES[] = {"HS256", "RS256", "ES256", "EdDSA"};

int jwt_alg_by_name(struct str name) {
    for (int i = 0; i < 4; i++)
        if (str_eq(name, str_of(NAMES[i]))) return i;
    return -1;
}

static struct sign_spec spec_of(enum jwt_alg alg) {
    static const struct sign_spec specs[] = {
        [JWT_RS256] = {.scheme = SIGN_PKCS1, .digest = DIGEST_SHA256},
        [JWT_ES256] = {.scheme = SIGN_ECDSA_RAW, .digest = DIGEST_SHA256},
        [JWT_EDDSA] = {.scheme = SIGN_ED25519},
    };
    return specs[alg];
}

/* ES256 is P-256 and nothing else (RFC 7518 3.4). */
static int check_key(const struct jwt_key *k, struct why *why) {
    if (k->alg == JWT_HS256)
        return k->secret.n != 0 ? 0 : why_set(why, E_INVAL, "HS256: the secret is empty");
    if (k->key == NULL) return why_set(why, E_INVAL, "%s needs a key", NAMES[k->alg]);
    if (k->alg == JWT_ES256 && key_type(k->key) != KEY_P256)
        return why_set(why, E_INVAL, "the key is %s, ES256 needs EC P-256",
                       key_type_name(key_type(k->key)));
    return 0;
}

int jwt_sign(const struct jwt_key *key, struct str kid, struct str payload, struct buf *out,
             struct why *why) {
    int err = check_key(key, why);
    if (err != 0) return err;
    for (size_t i = 0; i < kid.n; i++)
        if (kid.p[i] <= ' ' || kid.p[i] > '~' || kid.p[i] == '"' || kid.p[i] == '\\')
            return why_set(why, E_INVAL, "kid: visible ASCII without quotes only");
    struct buf head = {0}, text = {0}, sig = {0};
    buf_addf(&head, "{\"alg\":\"%s\",\"typ\":\"JWT\"", NAMES[key->alg]);
    if (kid.n != 0) buf_addf(&head, ",\"kid\":\"%.*s\"", STR_FMT(kid));
    buf_addc(&head, '}');
    text_encode(&text, ENC_BASE64URL, buf_str(&head));
    buf_addc(&text, '.');
    text_encode(&text, ENC_BASE64URL, payload);
    err = head.err != 0 ? head.err : text.err;
    if (err != 0) why_set(why, err, "%s", err_text(err));
    if (err == 0 && key->alg == JWT_HS256) {
        uint8_t mac[DIGEST_MAX];
        err = crypto_hmac(DIGEST_SHA256, key->secret, buf_str(&text), mac);
        if (err == 0) buf_add(&sig, mac, 32);
        if (err != 0) why_set(why, err, "%s", err_text(err));
    } else if (err == 0) {
        struct sign_spec spec = spec_of(key->alg);
        err = key_sign(key->key, &spec, buf_str(&text), &sig, why);
    }
    if (err == 0) {
        buf_addc(&text, '.');
        text_encode(&text, ENC_BASE64URL, buf_str(&sig));
        buf_addstr(out, buf_str(&text));
        err = sig.err != 0 ? sig.err : text.err != 0 ? text.err : out->err;
        if (err != 0) why_set(why, err, "%s", err_text(err));
    }
    buf_free(&head);
    buf_free(&text);
    buf_free(&sig);
    return err;
}

/* ---- the header: a JSON object, read only as far as to compare `alg` ---- */
static void skip_space(struct str *s) {
    while (s->n != 0 && strchr(" \t\r\n", *s->p) != NULL && *s->p != '\0')
        s->p++, s->n--;
}

static bool take(struct str *s, char c) {
    skip_space(s);
    if (s->n == 0 || *s->p != c) return false;
    s->p++, s->n--;
    return true;
}

/* A string without escapes in `out`; one with escapes is skipped, `plain` tells. */
static bool take_string(struct str *s, struct str *out, bool *plain) {
    if (!take(s, '"')) return false;
    *plain = true;
    for (size_t i = 0; i < s->n; i++) {
        if ((unsigned char)s->p[i] < ' ') return false;
        if (s->p[i] == '\\') {
            *plain = false;
            i++;
        } else if (s->p[i] == '"') {
            *out = str_sub(*s, 0, i);
            *s = str_sub(*s, i + 1, s->n);
            return true;
        }
    }
    return false;
}

/* Any value that is no string: brackets balanced, strings respected. */
static bool skip_value(struct str *s) {
    int depth = 0;
    struct str ignored;
    bool plain;
    for (;;) {
        skip_space(s);
        if (s->n == 0) return false;
        char c = *s->p;
        if (c == '"') {
            if (!take_string(s, &ignored, &plain)) return false;
        } else if (depth == 0 && (c == ',' || c == '}')) {
            return true;
        } else {
            if (c == '{' || c == '[') depth++;
            if ((c == '}' || c == ']') && --depth < 0) return false;
            if (depth > DEPTH_MAX) return false;
            s->p++, s->n--;
        }
    }
}

static int check_header(struct str s, const char *alg, struct why *why) {
    int seen = 0;
    if (!take(&s, '{')) return why_set(why, E_SYNTAX, "the token's header is no JSON object");
    bool more = true;
    while (more) {
        struct str name, value = {0};
        bool plain = false, text = false;
        if (!take_string(&s, &name, &plain) || !plain || !take(&s, ':'))
            return why_set(why, E_SYNTAX, "the token's header is not plain JSON");
        skip_space(&s);
        if (s.n != 0 && *s.p == '"')
            text = take_string(&s, &value, &plain) && plain;
        else if (!skip_value(&s))
            return why_set(why, E_SYNTAX, "the token's header is not plain JSON");
        if (str_eq(name, STR("crit")))
            return why_set(why, E_DENIED, "the token asks for extensions (crit)");
        if (str_eq(name, STR("alg"))) {
            if (!text || !str_eq(value, str_of(alg)))
                return why_set(why, E_DENIED, "the token's alg is not %s", alg);
            seen++;
        }
        more = take(&s, ',');
    }
    if (!take(&s, '}')) return why_set(why, E_SYNTAX, "the token's header is not plain JSON");
    skip_space(&s);
    if (s.n != 0 || seen != 1)
        return why_set(why, E_SYNTAX, "the token's header names its alg %d times", seen);
    return 0;
}

static int check_signature(const struct jwt_key *key, struct str text, struct str sig,
                           struct why *why) {
    if (key->alg != JWT_HS256) {
        struct sign_spec spec = spec_of(key->alg);
        return key_verify(key->key, &spec, text, sig, why);
    }
    uint8_t mac[DIGEST_MAX];
    int err = crypto_hmac(DIGEST_SHA256, key->secret, text, mac);
    if (err != 0) return why_set(why, err, "%s", err_text(err));
    if (crypto_equal((struct str){(char *)mac, 32}, sig)) return 0;
    return why_set(why, E_DENIED, "the signature does not fit");
}

int jwt_verify(const struct jwt_key *key, struct str token, struct buf *payload, struct why *why) {
    int err = check_key(key, why);
    if (err != 0) return err;
    if (token.n > TOKEN_BYTES_MAX) return why_set(why, E_LIMIT, "a token of more than 64 kB");
    struct str head, body, sig, rest;
    if (!str_cut(token, '.', &head, &rest) || !str_cut(rest, '.', &body, &sig))
        return why_set(why, E_SYNTAX, "not a token: expected three parts");
    struct str text = {token.p, head.n + 1 + body.n};
    struct buf h = {0}, s = {0};
    size_t before = payload->len;
    if ((err = text_decode(&h, ENC_BASE64URL, head)) != 0 ||
        (err = text_decode(&s, ENC_BASE64URL, sig)) != 0) {
        why_set(why, err, "not a token: its parts are not base64url");
        goto out;
    }
    if ((err = check_signature(key, text, buf_str(&s), why)) != 0) goto out;
    if ((err = check_header(buf_str(&h), NAMES[key->alg], why)) != 0) goto out;
    if ((err = text_decode(payload, ENC_BASE64URL, body)) != 0) {
        payload->len = before;
        why_set(why, err, "the token's payload is not base64url");
    }
out:
    buf_free(&h);
    buf_free(&s);
    return err;
}
