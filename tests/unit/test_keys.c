/* Signatures and tokens: RFC 8032, RFC 6979, RFC 7515, RFC 8037, the providers' examples, and both
 * ways against the openssl command line. */
#include "base/mem.h"
#include "hex.h"
#include "sys/crypto_jwt.h"
#include "sys/crypto_text.h"

#include <stdio.h>
#include <stdlib.h>

static struct why why;

static struct str pem_of_der(const char *digits) { /* bare base64, as portals show keys */
    static struct buf text[4];
    static int next;
    struct buf *b = &text[next++ % 4];
    buf_free(b);
    text_encode(b, ENC_BASE64, hex(digits));
    return buf_str(b);
}

static struct crypto_key *private_key(struct str pem) {
    struct crypto_key *k;
    int err = key_load_private(&k, pem, (struct str){0}, &why);
    if (err != 0) fail_msg("%s", why.text);
    return k;
}
static struct crypto_key *public_key(struct str pem) {
    struct crypto_key *k;
    int err = key_load_public(&k, pem, &why);
    if (err != 0) fail_msg("%s", why.text);
    return k;
}

#define ED_PKCS8  "302e020100300506032b657004220420"
#define ED_SPKI   "302a300506032b6570032100"
#define P256_SPKI "3059301306072a8648ce3d020106082a8648ce3d03010703420004"

