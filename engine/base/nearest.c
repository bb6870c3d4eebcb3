#include "base/nearest.h"

#define WORD_MAX 64

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

unsigned edit_distance(struct str a, struct str b) {
    if (a.n > WORD_MAX || b.n > WORD_MAX) return WORD_MAX + 1;
    unsigned rows[3][WORD_MAX + 1]; /* of the table: two lines back, one line back, this one */
    unsigned *back2 = rows[0], *back1 = rows[1], *now = rows[2];
    for (size_t j = 0; j <= b.n; j++)
        back1[j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned replace = back1[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            now[j] = least(replace, least(back1[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], back2[j - 2] + 1);
        }
        unsigned *oldest = back2;
        back2 = back1, back1 = now, now = oldest;
    }
    return back1[b.n];
}

void nearest_offer(struct nearest *n, const char *candidate) {
    unsigned limit = (unsigned)(n->word.n / 3);
    limit = limit < 1 ? 1 : limit > 4 ? 4 : limit;
    unsigned d = edit_distance(n->word, str_of(candidate));
    if (d > limit || (n->best != NULL && d >= n->distance)) return;
    n->best = candidate;
    n->distance = d;
}
