/* Money arithmetic. Products are taken in 128 bits, where the product of two int64 always fits;
 * each function rounds at most once, at the end. Nothing here keeps state or memory, money_split
 * borrows scratch memory while it runs. */
#include "base/money.h"

#include "base/ensure.h"
#include "base/mem.h"
#include "base/sort.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

/* ISO 4217 codes by their digits behind the point; those with two are the rest. */
static const char CODES0[] =
    " BIF CLP DJF GNF IDR ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF ";
static const char CODES3[] = " BHD IQD JOD KWD LYD OMR TND ";
static const char CODES2[] =
    " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
    "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT "
    "TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ";

int money_decimals(struct str currency) {
    if (currency.n != 3) return -1;
    for (size_t i = 0; i < 3; i++)
        if (currency.p[i] < 'A' || currency.p[i] > 'Z') return -1;
    if (str_search(str_of(CODES2), currency) >= 0) return 2;
    if (str_search(str_of(CODES0), currency) >= 0) return 0;
    if (str_search(str_of(CODES3), currency) >= 0) return 3;
    return -1;
}

int money_round_named(struct str name, enum money_round *out) {
    static const char *const NAMES[] = {"half_up", "half_even", "up", "down"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (str_eq(name, str_of(NAMES[i]))) {
            *out = (enum money_round)i;
            return 0;
        }
    return E_INVAL;
}

/* ---- text ---- */

struct decimal {
    bool minus;
    struct str whole;    /* at least one digit, no leading zeros but "0" */
    struct str fraction; /* without the zeros at its end */
};

static bool all_digits(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n != 0;
}

static int read_decimal(struct str text, struct decimal *d) {
    d->minus = text.n != 0 && text.p[0] == '-';
    if (d->minus) text = str_sub(text, 1, text.n);
    bool point = str_cut(text, '.', &d->whole, &d->fraction);
    if (!all_digits(d->whole) || (d->whole.n > 1 && d->whole.p[0] == '0')) return E_SYNTAX;
    if (point && !all_digits(d->fraction)) return E_SYNTAX;
    while (d->fraction.n != 0 && d->fraction.p[d->fraction.n - 1] == '0')
        d->fraction.n--;
    return 0;
}

/* value = value * 10 + each digit, towards the sign, so that the smallest int64 is reached. */
static int push_digits(int64_t *value, struct str digits, bool minus) {
    for (size_t i = 0; i < digits.n; i++) {
        int digit = digits.p[i] - '0';
        if (__builtin_mul_overflow(*value, 10, value)) return E_OVERFLOW;
        if (__builtin_add_overflow(*value, minus ? -digit : digit, value)) return E_OVERFLOW;
    }
    return 0;
}

int money_parse(struct str text, struct str currency, int64_t *out, struct why *why) {
    int decimals = money_decimals(currency);
    if (decimals < 0) return why_set(why, E_NOTFOUND, "money: no such currency");
    struct decimal d;
    if (read_decimal(text, &d) != 0)
        return why_set(why, E_SYNTAX, "money: an amount is digits with at most one point");
    if (d.fraction.n > (size_t)decimals)
        return why_set(why, E_RANGE, "money: %.*s has %d decimals", STR_FMT(currency), decimals);
    struct str zeros = {"000", (size_t)decimals - d.fraction.n};
    int64_t value = 0;
    int err = push_digits(&value, d.whole, d.minus);
    if (err == 0) err = push_digits(&value, d.fraction, d.minus);
    if (err == 0) err = push_digits(&value, zeros, d.minus);
    if (err != 0) return why_set(why, err, "money: the amount does not fit 64 bits");
    *out = value;
    return 0;
}

static uint64_t magnitude(int64_t n) {
    return n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
}

int money_format(int64_t amount, struct str currency, int decimals, struct buf *out) {
    int own = money_decimals(currency);
    if (own < 0) return E_NOTFOUND;
    if (decimals > 9) return E_RANGE;
    char text[48];
    char *at = text + sizeof text;
    uint64_t rest = magnitude(amount);
    for (int i = own; i < decimals; i++)
        *--at = '0';
    for (int i = 0; i < own; i++, rest /= 10)
        *--at = (char)('0' + rest % 10);
    if (own > 0 || decimals > 0) *--at = '.';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (amount < 0) *--at = '-';
    buf_add(out, at, (size_t)(text + sizeof text - at));
    return out->err;
}

/* ---- arithmetic ---- */

static int fit(wide value, int64_t *out) {
    if (value > INT64_MAX || value < INT64_MIN) return E_OVERFLOW;
    *out = (int64_t)value;
    return 0;
}

/* n / d rounded, d > 0 */
static wide divide(wide n, wide d, enum money_round mode) {
    wide quotient = n / d, rest = n % d;
    if (rest == 0) return quotient;
    wide away = n < 0 ? -1 : 1;
    wide twice = (rest < 0 ? -rest : rest) * 2;
    switch (mode) {
    case ROUND_UP: return quotient + away;
    case ROUND_DOWN: return quotient;
    case ROUND_HALF_EVEN:
        if (twice == d) return quotient % 2 == 0 ? quotient : quotient + away;
        break;
    case ROUND_HALF_UP: break;
    }
    return twice >= d ? quotient + away : quotient;
}

int money_percent(int64_t amount, struct str percent, enum money_round mode, int64_t *out) {
    struct decimal d;
    if (!str_ends(percent, STR("%"))) return E_SYNTAX;
    if (read_decimal(str_sub(percent, 0, percent.n - 1), &d) != 0 || d.minus) return E_SYNTAX;
    if (d.whole.n > 9 || d.fraction.n > 9) return E_SYNTAX;
    int64_t rate = 0, scale = 100;
    push_digits(&rate, d.whole, false); /* 18 digits fit */
    push_digits(&rate, d.fraction, false);
    for (size_t i = 0; i < d.fraction.n; i++)
        scale *= 10;
    return fit(divide((wide)amount * rate, scale, mode), out);
}

int money_ratio(int64_t amount, int64_t numerator, int64_t denominator, enum money_round mode,
                int64_t *out) {
    if (denominator == 0) return E_RANGE;
    wide n = (wide)amount * numerator, d = denominator;
    if (d < 0) n = -n, d = -d;
    return fit(divide(n, d, mode), out);
}

struct share {
    uint64_t remainder;
    size_t index;
};

static int largest_first(const void *a, const void *b) {
    const struct share *x = a, *y = b;
    if (x->remainder != y->remainder) return x->remainder > y->remainder ? -1 : 1;
    return x->index < y->index ? -1 : 1; /* no index comes twice */
}

int money_split(int64_t total, const int64_t *weights, size_t count, int64_t *parts) {
    if (count > MONEY_PARTS_MAX) return E_LIMIT;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (weights[i] < 0) return E_INVAL;
        if (__builtin_add_overflow(sum, weights[i], &sum)) return E_OVERFLOW;
    }
    if (sum == 0) return E_INVAL;
    struct share *shares = mem_array(count, sizeof *shares);
    if (shares == NULL) return E_NOMEM;
    const uint64_t whole = magnitude(total);
    uint64_t left = whole;
    for (size_t i = 0; i < count; i++) {
        uwide product = (uwide)whole * (uint64_t)weights[i];
        uint64_t part = (uint64_t)(product / (uint64_t)sum);
        shares[i] = (struct share){(uint64_t)(product % (uint64_t)sum), i};
        left -= part;
        parts[i] = (int64_t)(total < 0 ? 0 - part : part);
    }
    sort_heap(shares, count, sizeof *shares, largest_first);
    for (size_t i = 0; i < left; i++)
        parts[shares[i].index] += total < 0 ? -1 : 1;
    mem_free(shares);
    return 0;
}

int money_add(int64_t a, int64_t b, int64_t *out) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return E_OVERFLOW;
    *out = sum;
    return 0;
}

int money_sub(int64_t a, int64_t b, int64_t *out) {
    int64_t difference;
    if (__builtin_sub_overflow(a, b, &difference)) return E_OVERFLOW;
    *out = difference;
    return 0;
}

int money_mul(int64_t a, int64_t b, int64_t *out) {
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product)) return E_OVERFLOW;
    *out = product;
    return 0;
}
