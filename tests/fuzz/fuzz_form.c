/* Forms, cookies, dates, amounts and card numbers: the short texts that come with requests. What
 * decodes encodes to something that decodes to the same. */
#include "base/ensure.h"
#include "base/form.h"
#include "base/money.h"
#include "base/pan.h"
#include "base/timefmt.h"

static void form(struct str text, bool plus) {
    struct buf raw = {0}, encoded = {0}, again = {0};
    if (form_decode(text, plus, &raw) == 0) {
        form_encode(buf_str(&raw), plus, &encoded);
        ENSURE(form_decode(buf_str(&encoded), plus, &again) == 0);
        ENSURE(str_eq(buf_str(&raw), buf_str(&again)));
    }
    buf_free(&raw);
    buf_free(&encoded);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = {(const char *)data, size};
    struct form_pair pair;
    struct form_iter it = form_iter(text);
    while (form_next(&it, &pair) > 0) {
        form(pair.name, true);
        form(pair.value, false);
    }
    int got;
    it = form_iter(text);
    while ((got = cookie_next(&it, &pair)) != 0 && got != E_LIMIT)
        ENSURE(got < 0 || pair.name.n != 0);

    int64_t value, again;
    struct buf b = {0};
    if (money_parse(text, STR("USD"), &value, NULL) == 0) {
        ENSURE(money_format(value, STR("USD"), 0, &b) == 0);
        ENSURE(money_parse(buf_str(&b), STR("USD"), &again, NULL) == 0 && again == value);
    }
    money_percent(1000, text, ROUND_HALF_UP, &value);
    duration_parse(text, &value, NULL);
    buf_clear(&b);
    if (time_parse(text, STR("rfc3339"), ZONE_WIB, &value, NULL) == 0 &&
        time_format(value, STR("rfc3339"), ZONE_WIB, &b) == 0)
        ENSURE(time_parse(buf_str(&b), STR("rfc3339"), ZONE_NONE, &again, NULL) == 0 &&
               again == value);
    buf_clear(&b);
    time_format(1, text, ZONE_UTC, &b); /* the pattern itself */
    time_parse(STR("2026-01-31"), text, ZONE_UTC, &value, NULL);
    buf_clear(&b);
    buf_addstr(&b, text);
    size_t from, to;
    bool found = pan_find(text, &from, &to);
    if (b.data != NULL) ENSURE((pan_mask(b.data, b.len) != 0) == found);
    buf_free(&b);
    return 0;
}
