/* POST /sandbox/_clock {"advance":"24h"} or {"set":"2026-12-01T00:00:00+07:00"}: moves business
 * time and answers when all that fell due has run, due time by due time. Simulated mode only. */
#ifndef LUWAK_SANDBOX_CLOCK_H
#define LUWAK_SANDBOX_CLOCK_H

struct worker;
struct http_exchange;

void sandbox_clock(struct worker *w, struct http_exchange *x);

#endif
