/* One request by curl: its options, the guards inside curl's callbacks, and what an ending means.
 * All of curl's callbacks are here except those that drive the multi; none calls back into user
 * code or into the multi. */
#include "base/ensure.h"
#include "base/mem.h"
#include "net/http_client_private.h"

#include <errno.h>
#include <sys/socket.h>

#define FAIL(call, ...) answer_fail(&(call)->reply.answer, __VA_ARGS__)

static bool failed(const struct client_call *call) {
    return call->reply.answer.name[0] != '\0';
}

/* ---- guards ---- */

/* The private networks of a grant, a comma between two; what is no network allows nothing. */
static bool in_networks(const char *networks, const struct address *a) {
    struct str rest = str_of(networks), one;
    struct cidr c;
    while (rest.n != 0) {
        str_cut(rest, ',', &one, &rest);
        if (cidr_parse(&c, one, NULL) == 0 && cidr_has(&c, a)) return true;
    }
    return false;
}

static bool address_ok(struct client_call *call, const struct address *a) {
    enum address_class class = address_class(a);
    const char *networks = call->copy.out.networks;
    if (class == ADDRESS_PUBLIC) return true;
    if (class == ADDRESS_PRIVATE && call->copy.out.private_ok &&
        (networks == NULL || in_networks(networks, a)))
        return true;
    char text[ADDRESS_TEXT];
    address_format(a, text);
    call->denied = true;
    snprintf(call->denied_text, sizeof call->denied_text, "%s is not allowed (%s address)",
             text[0] == '\0' ? "the address" : text, address_class_reason(a));
    return false;
}

/* The address that is really connected to; rebinding and odd spellings end here. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *to) {
    struct client_call *call = data;
    struct address a = {0};
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    if (address_from_sockaddr(&a, &to->addr) != 0 || !address_ok(call, &a)) return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Just before the request is written. A reused connection was opened for another call, perhaps one
 * with more rights, so its address is asked about again. */
static int before_request(void *data, char *ip, char *local_ip, int port, int local_port) {
    (void)local_ip, (void)port, (void)local_port;
    struct client_call *call = data;
    struct address a = {0};
    (void)address_parse(&a, str_of(ip)); /* on failure: family 0, which is never allowed */
    if (!address_ok(call, &a)) return CURL_PREREQFUNC_ABORT;
    call->reply.answer.sent = true;
    return CURL_PREREQFUNC_OK;
}

static void came_in(struct client_call *call, size_t n) {
    call->received += n;
    if (!timer_armed(&call->slow))
        timer_start(call->client->options.loop, &call->slow, call->client->options.slow_ms,
                    call_slow_check);
}

