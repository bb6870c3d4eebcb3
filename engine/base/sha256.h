/* SHA-256 (FIPS 180-4), for naming things: script texts and versions. Nothing secret goes through
 * here and nothing is authenticated with it; that is sys/crypto's. */
#ifndef LUWAK_BASE_SHA256_H
#define LUWAK_BASE_SHA256_H

#include "base/str.h"

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE (64 + 1)

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, struct str data);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_SIZE]);
void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX_SIZE]);
void sha256_hex(struct str data, char out[SHA256_HEX_SIZE]);

#endif
