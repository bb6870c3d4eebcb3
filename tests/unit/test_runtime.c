/* Calls and states of one worker, in virtual time. */
#include "base/mem.h"
#include "script_fixture.h"
#include "unit.h"

static void a_call_returns(void **state) {
    (void)state;
    struct fixture f;
    fixture_start(&f, NULL);
    struct version *v =
        fixture_script(KIND_JOB, "a", "return { f = function(x) return x .. '!' end }");
    struct outcome o = {.argument = "hello"};
    CHECK_OK(fixture_call(&f, v, "f", &o));
    CHECK_INT(o.done, 0); /* never inside start */
    loop_sim_drain(f.loop);
    CHECK_INT(o.done, 1);
    CHECK_STR(str_of(o.text), "");
    CHECK_INT(o.outcome, CALL_RETURNED);
    CHECK_STR(str_of(o.result), "hello!");
    fixture_stop(&f);
    fixture_drop(v);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_returns),
    };
    return unit_main(argc, argv, "runtime", tests, sizeof tests / sizeof tests[0]);
}
