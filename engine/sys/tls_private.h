/* What tls.c and tls_conn.c share. */
#ifndef LUWAK_SYS_TLS_PRIVATE_H
#define LUWAK_SYS_TLS_PRIVATE_H

#include "sys/tls.h"

#include <openssl/types.h>
#include <pthread.h>

struct tls_server {
    pthread_mutex_t lock; /* guards ctx, the pointer */
    SSL_CTX *ctx;
    char *cert_file, *key_file, *ca_file, *crl_file;
    bool require_peer;
};

SSL_CTX *tls_server_context(struct tls_server *s); /* with a reference for the caller */

#endif
