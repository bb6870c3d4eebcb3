/* A server with one static answer, for wrk and for the gate against Node: prints its address, then
 * serves until it is killed. Its argument may be `echo` (answers method, target and body length) or
 * `stream` (begins an event stream and leaves it open: what does a waiting reader cost?). */
#include "base/rng.h"
#include "net/http_server.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void hello(struct http_exchange *x, void *data) {
    (void)data;
    static const struct http_header type = {{"Content-Type", 12}, {"text/plain", 10}};
    http_reply(x, 200, &type, 1, STR("hello, world\n"));
}

static void echo(struct http_exchange *x, void *data) {
    (void)data;
    char text[8192];
    int n = snprintf(text, sizeof text, "%.*s %.*s %zu", STR_FMT(x->method), STR_FMT(x->target),
                     x->body.n);
    http_reply(x, 200, NULL, 0, (struct str){text, (size_t)n});
}

static void stream(struct http_exchange *x, void *data) {
    static const struct http_stream_hooks hooks = {0};
    (void)data;
    if (http_stream_begin(x, 200, NULL, 0, &hooks) == 0) http_stream_write(x, STR("data: 1\n\n"));
}

int main(int argc, char **argv) {
    struct clock clock;
    struct rng rng;
    struct loop *loop;
    struct http_server *server;
    struct why why = {0};
    char address[64];
    signal(SIGPIPE, SIG_IGN);
    clock_real(&clock);
    rng_system(&rng);
    const char *mode = argc > 1 ? argv[1] : "";
    if (loop_uv_new(&loop, &clock) != 0) return 1;
    struct http_server_options o = {.loop = loop, .rng = &rng, .handle = hello};
    if (strcmp(mode, "echo") == 0) o.handle = echo;
    if (strcmp(mode, "stream") == 0) o.handle = stream;
    o.limits.requests_max = UINT32_MAX;
    if (http_server_new(&server, &o) != 0 ||
        http_server_listen(server, "127.0.0.1:0", false, &why) != 0) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    http_server_address(server, address, sizeof address);
    printf("%s\n", address);
    fflush(stdout);
    loop_uv_run(loop);
    return 0;
}
