/* The URL guard: whatever passes is a URL that reads the same again, has no byte that could end a
 * request line or a host early, and means to libcurl's own parser what it means to us. */
#include "base/ensure.h"
#include "net/url.h"

#include <curl/curl.h>
#include <stdio.h>

static void same_for_curl(const struct url *u, const char *text) {
    CURLU *theirs = curl_url();
    char *host = NULL, *port = NULL, *user = NULL;
    ENSURE(curl_url_set(theirs, CURLUPART_URL, text, CURLU_PATH_AS_IS) == CURLUE_OK);
    ENSURE(curl_url_get(theirs, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    ENSURE(curl_url_get(theirs, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK);
    ENSURE(curl_url_get(theirs, CURLUPART_USER, &user, 0) == CURLUE_NO_USER);
    struct str h = str_of(host);
    if (h.n != 0 && h.p[0] == '[') h = str_sub(h, 1, h.n - 1);
    char number[8];
    snprintf(number, sizeof number, "%u", (unsigned)u->port);
    ENSURE(str_eq(h, str_of(u->host)));
    ENSURE(strcmp(port, number) == 0);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct url u, again;
    struct why why = {0};
    struct str text = {(const char *)data, size};
    struct address a;
    if (address_parse(&a, text) == 0) {
        char out[ADDRESS_TEXT];
        struct address b;
        address_format(&a, out);
        ENSURE(address_parse(&b, str_of(out)) == 0 && memcmp(&a, &b, sizeof a) == 0);
        (void)address_class(&a);
    }
    (void)cidr_parse(&(struct cidr){0}, text, &why);
    if (url_parse(&u, text, &why) != 0) {
        for (const char *p = why.text; *p != '\0'; p++)
            ENSURE(*p >= 0x20 && *p < 0x7f); /* goes to logs: nothing raw of the input */
        return 0;
    }
    struct buf out = {0}, twice = {0};
    url_write(&u, &out);
    for (size_t i = 0; i < out.len; i++)
        ENSURE(out.data[i] > 0x20 && out.data[i] < 0x7f && strchr("\\#\"<>", out.data[i]) == NULL);
    /* the canonical text may be longer than what came in, by a default path or IPv6 spelling */
    if (out.len <= URL_MAX) {
        ENSURE(url_parse(&again, buf_str(&out), NULL) == 0);
        url_write(&again, &twice);
        ENSURE(str_eq(buf_str(&out), buf_str(&twice)));
        ENSURE(url_same_origin(&u, &again));
    }
    same_for_curl(&u, out.data);
    const char *hosts[] = {u.host, NULL};
    if (u.port == (u.tls ? 443 : 80) && !(u.is_address && u.address.family == 6))
        ENSURE(url_allowed(&u, hosts, true));
    buf_free(&out);
    buf_free(&twice);
    return 0;
}
