/* Bytes as text and small checksums: hex, base64, base64url, CRC-16, UUIDs. No secrets needed, no
 * OpenSSL. Decoders are strict: exactly what the encoder could have written, and nothing else, so
 * that no two texts mean the same bytes. */
#ifndef LUWAK_SYS_CRYPTO_TEXT_H
#define LUWAK_SYS_CRYPTO_TEXT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"

enum encoding { ENC_RAW, ENC_HEX, ENC_BASE64, ENC_BASE64URL }; /* base64url: no padding */

int encoding_by_name(struct str name); /* "hex"; -1: none */

void text_encode(struct buf *out, enum encoding e, struct str data); /* hex in lower case */
/* E_SYNTAX leaves nothing appended. Hex may be of either case. */
int text_decode(struct buf *out, enum encoding e, struct str text);

uint16_t crc16_ccitt(struct str data); /* CCITT-FALSE: poly 1021, start FFFF; what QRIS ends in */

#define UUID_SIZE (36 + 1)
void uuid_v4(char out[UUID_SIZE], struct rng *rng);
void uuid_v7(char out[UUID_SIZE], const struct clock *clock, struct rng *rng);

#endif
