/* What crypto_key.c and crypto_sign.c share. */
#ifndef LUWAK_SYS_CRYPTO_KEY_PRIVATE_H
#define LUWAK_SYS_CRYPTO_KEY_PRIVATE_H

#include "sys/crypto_key.h"

#include <openssl/types.h>

struct crypto_key {
    EVP_PKEY *pkey; /* ours */
    enum key_type type;
    bool private;
};

#endif
