/* The URL guard: what is read, what is refused, and the allow-list. Expectations come from RFC 3986
 * and from the list of what the guard promises to refuse. */
#include "net/url.h"
#include "unit.h"

#include <stdio.h>

#define BAD(text) CHECK_ERR(url_parse(&(struct url){0}, STR(text), NULL), E_SYNTAX)

static void check_reads(const char *text, const char *canonical) {
    struct url u;
    struct why why = {0};
    int err = url_parse(&u, str_of(text), &why);
    if (err != 0) print_error("%s: %s\n", text, why.text);
    CHECK_OK(err);
    struct buf out = {0};
    url_write(&u, &out);
    CHECK_STR(buf_str(&out), canonical);
    buf_free(&out);
}

static void reads_what_is_plain(void **state) {
    (void)state;
    check_reads("https://api.example.com/v1/charge?a=1&b=%20",
                "https://api.example.com/v1/charge?a=1&b=%20");
    check_reads("HTTPS://API.Example.COM", "https://api.example.com/");
    check_reads("https://a.b:443/", "https://a.b/");
    check_reads("https://a.b:8443?x=1", "https://a.b:8443/?x=1");
    check_reads("http://a.b:80/../x/./y", "http://a.b/../x/./y");
    check_reads("https://192.0.2.1:1/", "https://192.0.2.1:1/");
    check_reads("https://[2001:DB8:0:0::1]:8443/a", "https://[2001:db8::1]:8443/a");
    check_reads("https://[::FFFF:1.2.3.4]/", "https://[::ffff:1.2.3.4]/");
    check_reads("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/");
    check_reads("https://localhost/", "https://localhost/");
    check_reads("https://a1.2b/", "https://a1.2b/");
    check_reads("https://a.b/(x)!$&'*+,;=:@~_-.[]", "https://a.b/(x)!$&'*+,;=:@~_-.[]");
}

static void refuses_what_is_not(void **state) {
    (void)state;
    BAD("");
    BAD("a.b");
    BAD("//a.b/");
    BAD("ftp://a.b/");
    BAD("file:///etc/passwd");
    BAD("gopher://a.b/");
    BAD("https:/a.b");
    BAD("https:a.b");
    BAD(" https://a.b/");
    BAD("https://");
    BAD("https:///x");
    BAD("https://:443/");
    BAD("https://a.b:/");
    BAD("https://a.b:0/");
    BAD("https://a.b:080/");
    BAD("https://a.b:65536/");
    BAD("https://a.b:+80/");
    BAD("https://a.b:80:80/");
    BAD("https://a.b:8 0/");
    BAD("https://user@a.b/");
    BAD("https://user:pw@a.b/");
    BAD("https://@a.b/");
    BAD("https://a.b@127.0.0.1/");
    BAD("https://a.b\\@127.0.0.1/");
    BAD("https://a.b#@127.0.0.1/");
    BAD("https://a.b/#f");
    BAD("https://a.b/x y");
    BAD("https://a.b/x\ty");
    BAD("https://a.b/x\ny");
    BAD("https://a.b/x\r\nHost: c");
    BAD("https://a.b/x\0y");
    BAD("https://a.b\0.c/");
    BAD("https://a.b/\x7f");
    BAD("https://a.b/\xc3\xa9");
    BAD("https://a.b/%");
    BAD("https://a.b/%4");
    BAD("https://a.b/%zz");
    BAD("https://a.b/\"");
    BAD("https://a.b/<>");
    BAD("https://a.b/\\x");
    BAD("https://a.b/{x}");
    BAD("https://a.b/|");
    BAD("https://a.b/^`");
    BAD("https://a_b.c/");
    BAD("https://-a.b/");
    BAD("https://a-.b/");
    BAD("https://a..b/");
    BAD("https://.a.b/");
    BAD("https://a.b./");
    BAD("https://./");
    BAD("https://b\xc3\xbc"
        "cher.example/");
    BAD("https://%61.b/");
    BAD("https://[::1/");
    BAD("https://::1/");
    BAD("https://[::1]x/");
    BAD("https://[fe80::1%25eth0]/");
    BAD("https://[fe80::1%eth0]/");
    BAD("https://[v1.x]/");
    BAD("https://[127.0.0.1]/");
    BAD("https://[]/");
}

