/* A whole engine in virtual time, taken down and held up at every point of one exchange: whoever
 * asked is answered once, and nothing is left behind. */
#include "engine.h"

#include "base/mem.h"
#include "loop/loop_private.h"
#include "serve/worker.h"
#include "store/store.h"
#include "sys/crypto.h"
#include "sys/log.h"
#include "sys/metrics.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS  1000000
#define CREATE_MS 20000 /* LUWAK_CREATE_WAIT's default */

static struct config *config;
static char root[300];

static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}

static const char HURRIED[] =
    "return { api = 1, routes = { ['POST /v1/hurried'] = { auth = 'none', timeout = '1s',\n"
    "  run = function(req) core.operation.create { channel = 'demo_wallet', reference = 'h',\n"
    "    input = { amount = 5000, phone = '081200001234' } } return 200, {} end } } }\n";

/* Names as many tokens as it is asked for: how many were fetched. */
static const char NAMES[] =
    "local round = 0\n"
    "local function take(ctx, n)\n"
    "  local fetched = 0\n"
    "  for i = 1, n do\n"
    "    local name = 'name ' .. round .. '-' .. i\n"
    "    ctx.token(name, function() fetched = fetched + 1 return 'value', 3600 end)\n"
    "  end\n"
    "  return fetched\n"
    "end\n"
    "return { api = 1, title = 'Names', provider = 'names', routes = {\n"
    "  ['POST /few'] = function(ctx)\n"
    "    local first, second = take(ctx, 20), take(ctx, 20)\n"
    "    return reply(first == 20 and second == 0 and 200 or 500, {})\n"
    "  end,\n"
    "  ['POST /many'] = function(ctx)\n"
    "    round = round + 1\n"
    "    return reply(take(ctx, 500) == 500 and 200 or 500, {})\n"
    "  end,\n"
    "} }\n";

static int setup(void **state) {
    (void)state;
    struct why why = {0};
    static const char *const ENVIRONMENT[] = {"LUWAK_ENV=simulated", NULL};
    CHECK_OK(crypto_setup());
    store_setup();
    log_capture(no_line, NULL);
    CHECK_OK(config_load(&config, &(struct config_sources){.environment = ENVIRONMENT}, &why));
    char line[900];
    snprintf(root, sizeof root, "%s/root", unit_tmpdir());
    snprintf(line, sizeof line,
             "mkdir -p %s && cp --parents channels/demo_wallet.lua scripts/api/operations.lua "
             "scripts/sandbox/demo.lua %s",
             root, root);
    CHECK(system(line) == 0);
    snprintf(line, sizeof line, "%s/scripts/api/hurried.lua", root);
    FILE *file = fopen(line, "w");
    fputs(HURRIED, file);
    fclose(file);
    snprintf(line, sizeof line, "%s/scripts/sandbox/names.lua", root);
    file = fopen(line, "w");
    fputs(NAMES, file);
    fclose(file);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    config_free(config);
    log_capture(NULL, NULL);
    return 0;
}

/* ---- one life ---- */

struct life {
    struct clock clock;
    struct rng rng;
    struct engine_chaos chaos;
    struct engine *engine;
    bool ready;
    uint32_t there_ms; /* how long the provider takes */
    struct http_exchange exchange;
    struct http_header headers[1];
    int answered, status;
};

static void decide(const struct http_out *request, struct local_fate *fate, void *data) {
    (void)request;
    *fate = (struct local_fate){.there_ms = ((struct life *)data)->there_ms};
}

static void ready(struct engine *e, int err, void *data) {
    (void)e;
    CHECK_OK(err);
    ((struct life *)data)->ready = true;
}