static void ed25519(void **state) {
    (void)state;
    static const struct {
        const char *secret, *public, *message, *signature;
    } v[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "c"
         "f9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0"
         "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    };
    for (size_t i = 0; i < 2; i++) {
        char der[256];
        snprintf(der, sizeof der, ED_PKCS8 "%s", v[i].secret);
        struct crypto_key *key = private_key(pem_of_der(der));
        snprintf(der, sizeof der, ED_SPKI "%s", v[i].public);
        struct crypto_key *pub = public_key(pem_of_der(der));
        struct sign_spec spec = {0};
        struct buf sig = {0};
        CHECK_OK(key_sign(key, &spec, hex(v[i].message), &sig, &why));
        CHECK_HEX(sig.data, sig.len, v[i].signature);
        CHECK_OK(key_verify(pub, &spec, hex(v[i].message), buf_str(&sig), &why));
        CHECK_ERR(key_verify(pub, &spec, STR("other"), buf_str(&sig), &why), E_DENIED);
        CHECK_ERR(key_sign(pub, &spec, STR("x"), &sig, &why), E_INVAL);
        buf_free(&sig);
        key_delete(key);
        key_delete(pub);
    }
}

static void ecdsa(void **state) {
    (void)state;
    struct crypto_key *pub = public_key(
        pem_of_der(P256_SPKI "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                             "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"));
    struct sign_spec spec = {.scheme = SIGN_ECDSA_RAW, .digest = DIGEST_SHA256};
    struct str sig = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
                         "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    CHECK_OK(key_verify(pub, &spec, STR("sample"), sig, &why));
    CHECK_ERR(key_verify(pub, &spec, STR("Sample"), sig, &why), E_DENIED);
    CHECK_ERR(key_verify(pub, &spec, STR("sample"), str_sub(sig, 0, 63), &why), E_DENIED);
    char zero[64] = {0};
    CHECK_ERR(key_verify(pub, &spec, STR("sample"), (struct str){zero, 64}, &why), E_DENIED);
    spec.scheme = SIGN_ECDSA_DER;
    CHECK_ERR(key_verify(pub, &spec, STR("sample"), sig, &why), E_DENIED);
    spec.scheme = SIGN_PKCS1;
    CHECK_ERR(key_verify(pub, &spec, STR("sample"), sig, &why), E_INVAL);
    CHECK_STR(str_of(why.text), "the key is EC P-256, this signature needs RSA");
    key_delete(pub);
}

/* reference: snap-and-banks 1.4 */
static const char SNAP_KEY[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApYEdjz++E7Q5RaiTBq/9\n"
                               "u5kh/mW+c94zAo4aJ9HJTA+fMKfD8F01D9Sb98aDKECO4dhrfDfE8J5L7TtnlJlz\n"
                               "KXaYF22Gn5Cz0+3aoxOfRP6CsHlKfDYVIgbItDlBUYZoFJqKHLreIJI0ZwuaSDNM\n"
                               "0ffMvINr0W/j6Fz5mhe+i1o3fXbrc+OoEl1UY3KGujS4diReF1B2o4EUb5T6JYz6\n"
                               "YVVALHKwzrkcJN+BJh3CLhg+27z+c1spW2j1QDmp2zHqxqKBeoMwmELNrXV+BeZ+\n"
                               "C7ozCML9ocZ1/5QNiVGu6x1OgOc5vyp91/wdvXEKCHDJT9IhgTk7SOhVMXIZV07o\n"
                               "bQIDAQAB\n"
                               "-----END PUBLIC KEY-----\n";
static const char SNAP_SIG[] =
    "SjlNF9iakAOycHmv/XxqfxbYX++ll4Wc9i9c/pK9mWe4gCkXxakoT4n7TxVVYUxWUEQ9Z9smaQkYdaTtQJVbDXksw9/"
    "KaUtf5xlRF4Af3HZ+4u/"
    "V8WVt9NvZSUya8FhLcBK1CxdNMnRPLXW1+XsEDUL6Cgr4QPfp14iEc4cFytkEX+SR7tVi9xQhmzKlyJnWiE9G+"
    "5tYg5GPE5BM8byrpWaK92HQAo4Cc/IduikpMnsc02zs/"
    "mg7m5xKQgDx+JxCH4A/16nEsxnDZZDEaduLItfjWFR7ycL3ldPQkW0hY/"
    "BuCiUBa9y2yFHiNBmoDMflczgBJJOiG+T4YqjfuchYKA==";

/* The same key in all the ways people paste it. */
static void snap_signature_and_pasted_keys(void **state) {
    (void)state;
    struct buf sig = {0}, crlf = {0}, line = {0}, bare = {0}, spaced = {0};
    CHECK_OK(text_decode(&sig, ENC_BASE64, str_of(SNAP_SIG)));
    for (const char *p = SNAP_KEY; *p != '\0'; p++) {
        if (*p == '\n') buf_adds(&crlf, "\r\n"), buf_adds(&line, "\\n"), buf_adds(&spaced, " ");
        if (*p != '\n') buf_addc(&crlf, *p), buf_addc(&line, *p), buf_addc(&spaced, *p);
    }
    struct str key = str_of(SNAP_KEY);
    buf_addstr(&bare, str_sub(key, 27, key.n - 25));
    struct str forms[] = {key, buf_str(&crlf), buf_str(&line), buf_str(&bare), buf_str(&spaced)};
    for (size_t i = 0; i < 5; i++) {
        struct crypto_key *pub = public_key(forms[i]);
        struct sign_spec spec = {.digest = DIGEST_SHA256};
        CHECK_OK(
            key_verify(pub, &spec, STR("client-1|2025-01-02T03:04:05+07:00"), buf_str(&sig), &why));
        CHECK_ERR(
            key_verify(pub, &spec, STR("client-2|2025-01-02T03:04:05+07:00"), buf_str(&sig), &why),
            E_DENIED);
        spec.digest = DIGEST_SHA512;
        CHECK_ERR(
            key_verify(pub, &spec, STR("client-1|2025-01-02T03:04:05+07:00"), buf_str(&sig), &why),
            E_DENIED);
        key_delete(pub);
    }
    buf_free(&sig), buf_free(&crlf), buf_free(&line), buf_free(&bare), buf_free(&spaced);
}

/* reference: wallets 7, a bare base64 PKCS#8 key; PKCS#1 v1.5 gives the same bytes each time */
static const char DANA_KEY[] =
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCi5l0Zg3J2yUstmQ4CL/g5GOhR5YNDgTWzWW/K"
    "7gC1h66ZxaAF3LGLPzzWgkfoG59Fg+M0/h8sLq5O/BW6cboAhsgHBqC3rIobdbXfXA3CXCJZN6XmTmMjsYfY3GHN"
    "2WSkrM2N8DvpumASmfE3jbSoc6vcyZKZ87FPGJ5zIv/XCOnxg2HC3EcA+dDtai70xsaeT7u92UoVP0F9Ziv/vxQ6"
    "v/iYBk5W9axR2PAD0JjrtwSZm+OGmGebYAEcxyilzGwpu9c3bL8DON1ti+phY8x5ZgixalxAZl2F2y26EjqAoan5"
    "6eHAslY5i8YRMjxBfEnc1be4tXRqxQTUVritJVixAgMBAAECggEAGx6LyEgUYccwL1aoOOAAjIzjfGLfv/i+Vm3g"
    "ySFnV9FPVYVLlz4/BoYQHEwTKYaTtPB4fmWCDgp1dWvNOD1fsF+/5D+LuRhN47VsglNibQWGqGC1y0ooghQ3n/hM"
    "hgcXlLy5+dPRPZ+MB/y95jg+p76eEYMzV1L1JUxdcKCWhBdRNQ+FyUGy7O/pwACCPmQyiPFHC+vl3vPE0+MklX4l"
    "CL2YG4zXGw5MncQdStG+xDTLsBC4f+0QlLoWoIRFjjq71YAYMjaQcfsj4v/vgBA/FQnhrnOMsk7m9dVuNn5e34Ai"
    "SrmQ4q9lzOgacB0eUUCE6Jhh0YCpDeYA0ZsWm9Lm2QKBgQDYAYH5VhbWyKkrW0D2H53Apu2a6ChPa5r8G0HaU0sl"
    "b7HCBSHRVH/4R5OTwQU0PEaKbJgjay+CqpQkgCtZ4+SqZizzPFrvGrtlJjRdXChgOIF84gd3SroMV6BKgGprTEOc"
    "D0L+SWuqhbgXce5kGBW4j759nvd+/SI0Dhj08EEzFQKBgQDBD60PSq3OY1njFTYKA2iQhw44+WF9Pcasg50KRUcj"
    "2+A9X/dHbs4rO94eeJKA8spPbai7w0phMnqTTxNOZkvl8HggT21ODDAjBTDA9QxT80CfvxLbP8HZtb8vq+jjj/Ig"
    "YsP+Gl16SulXuy93w7CLbrsTV2GpxLVMve/0Q0FmLQKBgQCezFz1JOkddd+IVEnpp0yeORos68fWu1DxTkiXbOyt"
    "1PNlo8g80FZT/Krt0NU2lal2Umd2gnInKahHPUKhjvyomP0qxJBFf+2Maw3MJNg6BNCNMs4yUOl98V2R595Ui3iY"
    "3k9uCiPw9OVltwh+5YXybRqp15gz73yZsFOAnrAQEQKBgQDA2J/N/pLO7n8DTlTEe9MfS0jxsGmpaOPjvzRG5hzB"
    "vQipRgsD17MpjIu7dEUjeWKNJMS/ibvqiznVm891KMn3zdSwsaZFp/cNhEnG9QBzezC6YWq8h1tj1SA8xkPDzC3Y"
    "G9AbKsrlNZ8Qe3JW96qKHPnRwB9WLZ/MII5oOCZDoQKBgBum/kxYmxc7jfPNTGqnV2Nt+3u1BAZI2nsoiCQ/Kh5F"
    "duSf5vVa6atblKc6Gmz3Gt7+vvwCYVQRjeN6+ZSaUex9v9uXcanMkRRLBBXF3OCGRtTF8hhUDZanOfchS512Mapa"
    "GIkH1tgmsHo8MUdmLFUuuoIk3y6I89N57FbdKAjX";
static const char DANA_SIG[] =
    "F9IttZeLIk1EgssqdBIKSPbDD2tb5Ei9v8EWVSvMvsD9/piC4OAzsUXjW3MIIFXNoHYFXG54MFk7lRiLMb5q396h"
    "5ni20Q8A9OcT7pxSFwzi13GQfxbMuXX06RqqohaCVsG7NESyRyaTYsxNxdzOdmmFUoRD8YeO3k0loSS1NSnIym0U"
    "bCkZiQfLaV5BEZ6rWS9xmBM3mzmWw+PUVAPyxhMBle5rqQNhd/tTO26BlVGjm6TeTfzS43VqPa5cBIXvuXaKWu8d"
    "6bTxPT3UwE23ohQj71MNeUgfQHA5JbMCB9dY7nft8zJ/rlVxKNDTQjsSvRuKXmZU6JTPDynKpME9Dg==";

static void dana_signature(void **state) {
    (void)state;
    struct crypto_key *key = private_key(str_of(DANA_KEY));
    struct sign_spec spec = {.scheme = SIGN_PKCS1, .digest = DIGEST_SHA256};
    struct buf sig = {0}, text = {0};
    CHECK_OK(key_sign(key, &spec,
                      STR("POST:/payment-gateway/v1.0/debit/payment-host-to-host.htm:"
                          "24edc24db642663b16669c917aa6627c079dd369f49dea42b61d64e72bf0bab8:"
                          "2026-11-21T17:30:00+07:00"),
                      &sig, &why));
    text_encode(&text, ENC_BASE64, buf_str(&sig));
    CHECK_STR(buf_str(&text), DANA_SIG);
    buf_free(&sig), buf_free(&text);
    key_delete(key);
}

static void check_says(int err, int expected, const char *text) {
    CHECK_ERR(err, expected);
    if (str_search(str_of(why.text), str_of(text)) < 0)
        fail_msg("expected \"%s\" in \"%s\"", text, why.text);
}

/* ---- against the command line ---- */
static char dir[512];

static int shell(const char *command) {
    char line[2048];
    snprintf(line, sizeof line, "cd '%s' && { %s; } >out.txt 2>&1", dir, command);
    return system(line);
}
static void must(const char *command) {
    if (shell(command) == 0) return;
    (void)!system("cat out.txt");
    fail_msg("%s", command);
}
static struct buf *file(const char *name) {
    static struct buf ring[8];
    static int next;
    struct buf *b = &ring[next++ % 8];
    buf_free(b);
    char path[768];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) fail_msg("%s is missing", path);
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        buf_add(b, part, n);
    fclose(f);
    return b;
}
static struct str text_of(const char *name) {
    return buf_str(file(name));
}
static void write_file(const char *name, struct str s) {
    char path[768];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL && fwrite(s.p, 1, s.n, f) == s.n);
    fclose(f);
}

static int make_keys(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "%s", unit_tmpdir());
    must(
        "openssl genrsa -out rsa.pem 2048 && openssl rsa -in rsa.pem -traditional -out rsa1.pem && "
        "openssl rsa -in rsa.pem -pubout -out rsa.pub && "
        "openssl rsa -in rsa.pem -RSAPublicKey_out -out rsa1.pub && "
        "openssl pkcs8 -topk8 -in rsa.pem -passout pass:rahasia -out rsa.enc && "
        "openssl rsa -in rsa.pem -traditional -aes128 -passout pass:rahasia -out rsa1.enc");
    must("openssl ecparam -name prime256v1 -genkey -out p256.pem && "
         "openssl ec -in p256.pem -pubout -out p256.pub && "
         "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem && "
         "openssl ec -in p384.pem -pubout -out p384.pub && "
         "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out k1.pem && "
         "openssl genpkey -algorithm ED25519 -out ed.pem && "
         "openssl pkey -in ed.pem -pubout -out ed.pub && "
         "openssl genpkey -algorithm X25519 -out x.pem && openssl genrsa -out small.pem 512 && "
         "openssl req -x509 -key rsa.pem -subj /CN=bank -days 2 -out rsa.crt && "
         "openssl req -new -key rsa.pem -subj /CN=bank -out rsa.csr");
    return 0;
}

static void signatures_both_ways(void **state) {
    (void)state;
    static const struct {
        const char *key, *pub, *sign, *verify;
        struct sign_spec spec;
    } cases[] = {
        {"rsa.pem", "rsa.pub", "dgst -sha256", "dgst -sha256", {SIGN_PKCS1, DIGEST_SHA256, -1}},
        {"rsa1.pem", "rsa1.pub", "dgst -sha1", "dgst -sha1", {SIGN_PKCS1, DIGEST_SHA1, -1}},
        {"rsa.pem", "rsa.crt", "dgst -sha384", "dgst -sha384", {SIGN_PKCS1, DIGEST_SHA384, -1}},
        {"rsa.pem", "rsa.pub", "dgst -sha512", "dgst -sha512", {SIGN_AUTO, DIGEST_SHA512, -1}},
        {"rsa.pem",
         "rsa.pub",
         "dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
         "dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32",
         {SIGN_PSS, DIGEST_SHA256, -1}},
        {"rsa.pem",
         "rsa.pub",
         "dgst -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20",
         "dgst -sha512 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20",
         {SIGN_PSS, DIGEST_SHA512, 20}},
        {"p256.pem", "p256.pub", "dgst -sha256", "dgst -sha256", {SIGN_AUTO, DIGEST_SHA256, -1}},
        {"p384.pem",
         "p384.pub",
         "dgst -sha384",
         "dgst -sha384",
         {SIGN_ECDSA_DER, DIGEST_SHA384, -1}},
    };
    write_file("data", STR("the bytes that are signed\n"));
    struct str data = STR("the bytes that are signed\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[512];
        struct crypto_key *key = private_key(text_of(cases[i].key));
        struct crypto_key *pub = public_key(text_of(cases[i].pub));
        snprintf(line, sizeof line, "openssl %s -sign %s -out sig data", cases[i].sign,
                 cases[i].key);
        must(line);
        CHECK_OK(key_verify(pub, &cases[i].spec, data, text_of("sig"), &why));
        CHECK_ERR(key_verify(pub, &cases[i].spec, STR("else"), text_of("sig"), &why), E_DENIED);
        struct buf sig = {0};
        CHECK_OK(key_sign(key, &cases[i].spec, data, &sig, &why));
        write_file("ours", buf_str(&sig));
        snprintf(line, sizeof line, "openssl %s -prverify %s -signature ours data", cases[i].verify,
                 cases[i].key);
        must(line);
        CHECK_OK(key_verify(pub, &cases[i].spec, data, buf_str(&sig), &why));
        sig.data[sig.len - 1] ^= 1;
        CHECK(key_verify(pub, &cases[i].spec, data, buf_str(&sig), &why) == E_DENIED);
        buf_free(&sig);
        key_delete(key), key_delete(pub);
    }
    /* PSS is no PKCS#1 v1.5, and a wrong salt size is no signature */
    struct crypto_key *key = private_key(text_of("rsa.pem")), *pub = public_key(text_of("rsa.pub"));
    struct buf sig = {0};
    struct sign_spec pss = {SIGN_PSS, DIGEST_SHA256, 20}, v15 = {SIGN_PKCS1, DIGEST_SHA256, -1};
    CHECK_OK(key_sign(key, &pss, data, &sig, &why));
    CHECK_ERR(key_verify(pub, &v15, data, buf_str(&sig), &why), E_DENIED);
    pss.salt_size = 32;
    CHECK_ERR(key_verify(pub, &pss, data, buf_str(&sig), &why), E_DENIED);
    pss.salt_size = -1;
    CHECK_OK(key_verify(pub, &pss, data, buf_str(&sig), &why));
    pss.digest = DIGEST_MD5;
    CHECK_ERR(key_sign(key, &pss, data, &sig, &why), E_INVAL);
    buf_free(&sig);
    key_delete(key), key_delete(pub);
    /* Ed25519 by pkeyutl */
    key = private_key(text_of("ed.pem")), pub = public_key(text_of("ed.pub"));
    struct sign_spec ed = {0};
    must("openssl pkeyutl -sign -inkey ed.pem -rawin -in data -out sig");
    CHECK_OK(key_verify(pub, &ed, data, text_of("sig"), &why));
    CHECK_OK(key_sign(key, &ed, data, &sig, &why));
    write_file("ours", buf_str(&sig));
    must("openssl pkeyutl -verify -pubin -inkey ed.pub -rawin -in data -sigfile ours");
    struct buf pem = {0};
    CHECK_OK(key_public_pem(key, &pem));
    CHECK(str_eq(buf_str(&pem), text_of("ed.pub")));
    buf_free(&pem), buf_free(&sig);
    key_delete(key), key_delete(pub);
}

static void keys_are_explained(void **state) {
    (void)state;
    struct crypto_key *k;
    struct str none = {0};
    check_says(key_load_private(&k, text_of("rsa.pub"), none, &why), E_INVAL,
               "found PUBLIC KEY, expected a private key");
    check_says(key_load_public(&k, text_of("rsa.pem"), &why), E_INVAL,
               "found PRIVATE KEY, expected a public key or a certificate");
    check_says(key_load_public(&k, text_of("rsa.csr"), &why), E_INVAL, "found CERTIFICATE REQUEST");
    check_says(key_load_private(&k, text_of("rsa.crt"), none, &why), E_INVAL, "found CERTIFICATE");
    check_says(key_load_private(&k, text_of("rsa.enc"), none, &why), E_INVAL,
               "is encrypted and no password was given");
    check_says(key_load_private(&k, text_of("rsa1.enc"), none, &why), E_INVAL,
               "is encrypted and no password was given");
    check_says(key_load_private(&k, text_of("rsa.enc"), STR("salah"), &why), E_INVAL,
               "does not open with this password");
    check_says(key_load_private(&k, text_of("rsa1.enc"), STR("salah"), &why), E_INVAL,
               "does not open with this password");
    CHECK_OK(key_load_private(&k, text_of("rsa.enc"), STR("rahasia"), &why));
    key_delete(k);
    CHECK_OK(key_load_private(&k, text_of("rsa1.enc"), STR("rahasia"), &why));
    key_delete(k);
    check_says(key_load_private(&k, text_of("k1.pem"), none, &why), E_INVAL,
               "curve secp256k1: expected P-256 or P-384");
    check_says(key_load_private(&k, text_of("x.pem"), none, &why), E_INVAL,
               "type X25519: expected RSA, EC or Ed25519");
    check_says(key_load_private(&k, text_of("small.pem"), none, &why), E_INVAL,
               "RSA key of 512 bits");
    struct str rsa = text_of("rsa.pem");
    check_says(key_load_private(&k, str_sub(rsa, 0, rsa.n - 30), none, &why), E_SYNTAX,
               "no matching \"-----END ...\"");
    check_says(key_load_private(&k, STR("my password"), none, &why), E_SYNTAX,
               "neither PEM (\"-----BEGIN ...\") nor base64");
    check_says(key_load_private(&k, STR(""), none, &why), E_SYNTAX, "neither PEM");
    check_says(key_load_private(&k, STR("AAAA"), none, &why), E_SYNTAX, "holds no private key");
    check_says(key_load_private(&k,
                                STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
                                none, &why),
               E_SYNTAX, "damaged");
    check_says(key_load_private(&k,
                                STR("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----"),
                                none, &why),
               E_SYNTAX, "is not base64");
    check_says(
        key_load_private(
            &k, STR("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"),
            none, &why),
        E_INVAL, "ssh-keygen");
    must("openssl pkey -in rsa.pem -outform DER | base64 > rsa.b64");
    check_says(key_load_public(&k, text_of("rsa.b64"), &why), E_INVAL,
               "found a private key, expected a public one");
    CHECK_OK(key_load_private(&k, text_of("rsa.b64"), none, &why));
    key_delete(k);
}

static void ciphers_both_ways(void **state) {
    (void)state;
    const struct {
        const char *name, *key, *iv;
        struct cipher_spec spec;
    } cases[] = {
        {"aes-128-cbc",
         "000102030405060708090a0b0c0d0e0f",
         "0f0e0d0c0b0a09080706050403020100",
         {.mode = MODE_CBC}},
        {"aes-192-ecb", "000102030405060708090a0b0c0d0e0f1011121314151617", "", {.mode = MODE_ECB}},
        {"aes-256-cbc",
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "0f0e0d0c0b0a09080706050403020100",
         {.mode = MODE_CBC}},
        {"des-ede3-cbc",
         "0123456789abcdef23456789abcdef01456789abcdef0123",
         "0011223344556677",
         {.cipher = CIPHER_3DES, .mode = MODE_CBC}},
        {"des-ede3",
         "0123456789abcdef23456789abcdef010123456789abcdef",
         "",
         {.cipher = CIPHER_3DES, .mode = MODE_ECB}},
        {"des-ede",
         "0123456789abcdef23456789abcdef01",
         "",
         {.cipher = CIPHER_3DES, .mode = MODE_ECB}},
    };
    struct str plain = STR("status=00&note=kopi luwak 200 g");
    write_file("plain", plain);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cipher_spec s = cases[i].spec;
        s.key = hex(cases[i].key);
        s.iv = hex(cases[i].iv);
        char iv[64] = "", line[512];
        if (s.iv.n != 0) snprintf(iv, sizeof iv, "-iv %s", cases[i].iv);
        struct buf out = {0};
        CHECK_OK(crypto_encrypt(&s, plain, &out, &why));
        write_file("ours", buf_str(&out));
        snprintf(line, sizeof line, "openssl enc -d -%s -K %s %s -in ours | cmp - plain",
                 cases[i].name, cases[i].key, iv);
        must(line);
        snprintf(line, sizeof line, "openssl enc -%s -K %s %s -in plain -out theirs", cases[i].name,
                 cases[i].key, iv);
        must(line);
        buf_clear(&out);
        CHECK_OK(crypto_decrypt(&s, text_of("theirs"), &out, &why));
        CHECK(str_eq(buf_str(&out), plain));
        buf_free(&out);
    }
}

