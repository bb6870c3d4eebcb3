/* Real exchanges, written to a file once and answered from it in tests ever after.
 *
 * A file is plain text that a person can read and edit; '#' lines and empty lines between exchanges
 * do not count:
 *
 *     > POST https://api.example.com/v2/charge
 *     > content-type: application/json
 *     >| {"amount":10000}
 *     < 200
 *     < content-type: application/json
 *     <| {"status":"ok"}
 *
 *     > GET https://api.example.com/v2/x/status
 *     ! E_TIMEOUT timeout sent no whole answer within 30000 ms
 *
 * A body's lines stand behind ">| " and "<| ", joined by line feeds; a body that is not printable
 * stands in hexadecimal behind ">x " and "<x ". What redact.h knows as secret is replaced before a
 * byte is written, and requests are compared after the same replacement. */
#ifndef LUWAK_NET_REPLAY_H
#define LUWAK_NET_REPLAY_H

#include "loop/loop.h"
#include "net/transport.h"

/* Passes everything to `inner` (not owned) and appends each finished exchange to the file (0600).
 * secrets: ends with an empty one; kept by the caller. */
int transport_record_new(struct transport **out, struct transport *inner, const char *path,
                         const struct str *secrets, struct why *why);
int transport_record_error(struct transport *t); /* 0, or E_IO/E_NOMEM: something is missing */

/* Answers from a file. An exchange fits a request of the same method, URL and body, is used once,
 * and those that fit the same request are used in order. A request without one fails as
 * "replay_miss" (E_NOTFOUND, not sent), naming what was asked and the nearest recorded one. */
int transport_replay_new(struct transport **out, struct loop *loop, const char *path,
                         const struct str *secrets, struct why *why);
struct str transport_replay_misses(struct transport *t); /* in full, one paragraph each */
size_t transport_replay_unused(struct transport *t);     /* recorded, never asked for */

#endif
