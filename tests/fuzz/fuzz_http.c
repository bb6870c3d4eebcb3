/* Any bytes: the verdict must not depend on how they are cut, and libhttp-parser must agree with
 * whatever we accept. The first byte chooses the cuts. */
#include "http_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void differ(const char *what) {
    fprintf(stderr, "fuzz_http: %s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > 40000) return 0;
    uint32_t seed = data[0];
    const char *bytes = (const char *)data + 1;
    size_t n = size - 1, cuts[3];
    struct ours whole, cut;
    ours_run(&whole, bytes, n, cuts, 0);
    cuts[0] = n * (seed & 7) / 8;
    cuts[1] = cuts[0] + (n - cuts[0]) * (seed >> 3 & 7) / 8;
    cuts[2] = cuts[1] + (n - cuts[1]) * (seed >> 6) / 4;
    ours_run(&cut, bytes, n, cuts, 3);
    if (!ours_same(&whole, &cut)) differ("another verdict when cut");
    ours_free(&cut);
    ours_run(&cut, bytes, n, NULL, 0);
    if (!ours_same(&whole, &cut)) differ("another verdict byte by byte");
    ours_free(&cut);
    if (whole.p.phase == PARSE_DONE) {
        const char *differs = oracle_differs(&whole, bytes);
        if (differs != NULL) differ(differs);
    }
    ours_free(&whole);
    return 0;
}