static size_t take_header(char *data, size_t one, size_t n, void *user) {
    struct client_call *call = user;
    size_t whole = one * n;
    struct str line = {data, whole};
    came_in(call, whole);
    call->head_bytes += whole;
    if (call->head_bytes > REPLY_HEADER_BYTES_MAX) {
        FAIL(call, E_LIMIT, "too_large", "more than %d bytes of headers", REPLY_HEADER_BYTES_MAX);
        return 0;
    }
    while (line.n != 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    if (str_starts(line, STR("HTTP/")) && str_find(line, ':') < 0) {
        answer_clear_headers(&call->reply); /* what came before was 100 Continue or the like */
        call->head_done = false;
        int64_t status = str_find(line, ' '); /* "HTTP/1.1 103", but "HTTP/2 103" */
        call->interim = status > 0 && (size_t)status + 1 < line.n && line.p[status + 1] == '1';
        return whole;
    }
    if (line.n == 0) {
        call->head_done = true;
        if (call->interim) timer_stop(&call->slow); /* the answer itself has not begun */
    }
    if (call->head_done) return whole; /* trailers are dropped */
    struct str name, value;
    bool colon = str_cut(line, ':', &name, &value);
    value = str_trim(value);
    if (!colon || !header_name_ok(name) || !header_value_ok(value)) {
        FAIL(call, E_BADREPLY, "bad_reply", "a header line of the answer is malformed");
        return 0;
    }
    if (str_eq_nocase(name, STR("transfer-encoding")) && !str_eq_nocase(value, STR("chunked"))) {
        FAIL(call, E_BADREPLY, "bad_reply", "a transfer coding that nobody asked for");
        return 0;
    }
    if (call->reply.count == REPLY_HEADERS_MAX) {
        FAIL(call, E_LIMIT, "too_large", "more than %d headers", REPLY_HEADERS_MAX);
        return 0;
    }
    if (answer_add_header(&call->reply, name, value) != 0) {
        FAIL(call, E_NOMEM, "memory", "out of memory");
        return 0;
    }
    return whole;
}

/* Bytes as they came: no coding is asked for, and none is undone, so nothing can grow here. */
static size_t take_body(char *data, size_t one, size_t n, void *user) {
    struct client_call *call = user;
    came_in(call, one * n);
    buf_add(&call->reply.body, data, one * n);
    if (call->reply.body.err == 0) return one * n;
    if (call->reply.body.err == E_LIMIT)
        FAIL(call, E_LIMIT, "too_large", "the answer is larger than %zu bytes",
             call->copy.out.response_max);
    else
        FAIL(call, E_NOMEM, "memory", "out of memory");
    return one * n == 0 ? 1 : 0;
}

/* ---- options ---- */

static int add_header(struct curl_slist **list, struct str name, struct str value) {
    struct buf line = {.secret = true};
    buf_addstr(&line, name);
    if (value.n == 0)
        buf_addc(&line, ';'); /* curl's way to write a header without value */
    else
        buf_addf(&line, ": %.*s", STR_FMT(value));
    struct curl_slist *longer = line.err != 0 ? NULL : curl_slist_append(*list, line.data);
    buf_free(&line);
    if (longer == NULL) return E_NOMEM;
    *list = longer;
    return 0;
}

/* On another origin only what says nothing about who we are. */
static bool travels(struct str name) {
    static const char *const NAMES[] = {"accept", "accept-language", "content-type", "user-agent"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (str_eq_nocase(name, str_of(NAMES[i]))) return true;
    return false;
}

static int make_headers(struct client_call *call, bool has_body) {
    const struct http_out *out = &call->copy.out;
    struct url first;
    bool home = url_parse(&first, out->url, NULL) == 0 && url_same_origin(&first, &call->url);
    bool content_type = false, agent = false;
    curl_slist_free_all(call->headers);
    call->headers = NULL;
    for (size_t i = 0; i < out->header_count; i++) {
        struct http_header h = out->headers[i];
        if (!home && !travels(h.name)) continue;
        if (str_eq_nocase(h.name, STR("content-type"))) {
            if (!has_body && call->hops != 0) continue; /* a POST that became a GET */
            content_type = true;
        }
        agent = agent || str_eq_nocase(h.name, STR("user-agent"));
        if (add_header(&call->headers, h.name, h.value) != 0) return E_NOMEM;
    }
    /* "Name:" takes away what curl would add by itself. */
    struct curl_slist *list = call->headers;
    if (!content_type && (list = curl_slist_append(list, "Content-Type:")) == NULL) return E_NOMEM;
    call->headers = list;
    if ((list = curl_slist_append(list, "Expect:")) == NULL) return E_NOMEM;
    call->headers = list;
    if (!agent && (list = curl_slist_append(list, "User-Agent: luwak")) == NULL) return E_NOMEM;
    call->headers = list;
    return 0;
}

static uint32_t time_left(const struct client_call *call) {
    uint64_t now = clock_mono_ns(loop_clock(call->client->options.loop));
    uint64_t gone = (now - call->started_ns) / 1000000u;
    uint32_t total = call->copy.out.total_ms;
    return gone >= total ? 1 : total - (uint32_t)gone;
}

int call_prepare(struct client_call *call) {
    const struct http_out *out = &call->copy.out;
    const struct http_client *client = call->client;
    bool head = str_eq(out->method, STR("HEAD"));
    bool body = out->body.n != 0 || str_eq(out->method, STR("POST")) ||
                str_eq(out->method, STR("PUT")) || str_eq(out->method, STR("PATCH"));
    const char *ca = out->ca_file != NULL ? out->ca_file : client->options.ca_file;

    if (call->easy == NULL && (call->easy = curl_easy_init()) == NULL) return E_NOMEM;
    curl_easy_reset(call->easy);
    if (make_headers(call, body) != 0) return E_NOMEM;
    buf_clear(&call->url_text);
    url_write(&call->url, &call->url_text);
    if (call->url_text.err != 0) return E_NOMEM;
    call->reply.body.max = out->response_max;

    CURLcode bad = CURLE_OK;
#define SET(option, value)                                                      \
    do {                                                                        \
        CURLcode code_ = curl_easy_setopt(call->easy, CURLOPT_##option, value); \
        if (bad == CURLE_OK) bad = code_;                                       \
    } while (0)
    SET(URL, call->url_text.data);
    SET(PRIVATE, call);
    SET(ERRORBUFFER, call->curl_text);
    SET(PROTOCOLS_STR, call->url.tls ? "https" : "http");
    SET(REDIR_PROTOCOLS_STR, "https");
    SET(FOLLOWLOCATION, 0L);
    SET(PATH_AS_IS, 1L);
    SET(DISALLOW_USERNAME_IN_URL, 1L);
    SET(NOSIGNAL, 1L);
    SET(QUICK_EXIT, 1L); /* never wait for a resolver thread: that would hold the loop */
    SET(PROXY, "");
    SET(NOPROXY, "*");
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(HTTP09_ALLOWED, 0L);
    SET(HTTP_CONTENT_DECODING, 0L);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    if (ca != NULL) SET(CAINFO, ca); /* the system's directory stays beside it */
    if (out->pinned_key != NULL) SET(PINNEDPUBLICKEY, out->pinned_key);
    if (out->client_cert != NULL) SET(SSLCERT, out->client_cert);
    if (out->client_key != NULL) SET(SSLKEY, out->client_key);
    SET(CONNECTTIMEOUT_MS, (long)out->connect_ms);
    SET(TIMEOUT_MS, (long)time_left(call));
    SET(DNS_CACHE_TIMEOUT, 30L);
    SET(MAXAGE_CONN, 60L);
    SET(MAXLIFETIME_CONN, 600L);
    if (client->connect_to != NULL) SET(CONNECT_TO, client->connect_to);
    SET(HTTP_VERSION, (long)(out->effect ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    SET(FRESH_CONNECT, out->effect ? 1L : 0L);
    SET(FORBID_REUSE, out->effect ? 1L : 0L);
    SET(OPENSOCKETFUNCTION, open_socket);
    SET(OPENSOCKETDATA, call);
    SET(PREREQFUNCTION, before_request);
    SET(PREREQDATA, call);
    SET(HEADERFUNCTION, take_header);
    SET(HEADERDATA, call);
    SET(WRITEFUNCTION, take_body);
    SET(WRITEDATA, call);
    SET(HTTPHEADER, call->headers);
    if (head) {
        SET(NOBODY, 1L);
    } else {
        SET(MAXFILESIZE_LARGE, (curl_off_t)out->response_max);
        if (body) {
            SET(POSTFIELDSIZE_LARGE, (curl_off_t)out->body.n);
            SET(POSTFIELDS, out->body.p); /* not copied: call->copy outlives the transfer */
        }
        SET(CUSTOMREQUEST, out->method.p); /* NUL-terminated by out_copy */
    }
#undef SET
    if (bad == CURLE_OK) return 0;
    return bad == CURLE_OUT_OF_MEMORY ? E_NOMEM : E_INTERNAL;
}

/* ---- endings ---- */

bool call_may_go(struct client_call *call) {
    const struct http_out *out = &call->copy.out;
    if (url_allowed(&call->url, out->hosts, out->private_ok)) return true;
    if (!call->url.tls && url_allowed(&call->url, out->hosts, true))
        FAIL(call, E_DENIED, "denied_host", "%s: plain http is not allowed, use https",
             call->url.host);
    else
        FAIL(call, E_DENIED, "denied_host", "%s port %u is not among the declared hosts",
             call->url.host, (unsigned)call->url.port);
    return false;
}

static void fail_connect(struct client_call *call) {
    long os = 0;
    curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os);
    if (os == ECONNREFUSED)
        FAIL(call, E_CONNECT, "refused", "%s port %u refused the connection", call->url.host,
             (unsigned)call->url.port);
    else
        FAIL(call, E_CONNECT, "unreachable", "%s port %u cannot be reached: %s", call->url.host,
             (unsigned)call->url.port, os != 0 ? strerror((int)os) : call->curl_text);
}

static void fail_timeout(struct client_call *call) {
    if (!call->reply.answer.sent)
        FAIL(call, E_TIMEOUT, "connect_timeout", "no connection to %s within %u ms", call->url.host,
             (unsigned)(call->copy.out.connect_ms < call->copy.out.total_ms
                            ? call->copy.out.connect_ms
                            : call->copy.out.total_ms));
    else
        FAIL(call, E_TIMEOUT, "timeout", "no whole answer within %u ms",
             (unsigned)call->copy.out.total_ms);
}

static void explain(struct client_call *call, CURLcode code) {
    const char *text = call->curl_text[0] != '\0' ? call->curl_text : curl_easy_strerror(code);
    bool connecting = code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK;
    if (call->denied && connecting) {
        FAIL(call, E_DENIED, "denied_address", "%s: %s", call->url.host, call->denied_text);
        return;
    }
    switch ((int)code) {
    case CURLE_OUT_OF_MEMORY: FAIL(call, E_NOMEM, "memory", "out of memory"); break;
    case CURLE_COULDNT_RESOLVE_HOST:
        FAIL(call, E_RESOLVE, "resolve", "%s does not resolve", call->url.host);
        break;
    case CURLE_COULDNT_CONNECT: fail_connect(call); break;
    case CURLE_OPERATION_TIMEDOUT: fail_timeout(call); break;
    case CURLE_PEER_FAILED_VERIFICATION: FAIL(call, E_TLS, "certificate", "%s", text); break;
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        FAIL(call, E_TLS, "pinned_key", "the public key of %s is not the pinned one",
             call->url.host);
        break;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED: FAIL(call, E_TLS, "tls", "%s", text); break;
    case CURLE_FILESIZE_EXCEEDED:
        FAIL(call, E_LIMIT, "too_large", "the answer is larger than %zu bytes",
             call->copy.out.response_max);
        break;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2: FAIL(call, E_BADREPLY, "bad_reply", "%s", text); break;
    case CURLE_RECV_ERROR:
        if (strstr(text, "chunked-encoding") != NULL) {
            FAIL(call, E_BADREPLY, "bad_reply", "%s", text);
            break;
        }
        if (strstr(text, "alert") != NULL) {
            FAIL(call, E_TLS, "tls", "%s", text);
            break;
        } /* fall through */
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2_STREAM:
        FAIL(call, E_RESET, "reset", "the connection ended before the answer was whole: %s", text);
        break;
    default: FAIL(call, E_INTERNAL, "internal", "curl %d: %s", (int)code, text);
    }
}

/* A redirect is a new request to another place: same checks, fewer headers, less time. */
static bool follow(struct client_call *call, long status) {
    char *location = NULL;
    if (curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &location) != CURLE_OK ||
        location == NULL)
        return false; /* no Location: an answer like any other */
    if (++call->hops > REDIRECTS_MAX) {
        FAIL(call, E_LIMIT, "redirect", "more than %d redirects", REDIRECTS_MAX);
        return false;
    }
    buf_clear(&call->location);
    buf_add(&call->location, location, strcspn(location, "#"));
    if (call->location.err != 0) {
        FAIL(call, E_NOMEM, "memory", "out of memory");
        return false;
    }
    struct why why = {0};
    bool was_tls = call->url.tls;
    if (url_parse(&call->url, buf_str(&call->location), &why) != 0) {
        FAIL(call, E_BADREPLY, "redirect", "redirected to a URL that is not allowed: %.120s",
             why.text);
        return false;
    }
    if (was_tls && !call->url.tls) {
        FAIL(call, E_DENIED, "redirect", "redirected from https to plain http");
        return false;
    }
    if (!call_may_go(call)) return false;
    struct http_out *out = &call->copy.out;
    bool head = str_eq(out->method, STR("HEAD"));
    if ((status == 303 && !head) ||
        ((status == 301 || status == 302) && str_eq(out->method, STR("POST")))) {
        out->method = STR("GET");
        out->body = STR("");
    }
    answer_clear_headers(&call->reply);
    buf_clear(&call->reply.body);
    call->head_bytes = 0;
    call->head_done = call->denied = false;
    return true;
}

bool call_conclude(struct client_call *call, CURLcode code) {
    struct http_answer *answer = &call->reply.answer;
    if (failed(call)) return false; /* one of our callbacks stopped it and said why */
    if (code != CURLE_OK) {
        explain(call, code);
        return false;
    }
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (call->copy.out.follow_redirects && moved) {
        if (follow(call, status)) return true;
        if (failed(call)) return false;
    }
    answer->err = 0;
    answer->status = (int)status;
    return false;
}