/* ---- tokens ---- */
#define RFC7515_PAYLOAD                                                                            \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl" \
    "fQ"

static void published_tokens(void **state) {
    (void)state;
    struct buf secret = {0}, payload = {0}, der = {0}, text = {0};
    CHECK_OK(text_decode(&secret, ENC_BASE64URL,
                         STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
                             "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")));
    struct jwt_key hs = {.alg = JWT_HS256, .secret = buf_str(&secret)};
    CHECK_OK(jwt_verify(&hs,
                        STR("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC7515_PAYLOAD
                            ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                        &payload, &why));
    CHECK_STR(buf_str(&payload),
              "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    buf_clear(&payload);
    buf_addstr(&der, hex(P256_SPKI));
    CHECK_OK(text_decode(&der, ENC_BASE64URL, STR("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")));
    CHECK_OK(text_decode(&der, ENC_BASE64URL, STR("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")));
    text_encode(&text, ENC_BASE64, buf_str(&der));
    struct crypto_key *ec = public_key(buf_str(&text));
    struct jwt_key es = {.alg = JWT_ES256, .key = ec};
    struct str token = STR(
        "eyJhbGciOiJFUzI1NiJ9." RFC7515_PAYLOAD
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    CHECK_OK(jwt_verify(&es, token, &payload, &why));
    es.alg = JWT_RS256;
    CHECK_ERR(jwt_verify(&es, token, &payload, &why), E_INVAL);
    buf_clear(&payload);
    struct crypto_key *ed = public_key(
        pem_of_der(ED_SPKI "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    struct jwt_key eddsa = {.alg = JWT_EDDSA, .key = ed};
    CHECK_OK(jwt_verify(&eddsa,
                        STR("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
                            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt"
                            "9g7sVvpAr_MuM0KAg"),
                        &payload, &why));
    CHECK_STR(buf_str(&payload), "Example of Ed25519 signing");
    /* BNI H2H (snap-and-banks 3) */
    struct jwt_key bni = {.alg = JWT_HS256, .secret = STR("sekret")};
    buf_clear(&text);
    CHECK_OK(jwt_sign(&bni, STR(""), STR("{\"clientId\":\"X\",\"accountNo\":\"1\"}"), &text, &why));
    CHECK_STR(buf_str(&text),
              "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJjbGllbnRJZCI6IlgiLCJhY2NvdW50Tm8iOiIxIn0."
              "0yqDYXkByjZ0HTzQ5jwn7O0bi6OvTpyA8L0OY7yd1V4");
    key_delete(ec), key_delete(ed);
    buf_free(&secret), buf_free(&payload), buf_free(&der), buf_free(&text);
}

/* A token over any header, rightly signed with HS256. */
static struct str token_with(const char *header, struct buf *text) {
    uint8_t mac[DIGEST_MAX];
    buf_clear(text);
    text_encode(text, ENC_BASE64URL, str_of(header));
    buf_adds(text, ".e30");
    CHECK_OK(crypto_hmac(DIGEST_SHA256, STR("sekret"), buf_str(text), mac));
    buf_addc(text, '.');
    text_encode(text, ENC_BASE64URL, (struct str){(char *)mac, 32});
    return buf_str(text);
}

static void the_token_never_chooses(void **state) {
    (void)state;
    struct buf text = {0}, payload = {0};
    struct jwt_key hs = {.alg = JWT_HS256, .secret = STR("sekret")};
    CHECK_OK(jwt_verify(&hs, token_with("{\"alg\":\"HS256\"}", &text), &payload, &why));
    CHECK_OK(jwt_verify(
        &hs, token_with(" { \"x\" : [1,{\"alg\":\"none\"},\"}\"] , \"alg\" : \"HS256\" } ", &text),
        &payload, &why));
    static const struct {
        const char *header;
        int err;
    } bad[] = {
        {"{\"alg\":\"none\"}", E_DENIED},
        {"{\"alg\":\"RS256\"}", E_DENIED},
        {"{\"alg\":\"hs256\"}", E_DENIED},
        {"{\"alg\":256}", E_DENIED},
        {"{\"alg\":\"HS\\u0032\\u0035\\u0036\"}", E_DENIED},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", E_DENIED},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", E_SYNTAX},
        {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", E_SYNTAX},
        {"{\"typ\":\"JWT\"}", E_SYNTAX},
        {"{}", E_SYNTAX},
        {"[]", E_SYNTAX},
        {"", E_SYNTAX},
        {"{\"alg\":\"HS256\"", E_SYNTAX},
        {"{\"alg\":\"HS256\"} x", E_SYNTAX},
        {"{\"x\":[[[[[[[[[[[[1]]]]]]]]]]]],\"alg\":\"HS256\"}", E_SYNTAX},
    };
    buf_clear(&payload);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int err = jwt_verify(&hs, token_with(bad[i].header, &text), &payload, &why);
        if (err != bad[i].err) fail_msg("%s: %s", bad[i].header, err_name(err));
        CHECK_INT(payload.len, 0);
    }
    struct str good = token_with("{\"alg\":\"HS256\"}", &text);
    CHECK(jwt_verify(&hs, str_sub(good, 0, good.n - 1), &payload, &why) != 0);
    CHECK(jwt_verify(&hs, str_sub(good, 0, good.n - 4), &payload, &why) != 0);
    CHECK_ERR(jwt_verify(&hs, STR("e30.e30"), &payload, &why), E_SYNTAX);
    CHECK_ERR(jwt_verify(&hs, STR("eyJhbGciOiJub25lIn0.e30."), &payload, &why), E_DENIED);
    hs.secret = STR("");
    CHECK_ERR(jwt_verify(&hs, good, &payload, &why), E_INVAL);
    /* the classic: an RS256 verifier given an HS256 token keyed with the public key's text */
    struct crypto_key *rsa = public_key(text_of("rsa.pub")),
                      *priv = private_key(text_of("rsa.pem"));
    struct jwt_key rs = {.alg = JWT_RS256, .key = rsa}, sign = {.alg = JWT_RS256, .key = priv};
    CHECK_ERR(jwt_verify(&rs, good, &payload, &why), E_DENIED);
    buf_clear(&text);
    CHECK_OK(jwt_sign(&sign, STR("key-1"), STR("{\"a\":1}"), &text, &why));
    CHECK_OK(jwt_verify(&rs, buf_str(&text), &payload, &why));
    CHECK_STR(buf_str(&payload), "{\"a\":1}");
    CHECK_ERR(jwt_sign(&sign, STR("a\"b"), STR("{}"), &text, &why), E_INVAL);
    key_delete(rsa), key_delete(priv);
    buf_free(&text), buf_free(&payload);
}

int main(int argc, char **argv) {
    if (crypto_setup() != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519),
        cmocka_unit_test(ecdsa),
        cmocka_unit_test(snap_signature_and_pasted_keys),
        cmocka_unit_test(dana_signature),
        cmocka_unit_test_setup(signatures_both_ways, make_keys),
        cmocka_unit_test_setup(keys_are_explained, make_keys),
        cmocka_unit_test_setup(ciphers_both_ways, make_keys),
        cmocka_unit_test(published_tokens),
        cmocka_unit_test_setup(the_token_never_chooses, make_keys),
    };
    return unit_main(argc, argv, "keys", tests, sizeof tests / sizeof tests[0]);
}
