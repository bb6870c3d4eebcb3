/* Sealing of small blobs under the data key (LUWAK_DATA_KEY): tokens, API keys, personal data.
 *
 * AES-256-GCM under a key of its own for each purpose (HKDF-SHA256 of the data key), with the
 * caller's context as authenticated data: a blob opens only for the purpose and the row that it was
 * sealed for. The data key is a ring: the first key seals, all of them open, so keys can be changed
 * while old blobs live.
 *
 *     blob = 01 | key id (4) | nonce (12) | ciphertext | tag (16)
 *
 * The key id is derived from the key. A ring is immutable, shared by threads, wiped at the end. */
#ifndef LUWAK_SYS_SEAL_H
#define LUWAK_SYS_SEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"

#define SEAL_KEY_SIZE 32
#define SEAL_OVERHEAD (1 + 4 + 12 + 16)
#define SEAL_KEYS_MAX 8
#define SEAL_MAX      (16u * 1024 * 1024) /* bytes in one blob */

struct seal_ring;

/* "KEY[,OLDER_KEY...]", each 32 bytes in base64 or hex. */
int seal_ring_new(struct seal_ring **out, struct str keys, struct why *why);
void seal_ring_delete(struct seal_ring *ring);

/* Appends the blob. `purpose`: a fixed word of ours, "api_key". */
int seal(const struct seal_ring *ring, const char *purpose, struct str context, struct str plain,
         struct rng *rng, struct buf *out);
/* Appends the plaintext. E_DENIED: changed, or of another purpose or context; E_NOTFOUND: its key
 * is not in the ring; E_SYNTAX: no blob of ours. */
int seal_open(const struct seal_ring *ring, const char *purpose, struct str context,
              struct str blob, struct buf *out);
bool seal_stale(const struct seal_ring *ring, struct str blob); /* not under the first key */

/* A keyed hash to find sealed things by (an index over API keys), under key `nth` of the ring: look
 * with 0, then with the older ones; E_NOTFOUND: there is none of that number. */
int seal_hash(const struct seal_ring *ring, size_t nth, const char *purpose, struct str data,
              uint8_t out[32]);

#endif
