/* The load of the payment measurements, for tests/bench/payments.mjs: kept connections, one request
 * under way on each, the next as soon as the answer is whole; what was asked is made while it runs,
 * so that each request is its own.
 *
 *     bench_load create PORT CONNECTIONS SECONDS TAG FROM KEY
 *         POST /v1/payments for self_va, order ids TAG + ten digits from FROM, each with a random
 *         Idempotency-Key; KEY is the merchant's
 *     bench_load settle PORT CONNECTIONS SECONDS TAG FROM KEY COUNT
 *         POST /callbacks/midtrans, rightly signed with the server key KEY, for the orders TAG +
 *         FROM..FROM+COUNT-1, in no order; ends early when all are told
 *
 * Prints one line of JSON: requests, seconds, rate, p50, p99, most (ms), bad, next. An answer that is
 * not 201 (create) or 200 (settle) is bad; the first one goes to stderr. */
#include "base/clock.h"
#include "sys/crypto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define AMOUNT          "150000"

struct connection {
    int fd;
    uint64_t began;
    size_t got;
    char in[16384];
};

static struct clock clk;
static bool settling;
static const char *tag, *key;
static long from, count, made, done, bad;
static int port;
static char login[256];
static uint64_t random_state;
static uint32_t *took; /* microseconds of each request */
static size_t took_room;

