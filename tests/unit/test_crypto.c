/* Published vectors: FIPS 180, RFC 2202/4231 (HMAC), SP 800-38A/D (AES), SP 800-67 (3DES), RFC 5869
 * (HKDF), RFC 7914 (scrypt), and the signature examples of providers. */
#include "base/mem.h"
#include "hex.h"
#include "sys/crypto.h"
#include "sys/crypto_text.h"

#include <pthread.h>

#define ABC STR("abc")

static void check_digest(enum digest d, struct str data, const char *expected) {
    uint8_t out[DIGEST_MAX];
    CHECK_OK(crypto_digest(d, data, out));
    CHECK_HEX(out, digest_size(d), expected);
}

static void digests(void **state) {
    (void)state;
    check_digest(DIGEST_MD5, ABC, "900150983cd24fb0d6963f7d28e17f72");
    check_digest(DIGEST_SHA1, ABC, "a9993e364706816aba3e25717850c26c9cd0d89d");
    check_digest(DIGEST_SHA256, ABC,
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(DIGEST_SHA384, ABC,
                 "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc23"
                 "58baeca134c825a7");
    check_digest(DIGEST_SHA512, ABC,
                 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8"
                 "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    check_digest(DIGEST_SHA256, (struct str){0},
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK_INT(digest_by_name(STR("sha384")), DIGEST_SHA384);
    CHECK_INT(digest_by_name(STR("SHA384")), -1);
    char text[65];
    CHECK_OK(crypto_sha256_hex(ABC, text));
    CHECK_STR(str_of(text), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void check_mac(enum digest d, struct str key, struct str data, const char *expected) {
    uint8_t out[DIGEST_MAX];
    CHECK_OK(crypto_hmac(d, key, data, out));
    CHECK_HEX(out, digest_size(d), expected);
}

static void macs(void **state) {
    (void)state;
    struct str jefe = STR("Jefe"), what = STR("what do ya want for nothing?");
    check_mac(DIGEST_MD5, jefe, what, "750c783e6ab0b503eaa86e310a5db738");
    check_mac(DIGEST_SHA1, jefe, what, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    check_mac(DIGEST_SHA256, jefe, what,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_mac(DIGEST_SHA512, jefe, what,
              "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d03"
              "4f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    struct str k20 = hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    check_mac(DIGEST_SHA256, k20, STR("Hi There"),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_mac(DIGEST_SHA384, k20, STR("Hi There"),
              "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af1"
              "52e8b2fa9cb6");
    char aa[131];
    memset(aa, 0xaa, sizeof aa);
    check_mac(DIGEST_SHA256, (struct str){aa, sizeof aa},
              STR("Test Using Larger Than Block-Size Key - Hash Key First"),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    /* An empty key is a key; the one before must not shine through. */
    check_mac(DIGEST_SHA256, (struct str){0}, (struct str){0},
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* reference: snap-and-banks 1.4, gateways 4.1, wallets, billers */
static void provider_vectors(void **state) {
    (void)state;
    uint8_t out[DIGEST_MAX];
    struct buf b = {0};
    struct str body =
        STR("{\"partnerServiceId\":\"   12345\",\"customerNo\":\"0001\",\"trxId\":\"A 1\"}");
    check_digest(DIGEST_SHA256, body,
                 "acda3b6528d42507008c36d43eee6b895d0272173cb8201aef560250b40d9ea5");
    CHECK_OK(crypto_hmac(
        DIGEST_SHA512, STR("sekret"),
        STR("POST:/v1.0/transfer-va/"
            "create-va:tok-1:acda3b6528d42507008c36d43eee6b895d0272173cb8201aef560250b40d9ea5:"
            "2025-01-02T03:04:05+07:00"),
        out));
    text_encode(&b, ENC_BASE64, (struct str){(char *)out, 64});
    CHECK_STR(buf_str(&b),
              "KxZyntynCCTQEmG9hwqJRUWX/J84V9BbSAYx9xgt+m+UoFCc/M+4JOxJhFdtqusYhuozr7vPP"
              "HI5Nu+NQ4PKsQ==");
    buf_clear(&b);
    CHECK_OK(
        crypto_digest(DIGEST_SHA1, STR("OtomaX|MB001|S10|08123456789|2140669|1144|abcd"), out));
    text_encode(&b, ENC_BASE64URL, (struct str){(char *)out, 20});
    CHECK_STR(buf_str(&b), "iJ4A5qsxwbDbLFhWh7XjWAqzXb0");
    buf_clear(&b);
    CHECK_OK(crypto_digest(DIGEST_SHA512, STR("90000001dev-secretREF-1"), out));
    text_encode(&b, ENC_BASE64URL, (struct str){(char *)out, 64});
    CHECK_STR(buf_str(&b), "Ts8B4IexgZ2Z1fMNm4nrvg8U6StlcGRg7bBM1Akhu_Gg1pWKwQ5ZSmwu-_W1uYaXY-"
                           "PHoqg1Ec2zFGNolfH0IQ");
    buf_clear(&b);
    CHECK_OK(crypto_hmac(DIGEST_SHA256, STR("FOO"), STR("foo=bar,baz=bat"), out));
    text_encode(&b, ENC_BASE64, (struct str){(char *)out, 32});
    CHECK_STR(buf_str(&b), "IVMC7Aj8pDKwLx+0eNfIfoQAHvViiLeavLyYatCtB+c=");
    buf_clear(&b);
    /* LinkAja applink: the IV is the Timestamp header */
    struct cipher_spec link = {.mode = MODE_CBC,
                               .key = STR("00112233445566778899aabbccddeeff"),
                               .iv = STR("1700000000000000")};
    struct buf sealed = {0};
    CHECK_OK(crypto_encrypt(&link, STR("{\"status\":\"00\"}"), &sealed, NULL));
    text_encode(&b, ENC_BASE64, buf_str(&sealed));
    CHECK_STR(buf_str(&b), "l5WN40tGA1C7ZXQmxh6dnA==");
    buf_free(&sealed);
    check_digest(DIGEST_MD5,
                 STR("budiman01dev-3f1c9a70-5d1e-11ee-8c99-0242ac120002INV-20261121-0001"),
                 "292abfb4e7a82ca5c3aa4e216fe7b3c2");
    buf_free(&b);
}

static void check_cipher(struct cipher_spec s, const char *plain, const char *sealed) {
    struct buf out = {0}, back = {0};
    struct why why = {0};
    CHECK_OK(crypto_encrypt(&s, hex(plain), &out, &why));
    CHECK_HEX(out.data, out.len, sealed);
    CHECK_OK(crypto_decrypt(&s, buf_str(&out), &back, &why));
    CHECK_HEX(back.data == NULL ? "" : back.data, back.len, plain);
    buf_free(&out);
    buf_free(&back);
}

static void ciphers(void **state) {
    (void)state;
    const char *block = "6bc1bee22e409f96e93d7e117393172a";
    static const struct {
        const char *key, *ecb, *cbc;
    } aes[] = {
        {"2b7e151628aed2a6abf7158809cf4f3c", "3ad77bb40d7a3660a89ecaf32466ef97",
         "7649abac8119b246cee98e9b12e9197d"},
        {"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "bd334f1d6e45f25ff712a214571fa5cc",
         "4f021db243bc633d7178183a9fa071e8"},
        {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "f3eed1bdb5d2a03c064b5a7e3db181f8", "f58c4c04d6e5f1ba779eabfb5f7bfbd6"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct cipher_spec s = {.mode = MODE_ECB, .no_padding = true, .key = hex(aes[i].key)};
        check_cipher(s, block, aes[i].ecb);
        s.mode = MODE_CBC;
        s.iv = hex("000102030405060708090a0b0c0d0e0f");
        check_cipher(s, block, aes[i].cbc);
    }
    struct cipher_spec des = {
        .cipher = CIPHER_3DES,
        .mode = MODE_ECB,
        .no_padding = true,
        .key = hex("0123456789abcdef23456789abcdef01456789abcdef0123"),
    };
    check_cipher(des, "54686520717566636b2062726f776e20666f78206a756d70",
                 "a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900");
    char zero[16] = {0};
    struct cipher_spec gcm = {.mode = MODE_GCM, .key = {zero, 16}, .iv = {zero, 12}};
    check_cipher(gcm, "", "58e2fccefa7e3061367f1d57a4e7455a");
    check_cipher(gcm, "00000000000000000000000000000000",
                 "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf");
    gcm.key = hex("feffe9928665731c6d6a8f9467308308");
    gcm.iv = hex("cafebabefacedbaddecaf888");
    gcm.aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    check_cipher(
        gcm,
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532f"
        "cf0e2449a6b525b16aedf5aa0de657ba637b39",
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d"
        "8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47");
}

static void padding_and_damage(void **state) {
    (void)state;
    struct cipher_spec s = {
        .mode = MODE_CBC, .key = STR("0123456789abcdef"), .iv = STR("fedcba9876543210")};
    struct buf out = {0}, back = {0};
    struct why why = {0};
    for (size_t n = 0; n <= 33; n++) {
        char text[33];
        memset(text, 'x', sizeof text);
        buf_clear(&out), buf_clear(&back);
        CHECK_OK(crypto_encrypt(&s, (struct str){text, n}, &out, &why));
        CHECK_INT(out.len, (n / 16 + 1) * 16);
        CHECK_OK(crypto_decrypt(&s, buf_str(&out), &back, &why));
        CHECK(str_eq(buf_str(&back), (struct str){text, n}));
    }
    buf_clear(&back);
    out.data[out.len - 17] ^= 1; /* turns the last byte of padding into 0x0e */
    CHECK_ERR(crypto_decrypt(&s, buf_str(&out), &back, &why), E_DENIED);
    CHECK_INT(back.len, 0);
    CHECK_ERR(crypto_decrypt(&s, str_sub(buf_str(&out), 0, 15), &back, &why), E_DENIED);
    CHECK_ERR(crypto_decrypt(&s, STR(""), &back, &why), E_DENIED);
    s = (struct cipher_spec){.mode = MODE_GCM, .key = s.key, .iv = STR("fedcba987654")};
    for (size_t i = 0; i < 19; i++) { /* any changed byte of text or tag */
        buf_clear(&out);
        CHECK_OK(crypto_encrypt(&s, ABC, &out, &why));
        CHECK_INT(out.len, 19);
        out.data[i] ^= 0x40;
        CHECK_ERR(crypto_decrypt(&s, buf_str(&out), &back, &why), E_DENIED);
        CHECK_INT(back.len, 0);
    }
    out.data[18] ^= 0x40;
    s.aad = STR("other");
    CHECK_ERR(crypto_decrypt(&s, buf_str(&out), &back, &why), E_DENIED);
    buf_free(&out);
    buf_free(&back);
}

static void wrong_specs_are_explained(void **state) {
    (void)state;
    struct str k16 = STR("0123456789abcdef");
    const struct {
        struct cipher_spec spec;
        const char *says;
    } cases[] = {
        {{.mode = MODE_ECB, .key = STR("short")}, "5 bytes, expected 16, 24 or 32"},
        {{.cipher = CIPHER_3DES, .key = STR("short")}, "5 bytes, expected 16 or 24"},
        {{.cipher = CIPHER_3DES, .mode = MODE_GCM, .key = k16}, "no GCM"},
        {{.mode = MODE_CBC, .key = k16, .iv = STR("abc")}, "iv has 3 bytes, expected 16"},
        {{.mode = MODE_ECB, .key = k16, .iv = k16}, "takes no iv"},
        {{.mode = MODE_GCM, .key = k16, .iv = STR("abc")}, "expected 12 to 16"},
        {{.mode = MODE_GCM, .key = k16, .iv = k16, .tag_size = 4}, "tag of 4 bytes"},
        {{.mode = MODE_ECB, .key = k16, .aad = STR("x")}, "aad needs mode gcm"},
        {{.mode = MODE_ECB, .key = k16, .no_padding = true}, "3 bytes do not fill blocks"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = {0};
        struct why why = {0};
        CHECK_ERR(crypto_encrypt(&cases[i].spec, ABC, &out, &why), E_INVAL);
        if (str_search(str_of(why.text), str_of(cases[i].says)) < 0)
            fail_msg("expected \"%s\" in \"%s\"", cases[i].says, why.text);
        buf_free(&out);
    }
}

static void derivation(void **state) {
    (void)state;
    uint8_t out[64];
    CHECK_OK(crypto_hkdf(hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                         hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"), out, 42));
    CHECK_HEX(
        out, 42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    CHECK_OK(crypto_scrypt(STR(""), STR(""), 4, 1, 1, out, 64));
    CHECK_HEX(out, 64,
              "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a"
              "753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    CHECK_OK(crypto_scrypt(STR("password"), STR("NaCl"), 10, 8, 16, out, 64));
    CHECK_HEX(out, 64,
              "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff1"
              "09279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
    CHECK_ERR(crypto_scrypt(STR("x"), STR("x"), 20, 8, 1, out, 64), E_LIMIT); /* 1 GB */
}

static void passwords(void **state) {
    (void)state;
    static const struct password_cost cheap = {.log2_n = 4, .r = 8, .p = 1};
    char text[PASSWORD_HASH_MAX];
    bool stale = false;
    CHECK_OK(password_hash(STR("kopi luwak"), &cheap, (const uint8_t *)"0123456789abcdef", text));
    CHECK(str_starts(str_of(text), STR("$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$")));
    CHECK_OK(password_verify(STR("kopi luwak"), str_of(text), &stale));
    CHECK(stale);
    CHECK(password_stale(str_of(text)));
    CHECK_ERR(password_verify(STR("kopi luwal"), str_of(text), NULL), E_DENIED);
    CHECK_ERR(password_verify(STR(""), str_of(text), NULL), E_DENIED);
    static const char *const bad[] = {
        "",
        "plain",
        "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$",
        "$scrypt$ln=04,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=-1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(password_verify(STR("x"), str_of(bad[i]), NULL) != 0 &&
              password_stale(str_of(bad[i])));
    /* a planted cost must not be computed */
    CHECK_ERR(password_verify(STR("x"),
                              STR("$scrypt$ln=20,r=64,p=64$MDEyMzQ1Njc4OWFiY2RlZg$"
                                  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                              NULL),
              E_LIMIT);
    char big[PASSWORD_MAX + 1] = {1};
    CHECK_ERR(password_hash((struct str){big, sizeof big}, &cheap, (uint8_t *)big, text), E_LIMIT);
}

static void equal(void **state) {
    (void)state;
    CHECK(crypto_equal(STR(""), STR("")));
    CHECK(crypto_equal(ABC, ABC));
    CHECK(!crypto_equal(ABC, STR("abd")));
    CHECK(!crypto_equal(ABC, STR("ab")));
    CHECK(!crypto_equal(ABC, STR("")));
    CHECK(!crypto_equal(STR("abcabc"), ABC)); /* wraps around, and still differs */
}

static void texts(void **state) {
    (void)state;
    static const struct {
        const char *plain, *base64, *base64url;
    } rfc4648[] = {{"", "", ""},
                   {"f", "Zg==", "Zg"},
                   {"fo", "Zm8=", "Zm8"},
                   {"foo", "Zm9v", "Zm9v"},
                   {"foob", "Zm9vYg==", "Zm9vYg"},
                   {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                   {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                   {"\xfb\xff\xfe", "+//+", "-__-"}};
    struct buf b = {0};
    for (size_t i = 0; i < sizeof rfc4648 / sizeof rfc4648[0]; i++) {
        buf_clear(&b);
        text_encode(&b, ENC_BASE64, str_of(rfc4648[i].plain));
        CHECK_STR(buf_str(&b), rfc4648[i].base64);
        buf_clear(&b);
        text_encode(&b, ENC_BASE64URL, str_of(rfc4648[i].plain));
        CHECK_STR(buf_str(&b), rfc4648[i].base64url);
        buf_clear(&b);
        CHECK_OK(text_decode(&b, ENC_BASE64, str_of(rfc4648[i].base64)));
        CHECK_STR(buf_str(&b), rfc4648[i].plain);
        buf_clear(&b);
        CHECK_OK(text_decode(&b, ENC_BASE64URL, str_of(rfc4648[i].base64url)));
        CHECK_STR(buf_str(&b), rfc4648[i].plain);
    }
    buf_clear(&b);
    static const char *const bad[] = {"Zg",   "Zg=",  "Zh==",     "Zm9=", "Zm9v\n", " Zm9v", "=",
                                      "====", "Z===", "Zg==Zg==", "Zm-_", "A",      "Zm9vY"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(text_decode(&b, ENC_BASE64, str_of(bad[i])), E_SYNTAX);
    static const char *const bad_url[] = {"Zg==", "Zm9+", "Zm9/", "Zh", "A", "Zm 9"};
    for (size_t i = 0; i < sizeof bad_url / sizeof bad_url[0]; i++)
        CHECK_ERR(text_decode(&b, ENC_BASE64URL, str_of(bad_url[i])), E_SYNTAX);
    CHECK_ERR(text_decode(&b, ENC_HEX, STR("abc")), E_SYNTAX);
    CHECK_ERR(text_decode(&b, ENC_HEX, STR("0x")), E_SYNTAX);
    CHECK_INT(b.len, 0);
    CHECK_OK(text_decode(&b, ENC_HEX, STR("C0ffEE")));
    CHECK_HEX(b.data, b.len, "c0ffee");
    buf_free(&b);
    CHECK_INT(crc16_ccitt(STR("123456789")), 0x29b1);
    CHECK_INT(
        crc16_ccitt(
            STR("00020101021226580006id.ovo01189360091200006049620215yq38ZDs7MI6oaz50303UKE51450015"
                "ID.OR.GPNQR.WWW0215ID10200416988350303UKE52045812530336054065000005802ID5911Tims "
                "Donuts6013Jakarta Barat61051161062310507VCcCtqJ0716HgxK16eFVHfvKnGO6304")),
        0x8a85);
}

static void uuids(void **state) {
    (void)state;
    struct rng rng;
    struct clock clock;
    rng_seeded(&rng, 1);
    clock_virtual(&clock, 0x017f22e279b0); /* RFC 9562 A.6 */
    char a[UUID_SIZE], b[UUID_SIZE];
    uuid_v4(a, &rng), uuid_v4(b, &rng);
    CHECK(strcmp(a, b) != 0);
    CHECK_INT(strlen(a), 36);
    CHECK(a[8] == '-' && a[13] == '-' && a[14] == '4' && strchr("89ab", a[19]) != NULL);
    uuid_v7(a, &clock, &rng);
    CHECK(str_starts(str_of(a), STR("017f22e2-79b0-7")) && strchr("89ab", a[19]) != NULL);
}

static void *hash_in_thread(void *arg) {
    (void)arg;
    uint8_t out[DIGEST_MAX];
    intptr_t bad = 0;
    for (int i = 0; i < 300; i++) {
        char key[2] = {(char)('a' + i % 20), 0};
        uint8_t again[DIGEST_MAX];
        bad += crypto_hmac(DIGEST_SHA512, str_of(key), ABC, out) != 0;
        bad += crypto_hmac(DIGEST_SHA512, str_of(key), ABC, again) != 0;
        bad += memcmp(out, again, 64) != 0;
        bad += crypto_digest(DIGEST_SHA256, ABC, out) != 0 || out[0] != 0xba;
    }
    return (void *)bad;
}

/* The templates and fetched algorithms are shared by all threads. */
static void threads(void **state) {
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        CHECK_INT(pthread_create(&t[i], NULL, hash_in_thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        CHECK(bad == NULL);
    }
}

/* OpenSSL keeps texts of past errors in a ring of 16 until they are overwritten. */
#define ERROR_RING (16 * 3)

/* Fails the nth allocation of one round; false: there was no nth. */
static bool fails_at(uint64_t n) {
    struct cipher_spec s = {
        .mode = MODE_GCM, .key = STR("0123456789abcdef"), .iv = STR("fedcba987654")};
    uint8_t out[DIGEST_MAX];
    struct buf b = {0};
    mem_fail_at(n, 0);
    int err = crypto_hmac(DIGEST_SHA256, ABC, ABC, out);
    if (err == 0) err = crypto_digest(DIGEST_SHA1, ABC, out);
    if (err == 0) err = crypto_hkdf(ABC, ABC, ABC, out, 32);
    if (err == 0) err = crypto_encrypt(&s, ABC, &b, NULL);
    if (err == 0) text_encode(&b, ENC_BASE64, ABC), err = b.err;
    bool failed = mem_has_failed();
    mem_fail_at(0, 0);
    buf_free(&b);
    if (!failed) CHECK_OK(err);
    return failed;
}

static void memory_fails(void **state) {
    (void)state;
    (void)fails_at(0);
    int64_t live = mem_live();
    for (int round = 0; round < 5; round++) {
        uint64_t n = 1;
        while (n < 200 && fails_at(n))
            n++;
        CHECK(n > 10 && n < 200);
    }
    CHECK(mem_live() - live <= ERROR_RING);
}

int main(int argc, char **argv) {
    if (crypto_setup() != 0) return 1; /* first: it takes OpenSSL's memory over */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(macs),
        cmocka_unit_test(provider_vectors),
        cmocka_unit_test(ciphers),
        cmocka_unit_test(padding_and_damage),
        cmocka_unit_test(wrong_specs_are_explained),
        cmocka_unit_test(derivation),
        cmocka_unit_test(passwords),
        cmocka_unit_test(equal),
        cmocka_unit_test(texts),
        cmocka_unit_test(uuids),
        cmocka_unit_test(threads),
        cmocka_unit_test(memory_fails),
    };
    return unit_main(argc, argv, "crypto", tests, sizeof tests / sizeof tests[0]);
}
