/* nearest: edit distance with swaps, over short names only. See nearest.h. */
#include "base/nearest.h"

#define NAME_MAX_ 64

size_t edit_distance(struct str a, struct str b) {
    if (a.n > NAME_MAX_ || b.n > NAME_MAX_) return SIZE_MAX;
    uint8_t d[3][NAME_MAX_ + 1];
    for (size_t j = 0; j <= b.n; j++)
        d[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a.n; i++) {
        uint8_t *now = d[i % 3], *up = d[(i + 2) % 3], *twice = d[(i + 1) % 3];
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.n; j++) {
            uint8_t best = (uint8_t)(up[j - 1] + (a.p[i - 1] != b.p[j - 1]));
            if (up[j] + 1 < best) best = (uint8_t)(up[j] + 1);
            if (now[j - 1] + 1 < best) best = (uint8_t)(now[j - 1] + 1);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                twice[j - 2] + 1 < best)
                best = (uint8_t)(twice[j - 2] + 1);
            now[j] = best;
        }
    }
    return d[a.n % 3][b.n];
}

void nearest_init(struct nearest *n, struct str word) {
    *n = (struct nearest){.word = word, .distance = (word.n < 6 ? 1 : word.n / 3) + 1};
}

/* Near is: a third of the word in edits, at least one, and never the whole word. */
void nearest_try(struct nearest *n, struct str name) {
    size_t d = edit_distance(n->word, name);
    if (d < n->distance && d < name.n) {
        n->distance = d;
        n->best = name;
    }
}
