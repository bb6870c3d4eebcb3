/* A running Lua test (`luwak test`): what stands behind `t`. One per test, in an engine of its own
 * with virtual time, a store in memory and seeded random numbers; cmd_test.c makes both.
 *
 * Requests of scripts go, in this order, to the answers set with t.http.answer, to a recording
 * (t.http.replay), else to the simulators. As soon as a test sets answers or a recording, nothing
 * else answers: a request without one fails the test, and so does an answer nobody asked for. */
#ifndef LUWAK_SCRIPT_TEST_SCRIPT_H
#define LUWAK_SCRIPT_TEST_SCRIPT_H

#include "base/buf.h"
#include "script/context.h"
#include "script/runtime.h"

#define TEST_SCRIPTS_MAX 16 /* t.load and t.call, different files of one test */

struct test_answer;
struct test_request;

struct test_script {
    struct loop *loop;
    struct rng *rng;
    struct clock *clock;
    struct runtime *runtime;
    const char *root;
    const struct buf *log;           /* what the engine logged so far; NULL: nobody keeps it */
    struct script_services services; /* what scripts under test get: ours, with our transport */
    /* Moves business time to `goal`; all that falls due runs. `done` on the loop. */
    void (*advance)(struct test_script *test, int64_t goal, void (*done)(void *data, int err),
                    void *data);
    void *owner;

    struct buf failure; /* the first failed expectation, with file and line; empty: none */
    struct version *loaded[TEST_SCRIPTS_MAX];
    size_t loaded_count;
    struct transport *transport; /* ours */
    struct transport *inner;     /* the simulators */
    struct transport *replay;    /* or NULL */
    struct test_answer *answers; /* first set, first used */
    struct test_request *requests;
    size_t request_count;
    bool answering; /* answers were set */
};

/* test_transport.c; the fields above `failure` are set by the caller. */
int test_script_init(struct test_script *test, struct transport *inner);
/* Before the loop goes: nothing of ours is armed on it any more. */
void test_script_detach(struct test_script *test);
void test_script_free(struct test_script *test); /* after the engine */
/* What is left to say when the test's function has returned: unused answers, misses. */
void test_script_end(struct test_script *test);

/* Keeps only the first. */
void test_fail(struct test_script *test, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A file under the root, built and held against its contract; kept by the test. */
int test_load(struct test_script *test, const char *path, struct version **out, struct why *why);

/* ---- answers ---- */

enum test_fault { FAULT_NONE, FAULT_REFUSED, FAULT_TIMEOUT, FAULT_RESET };

struct test_answer {
    struct test_answer *next;
    char *method, *url; /* what it fits; NULL: anything. The url fits where it occurs. */
    int status;
    enum test_fault fault;
    uint32_t after_ms;
    char *body;
    size_t body_n;
    struct http_header *headers; /* each text on the heap */
    size_t header_count;
};
int test_answer_add(struct test_script *test, struct test_answer *answer); /* takes it over */
void test_answer_free(struct test_answer *answer);

/* What a test sent, and what its scripts signed on the way, the newest first. */
struct test_request {
    struct test_request *next;
    bool signing; /* of a signature: `url` says which, `body` what was signed, secrets by name */
    int64_t at, done_at;                   /* business time; done_at 0: nobody has answered (yet) */
    struct buf method, url, body, headers; /* headers: "name: value\n" each */
    int status;                            /* 0: no answer, `answer` says why */
    struct buf answer, answer_headers;
};

/* ---- for bind_t*.c ---- */

struct test_script *test_of(struct lua_State *L);                      /* raises outside a test */
struct version *test_l_version(struct lua_State *L, const char *path); /* raises */
int test_l_load(struct lua_State *L);
int test_l_call(struct lua_State *L);

/* For bind_crypto*.c: the bytes at `data` (a string, a secret, a list of both) go into a signature. In
 * a test they are kept for who asks what was signed; elsewhere nothing happens. */
void test_signing(struct lua_State *L, const char *scheme, int data);

#endif
