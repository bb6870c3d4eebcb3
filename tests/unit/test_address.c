/* Addresses, blocks, and the guard: every spelling by which a request could be turned inwards. The
 * spellings that need a socket (names, rebinding) are in test_http_client.c. */
#include "base/ensure.h"
#include "net/address.h"
#include "net/url.h"
#include "unit.h"

#include <arpa/inet.h>
#include <stdio.h>

/* URLs that must end before a socket: no public address, or no URL at all. */
static const char *const INWARD[] = {
    /* plain */
    "http://127.0.0.1/",
    "http://127.0.0.2/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://100.64.0.1/",
    "http://100.127.255.255/",
    "http://169.254.169.254/latest/meta-data/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://192.168.1.1/",
    "http://198.18.0.1/",
    "http://198.19.255.255/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    /* IPv4 in other clothes */
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7F000001/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://0177.0.0.0x1/",
    "http://127.0.0.01/",
    "http://127.0.0.1./",
    "http://00.0.0.0/",
    "http://0/",
    "http://0x/",
    "http://127.000.000.001/",
    "http://425.510.425.510/",
    "http://127.0.0.1.0/",
    "http://127.0.0.256/",
    "http://3232235521/",
    "http://4294967296/",
    "http://127..0.1/",
    "http://1.1/",
    /* IPv6 */
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[0::0]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:0a00:0001::1]/",
    "http://[2001::7f00:1]/",
    "http://[2001:db8::1]/",
    "http://[fc00::1]/",
    "http://[fd12::1]/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fe80::1%lo]/",
    "http://[::1%25lo]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    "http://[4000::1]/",
    "http://[1::1]/",
    /* tricks with users, dots, digits and escapes */
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://example.com:80@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com#@127.0.0.1/",
    "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%2eexample.com/",
    "http://%31%32%37.0.0.1/",
    "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", /* circled digits */
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", /* fullwidth digits */
    "http://127\xe3\x80\x82"
    "0\xe3\x80\x82"
    "0\xe3\x80\x82"
    "1/", /* ideographic full stop */
    "http://localhost./",
    "http://loc\xc4\x85lhost/",
    "http:\\\\127.0.0.1\\",
    "http:127.0.0.1",
    "http:///127.0.0.1/",
    "http://[127.0.0.1]/",
    "http://127.0.0.1:80@example.com:80/",
};

static void no_spelling_leads_inwards(void **state) {
    (void)state;
    CHECK(ARRAY_LEN(INWARD) >= 60);
    int passed = 0;
    for (size_t i = 0; i < ARRAY_LEN(INWARD); i++) {
        struct url u;
        if (url_parse(&u, str_of(INWARD[i]), NULL) != 0) continue;
        if (u.is_address && address_class(&u.address) != ADDRESS_PUBLIC) continue;
        print_error("%s passes as %s\n", INWARD[i], u.host);
        passed++;
    }
    CHECK_INT(passed, 0);
}

static enum address_class class_of(const char *text) {
    struct address a;
    CHECK_OK(address_parse(&a, str_of(text)));
    return address_class(&a);
}

static void knows_the_edges_of_blocks(void **state) {
    (void)state;
    static const char *const PUBLIC[] = {
        "1.0.0.0",         "8.8.8.8",        "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",    "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0",    "172.15.255.255",  "172.32.0.0",
        "191.255.255.255", "192.0.1.0",      "192.0.3.0",       "192.167.255.255",
        "192.169.0.0",     "198.17.255.255", "198.20.0.0",      "223.255.255.255",
        "2606:4700::1111", "2001:200::",     "2001:db7:ffff::", "2003::",
        "3ffe:ffff::",     "2a00:1450::1"};
    for (size_t i = 0; i < ARRAY_LEN(PUBLIC); i++)
        CHECK_INT(class_of(PUBLIC[i]), ADDRESS_PUBLIC);
    /* what a grant may open, and what none may */
    static const char *const PRIVATE[] = {"127.0.0.1",  "10.1.2.3", "172.16.0.1", "192.168.0.1",
                                          "100.64.0.1", "::1",      "fd00::1"};
    for (size_t i = 0; i < ARRAY_LEN(PRIVATE); i++)
        CHECK_INT(class_of(PRIVATE[i]), ADDRESS_PRIVATE);
    static const char *const NEVER[] = {
        "0.0.0.0",         "169.254.169.254", "224.0.0.1",      "::",
        "::ffff:10.0.0.1", "fe80::1",         "64:ff9b::a00:1", "2002:a00:1::"};
    for (size_t i = 0; i < ARRAY_LEN(NEVER); i++)
        CHECK_INT(class_of(NEVER[i]), ADDRESS_NEVER);
    CHECK_INT(address_class(&(struct address){0}), ADDRESS_NEVER);
}