static void begin(struct life *l, uint64_t seed, uint32_t there_ms) {
    struct why why = {0};
    *l = (struct life){.there_ms = there_ms};
    rng_seeded(&l->rng, seed);
    clock_virtual(&l->clock, START_MS);
    l->chaos = (struct engine_chaos){.decide = decide, .data = l};
    struct engine_options o = {.config = config,
                               .mode = ENGINE_TEST,
                               .clock = &l->clock,
                               .rng = &l->rng,
                               .root = root,
                               .chaos = &l->chaos};
    CHECK_OK(engine_new(&l->engine, &o, &why));
    engine_start(l->engine, ready, l);
    for (int i = 0; i < 100000 && !l->ready; i++)
        CHECK(loop_sim_step(l->engine->loop));
    loop_sim_drain(l->engine->loop);
}

static void answered(struct http_exchange *x, int status, const struct http_header *headers,
                     size_t count, struct str body) {
    (void)headers, (void)count, (void)body;
    struct life *l = (struct life *)((char *)x - offsetof(struct life, exchange));
    l->answered++;
    l->status = status;
}

static void ask(struct life *l, const char *path) {
    struct http_exchange *x = &l->exchange;
    l->headers[0] = (struct http_header){STR("content-type"), STR("application/json")};
    *x = (struct http_exchange){.request_id = "req_1",
                                .method = STR("POST"),
                                .target = str_of(path),
                                .path = str_of(path),
                                .query = STR(""),
                                .headers = l->headers,
                                .header_count = 1,
                                .body =
                                    STR("{\"channel\":\"demo_wallet\",\"reference\":\"r1\","
                                        "\"input\":{\"amount\":5000,\"phone\":\"081200001234\"}}"),
                                .received_ms = START_MS,
                                .answer = answered};
    worker_handle(x, l->engine->workers[0]);
}

/* What a life that nothing disturbs leaves allocated (made once per process), and its turns. */
static int64_t live_after(int *turns) {
    struct life l;
    for (int i = 0; i < 2; i++) {
        begin(&l, 1, 0);
        ask(&l, "/v1/operations");
        for (*turns = 0; l.answered == 0; (*turns)++)
            CHECK(loop_sim_step(l.engine->loop));
        CHECK_INT(l.status, 201);
        engine_delete(l.engine);
        metrics_free();
    }
    CHECK(*turns > 10);
    return mem_live();
}

/* So many orders of what is ready; sanitizers (TEST_ROUNDS) look at one. */
static uint64_t seeds(uint64_t usual) {
    return getenv("TEST_ROUNDS") == NULL ? usual : 1;
}

/* ---- the order of the end ---- */

/* The store still has to answer commits, the script waits, the provider has not answered ... */
static void it_may_end_at_any_turn(void **state) {
    (void)state;
    int turns;
    int64_t live = live_after(&turns);
    for (uint64_t seed = 1; seed <= seeds(5); seed++)
        for (int at = 0; at <= turns + 5; at++) {
            struct life l;
            begin(&l, seed, 0);
            ask(&l, "/v1/operations");
            for (int i = 0; i < at; i++)
                if (!loop_sim_step(l.engine->loop)) break;
            engine_delete(l.engine);
            metrics_free();
            if (l.answered != 1 || mem_live() != live)
                print_error("seed %d, turn %d: answered %d times, %d blocks left\n", (int)seed, at,
                            l.answered, (int)(mem_live() - live));
            CHECK_INT(l.answered, 1);
            CHECK_INT(mem_live(), live);
        }
}

static void heard(const struct commit_result *result, void *data) {
    (void)result;
    ++*(int *)data;
}

/* An answer that only closing the store brings about is heard, too: the loops are still there. */
static void the_last_answers_are_heard(void **state) {
    (void)state;
    int turns, told = 0;
    int64_t live = live_after(&turns);
    struct life l;
    struct commit *c;
    begin(&l, 1, 0);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(commit_new(&c));
        commit_add(c, OP_META_SET, VALS(V_TEXT("last"), V_TEXT("word")));
        store_submit(l.engine->store, c, i % 2 == 0 ? LANE_RESULT : LANE_NEW, l.engine->loop, heard,
                     &told);
    }
    engine_delete(l.engine);
    metrics_free();
    CHECK_INT(told, 5);
    CHECK_INT(mem_live(), live);
}