static void die(const char *what) {
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t random_next(void) { /* xorshift: only has to differ */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void hex(const unsigned char *p, size_t n, char *out) {
    for (size_t i = 0; i < n; i++)
        sprintf(out + 2 * i, "%02x", p[i]);
}

static int write_create(char *out, size_t size, long n) {
    char body[1024];
    int len = snprintf(body, sizeof body,
                       "{\"order_id\":\"%s%010ld\",\"amount\":" AMOUNT
                       ",\"currency\":\"IDR\",\"method\":\"virtual_account\",\"bank\":\"self\","
                       "\"description\":\"Two tickets, row 7\",\"metadata\":{\"cart\":\"c-%ld\","
                       "\"shop\":\"jakarta-3\"},\"items\":[{\"name\":\"Ticket\",\"quantity\":2,"
                       "\"price\":75000}]}",
                       tag, n, n);
    return snprintf(out, size,
                    "POST /v1/payments HTTP/1.1\r\nHost: bench\r\nAuthorization: Basic %s\r\n"
                    "Content-Type: application/json\r\nIdempotency-Key: %016llx%016llx\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    login, (unsigned long long)random_next(), (unsigned long long)random_next(),
                    len, body);
}

static int write_settle(char *out, size_t size, long n) {
    char body[1024], text[512], signature[129];
    unsigned char digest[64];
    int len = snprintf(text, sizeof text, "%s%010ld200" AMOUNT ".00%s", tag, n, key);
    if (EVP_Digest(text, (size_t)len, digest, NULL, EVP_sha512(), NULL) != 1) die("sha512");
    hex(digest, sizeof digest, signature);
    len = snprintf(
        body, sizeof body,
        "{\"transaction_time\":\"2026-11-20 10:00:00\",\"transaction_status\":\"settlement\","
        "\"transaction_id\":\"%08lx-0000-4000-8000-%012llx\",\"status_message\":\"midtrans payment "
        "notification\",\"status_code\":\"200\",\"signature_key\":\"%s\",\"settlement_time\":"
        "\"2026-11-20 10:01:00\",\"payment_type\":\"bank_transfer\",\"order_id\":\"%s%010ld\","
        "\"merchant_id\":\"G141532850\",\"gross_amount\":\"" AMOUNT
        ".00\",\"fraud_status\":\"accept\",\"currency\":\"IDR\",\"va_numbers\":[{\"va_number\":"
        "\"12345678901\",\"bank\":\"bca\"}]}",
        n, (unsigned long long)random_next() & 0xffffffffffffull, signature, tag, n);
    return snprintf(out, size,
                    "POST /callbacks/midtrans HTTP/1.1\r\nHost: bench\r\nContent-Type: "
                    "application/json\r\nContent-Length: %d\r\n\r\n%s",
                    len, body);
}

static void ask(struct connection *c) {
    char out[4096];
    /* 7919 is prime and the count never a multiple of it: all orders, none twice, in no order */
    long n = settling ? from + made * 7919 % count : from + made;
    int len = settling ? write_settle(out, sizeof out, n) : write_create(out, sizeof out, n);
    made++;
    c->got = 0;
    c->began = clock_mono_ns(&clk);
    if (write(c->fd, out, (size_t)len) != len) die("write");
}

/* The length of the answer in c->in when it is whole; 0: not yet. */
static size_t whole(const struct connection *c) {
    const char *end = memmem(c->in, c->got, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    for (const char *at = c->in; at < end; at = (const char *)memchr(at, '\n', c->got) + 1)
        if (strncasecmp(at, "content-length:", 15) == 0) {
            size_t all = (size_t)(end + 4 - c->in) + (size_t)atol(at + 15);
            return c->got >= all ? all : 0;
        }
    die("an answer without Content-Length");
    return 0;
}

static void answered(struct connection *c) {
    uint64_t us = (clock_mono_ns(&clk) - c->began) / 1000;
    if ((size_t)done == took_room) {
        took_room = took_room == 0 ? 1 << 16 : 2 * took_room;
        took = realloc(took, took_room * sizeof *took);
        if (took == NULL) die("memory");
    }
    took[done++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    if (memcmp(c->in + 9, settling ? "200" : "201", 3) != 0 && bad++ == 0)
        fprintf(stderr, "%.*s\n", (int)c->got, c->in);
}

static void connect_to(struct connection *c, int poll) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e) != 0) die("epoll");
}

static int smaller(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static double quantile(double q) {
    return done == 0 ? 0 : took[(size_t)((double)(done - 1) * q)] / 1000.0;
}

static bool more(uint64_t until) {
    return clock_mono_ns(&clk) < until && (!settling || made < count);
}

int main(int argc, char **argv) {
    static struct connection connections[CONNECTIONS_MAX];
    settling = argc == 9 && strcmp(argv[1], "settle") == 0;
    if (!settling && (argc != 8 || strcmp(argv[1], "create") != 0)) {
        fprintf(stderr, "bench_load create|settle PORT CONNECTIONS SECONDS TAG FROM KEY [COUNT]\n");
        return 2;
    }
    clock_real(&clk);
    port = atoi(argv[2]);
    int n = atoi(argv[3]), open = 0, poll = epoll_create1(0);
    tag = argv[5], from = atol(argv[6]), key = argv[7];
    count = settling ? atol(argv[8]) : 0;
    random_state = clock_mono_ns(&clk) | 1;
    char plain[128];
    snprintf(plain, sizeof plain, "%.100s:", key);
    EVP_EncodeBlock((unsigned char *)login, (const unsigned char *)plain, (int)strlen(plain));
    uint64_t began = clock_mono_ns(&clk), until = began + (uint64_t)(atof(argv[4]) * 1e9);
    for (int i = 0; i < n && i < CONNECTIONS_MAX; i++) {
        connect_to(&connections[i], poll);
        if (more(until)) {
            ask(&connections[i]);
            open++;
        }
    }
    while (open > 0) {
        struct epoll_event events[64];
        int ready = epoll_wait(poll, events, 64, 30000);
        if (ready <= 0) die("no answer for 30 s");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            ssize_t got = read(c->fd, c->in + c->got, sizeof c->in - c->got);
            if (got <= 0) die("read");
            c->got += (size_t)got;
            if (whole(c) == 0) continue;
            answered(c);
            if (more(until))
                ask(c);
            else
                open--;
        }
    }
    double seconds = (double)(clock_mono_ns(&clk) - began) / 1e9;
    qsort(took, (size_t)done, sizeof *took, smaller);
    printf("{\"requests\":%ld,\"seconds\":%.3f,\"rate\":%.1f,\"p50\":%.3f,\"p99\":%.3f,"
           "\"most\":%.3f,\"bad\":%ld,\"next\":%ld}\n",
           done, seconds, (double)done / seconds, quantile(0.5), quantile(0.99), quantile(1), bad,
           from + made);
    return bad == 0 ? 0 : 1;
}