/* inet_pton is the oracle; where we are stricter it is said so. */
static void parses_as_inet_pton_does(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"1.2.3.4",
                                        "0.0.0.0",
                                        "255.255.255.255",
                                        "256.1.1.1",
                                        "1.2.3",
                                        "1.2.3.4.5",
                                        "1.2.3.4.",
                                        "",
                                        "1..2.3",
                                        "a.b.c.d",
                                        "1.2.3.+4",
                                        " 1.2.3.4",
                                        "1.2.3.4 ",
                                        "::",
                                        "::1",
                                        "1::",
                                        "1::2",
                                        "1:2:3:4:5:6:7:8",
                                        "1:2:3:4:5:6:7",
                                        "1:2:3:4:5:6:7:8:9",
                                        "1:2:3:4:5:6:7::",
                                        "::2:3:4:5:6:7:8",
                                        "1::2::3",
                                        ":1",
                                        "1:",
                                        ":::",
                                        "::1:",
                                        "12345::",
                                        "g::",
                                        "::ffff:1.2.3.4",
                                        "::1.2.3",
                                        "1:2:3:4:5:6:1.2.3.4",
                                        "1:2:3:4:5:6:7:1.2.3.4",
                                        "::1.2.3.4:5",
                                        "1.2.3.4::",
                                        "ABCD::ef01",
                                        "::%1",
                                        "[::1]",
                                        "1:2:3:4::5:6:7:8",
                                        "0:0:0:0:0:0:0:0",
                                        ":",
                                        "::1.2.3.400"};
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        uint8_t raw[16];
        struct address a;
        int family = strchr(TEXTS[i], ':') != NULL ? AF_INET6 : AF_INET;
        bool theirs = inet_pton(family, TEXTS[i], raw) == 1;
        bool ours = address_parse(&a, str_of(TEXTS[i])) == 0;
        if (ours != theirs) print_error("\"%s\"\n", TEXTS[i]);
        CHECK_INT(ours, theirs);
        if (ours) assert_memory_equal(a.bytes, raw, family == AF_INET ? 4 : 16);
    }
    CHECK_ERR(address_parse(&(struct address){0}, STR("01.2.3.4")), E_SYNTAX);
}

static bool has(const char *block, const char *text) {
    struct cidr c;
    struct address a;
    CHECK_OK(cidr_parse(&c, str_of(block), NULL));
    CHECK_OK(address_parse(&a, str_of(text)));
    return cidr_has(&c, &a);
}

static void matches_blocks(void **state) {
    (void)state;
    CHECK(has("10.0.0.0/8", "10.255.0.1"));
    CHECK(!has("10.0.0.0/8", "11.0.0.0"));
    CHECK(has("192.168.4.0/22", "192.168.7.255"));
    CHECK(!has("192.168.4.0/22", "192.168.8.0"));
    CHECK(has("1.2.3.4", "1.2.3.4"));
    CHECK(!has("1.2.3.4", "1.2.3.5"));
    CHECK(has("0.0.0.0/0", "255.1.2.3"));
    CHECK(!has("0.0.0.0/0", "2001::1"));
    CHECK(has("10.0.0.0/8", "::ffff:10.1.1.1"));
    CHECK(has("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK(!has("2001:db8::/33", "2001:db8:8000::1"));
    CHECK(has("::/0", "2001::1"));
    struct why why = {0};
    struct cidr c;
    CHECK_ERR(cidr_parse(&c, STR("10.0.0.1/8"), &why), E_SYNTAX);
    CHECK(strstr(why.text, "behind its prefix") != NULL);
    CHECK_ERR(cidr_parse(&c, STR("10.0.0.0/33"), NULL), E_SYNTAX);
    CHECK_ERR(cidr_parse(&c, STR("10.0.0.0/"), NULL), E_SYNTAX);
    CHECK_ERR(cidr_parse(&c, STR("10.0.0.0/08"), NULL), E_SYNTAX);
    CHECK_ERR(cidr_parse(&c, STR("10.0/8"), NULL), E_SYNTAX);
    CHECK_ERR(cidr_parse(&c, STR("::/129"), NULL), E_SYNTAX);
}

static void reads_sockaddrs_and_writes_text(void **state) {
    (void)state;
    struct address a;
    char text[ADDRESS_TEXT];
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    CHECK_OK(address_from_sockaddr(&a, (struct sockaddr *)&v4));
    address_format(&a, text);
    assert_string_equal(text, "127.0.0.1");
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    inet_pton(AF_INET6, "::ffff:10.0.0.1", &v6.sin6_addr);
    CHECK_OK(address_from_sockaddr(&a, (struct sockaddr *)&v6));
    CHECK_INT(address_class(&a), ADDRESS_NEVER);
    address_unmap(&a);
    address_format(&a, text);
    assert_string_equal(text, "10.0.0.1");
    struct sockaddr other = {.sa_family = AF_UNIX};
    CHECK_ERR(address_from_sockaddr(&a, &other), E_INVAL);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(no_spelling_leads_inwards),       cmocka_unit_test(knows_the_edges_of_blocks),
    cmocka_unit_test(parses_as_inet_pton_does),        cmocka_unit_test(matches_blocks),
    cmocka_unit_test(reads_sockaddrs_and_writes_text),
};
UNIT_MAIN("address", TESTS)