/* ---- the patience of core.operation.create ---- */

/* The machine stands still for longer than a caller waits, at each turn of the exchange: whoever
 * wakes the caller, it is woken once, and what was created is let go of. */
static void a_stall_at_any_turn(void **state) {
    (void)state;
    int turns, late = 0;
    int64_t live = live_after(&turns);
    for (uint64_t seed = 1; seed <= seeds(20); seed++)
        for (int at = 0; at <= turns; at++) {
            struct life l;
            begin(&l, seed, 0);
            ask(&l, "/v1/operations");
            for (int i = 0; i < at; i++)
                if (!loop_sim_step(l.engine->loop)) break;
            clock_virtual_advance(&l.clock, (CREATE_MS + 1) * UINT64_C(1000000));
            loop_sim_run_for(l.engine->loop, 60000);
            CHECK_INT(l.answered, 1);
            late += l.status != 201;
            engine_delete(l.engine);
            metrics_free();
            if (mem_live() != live)
                print_error("seed %d, turn %d: %d blocks left\n", (int)seed, at,
                            (int)(mem_live() - live));
            CHECK_INT(mem_live(), live);
        }
    print_message("%d turns: %d callers had another answer than 201\n", turns, late);
}

static int armed_for(const struct life *l, uint64_t due_ns) {
    int n = 0;
    const struct timer_heap *h = &l->engine->loop->timers;
    for (size_t i = 0; i < h->count; i++)
        n += h->at[i]->due_ns == due_ns;
    return n;
}

/* A call that is killed while it waits takes its timer with it: the memory it is in is the call's. */
static void a_killed_call_leaves_no_timer(void **state) {
    (void)state;
    int turns;
    int64_t live = live_after(&turns);
    struct life l;
    begin(&l, 1, 60000);
    ask(&l, "/v1/hurried");
    uint64_t due = clock_mono_ns(&l.clock) + CREATE_MS * UINT64_C(1000000);
    loop_sim_drain(l.engine->loop);
    CHECK_INT(armed_for(&l, due), 1);
    loop_sim_run_for(l.engine->loop, 1500);
    CHECK_INT(l.answered, 1);
    CHECK_INT(armed_for(&l, due), 0);
    loop_sim_run_for(l.engine->loop, 120000);
    engine_delete(l.engine);
    metrics_free();
    CHECK_INT(mem_live(), live);
}

static int64_t live_after_asking(struct life *l, const char *path) {
    l->answered = 0;
    ask(l, path);
    for (int i = 0; i < 200000 && l->answered == 0; i++)
        CHECK(loop_sim_step(l->engine->loop));
    CHECK_INT(l->status, 200);
    loop_sim_run_for(l->engine->loop, 1000);
    return mem_live();
}

/* A caged script makes up tokens' names: the engine keeps some, the store a few more. */
static void tokens_are_kept_for_so_many_names(void **state) {
    (void)state;
    int turns;
    int64_t live = live_after(&turns);
    struct life l;
    begin(&l, 1, 0);
    live_after_asking(&l, "/sandbox/names/few");
    /* what the script's own state has not collected yet is counted, too, but does not add up */
    int64_t first = live_after_asking(&l, "/sandbox/names/many"), last = first;
    for (int i = 0; i < 6; i++)
        last = live_after_asking(&l, "/sandbox/names/many");
    if (last - first > 6000) fail_msg("%d blocks more", (int)(last - first));
    engine_delete(l.engine);
    metrics_free();
    CHECK_INT(mem_live(), live);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(it_may_end_at_any_turn),
        TEST(the_last_answers_are_heard),
        TEST(a_stall_at_any_turn),
        TEST(a_killed_call_leaves_no_timer),
        TEST(tokens_are_kept_for_so_many_names),
    };
    return unit_main(argc, argv, "engine", tests, sizeof tests / sizeof tests[0]);
}