static void bounds_lengths(void **state) {
    (void)state;
    char text[URL_MAX + 64];
    struct url u;
    /* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
    char name[300];
    memset(name, 'a', sizeof name);
    name[63] = name[127] = name[191] = '.';
    name[253] = '\0';
    snprintf(text, sizeof text, "https://%s/", name);
    CHECK_OK(url_parse(&u, str_of(text), NULL));
    name[253] = 'a', name[254] = '\0';
    snprintf(text, sizeof text, "https://%s/", name);
    CHECK_ERR(url_parse(&u, str_of(text), NULL), E_SYNTAX);
    memset(name, 'a', 64), name[64] = '\0';
    snprintf(text, sizeof text, "https://%s.b/", name);
    CHECK_ERR(url_parse(&u, str_of(text), NULL), E_SYNTAX);
    memset(text, 'a', sizeof text);
    memcpy(text, "https://a.b/", 12);
    CHECK_OK(url_parse(&u, (struct str){text, URL_MAX}, NULL));
    CHECK_ERR(url_parse(&u, (struct str){text, URL_MAX + 1}, NULL), E_SYNTAX);
}

static bool allowed(const char *text, const char *const *hosts, bool plain_ok) {
    struct url u;
    CHECK_OK(url_parse(&u, str_of(text), NULL));
    return url_allowed(&u, hosts, plain_ok);
}

static void matches_the_allow_list(void **state) {
    (void)state;
    const char *const hosts[] = {"api.example.com", "b.example.com:8443", "http://10.0.0.5:8080",
                                 "[2001:db8::1]:444", NULL};
    const char *const none[] = {NULL};
    CHECK(allowed("https://api.example.com/", hosts, false));
    CHECK(allowed("https://API.EXAMPLE.com:443/x", hosts, false));
    CHECK(!allowed("https://api.example.com:8443/", hosts, false));
    CHECK(!allowed("http://api.example.com/", hosts, false));
    CHECK(allowed("http://api.example.com/", hosts, true));
    CHECK(allowed("https://b.example.com:8443/", hosts, false));
    CHECK(!allowed("https://b.example.com/", hosts, false));
    CHECK(allowed("http://10.0.0.5:8080/", hosts, false));
    CHECK(!allowed("http://10.0.0.5/", hosts, false));
    CHECK(allowed("https://[2001:DB8:0::1]:444/", hosts, false));
    CHECK(!allowed("https://api.example.com.evil.com/", hosts, false));
    CHECK(!allowed("https://evil-api.example.com/", hosts, false));
    CHECK(!allowed("https://x.api.example.com/", hosts, false));
    CHECK(!allowed("https://example.com/", hosts, false));
    CHECK(!allowed("https://api.example.com/", none, true));
    CHECK(allowed("https://any.example.com/", NULL, false));
    CHECK(!allowed("http://any.example.com/", NULL, false));
    CHECK(allowed("http://any.example.com/", NULL, true));
}

static void checks_entries_of_lists(void **state) {
    (void)state;
    struct why why = {0};
    CHECK_OK(url_host_check("api.example.com", NULL));
    CHECK_OK(url_host_check("http://127.0.0.1:1", NULL));
    CHECK_ERR(url_host_check("*.example.com", &why), E_SYNTAX);
    CHECK(strstr(why.text, "*.example.com") != NULL);
    CHECK_ERR(url_host_check("https://a.b/path", NULL), E_SYNTAX);
    CHECK_ERR(url_host_check("", NULL), E_SYNTAX);
    CHECK_ERR(url_host_check("a b", NULL), E_SYNTAX);
    CHECK_ERR(url_host_check("0x7f.1", NULL), E_SYNTAX);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(reads_what_is_plain),     cmocka_unit_test(refuses_what_is_not),
    cmocka_unit_test(bounds_lengths),          cmocka_unit_test(matches_the_allow_list),
    cmocka_unit_test(checks_entries_of_lists),
};
UNIT_MAIN("url", TESTS)
