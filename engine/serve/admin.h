/* The engine's own pages: health, metrics, the script reference, the simulated clock. */
#ifndef LUWAK_ADMIN_H
#define LUWAK_ADMIN_H

#include "net/http_server.h"
#include "net/problem.h"

struct worker;

bool admin_handle(struct worker *w, struct http_exchange *x); /* false: not one of ours */

/* A problem document for an exchange; `more`: one header besides, or NULL. */
void admin_problem(struct http_exchange *x, enum problem_code code, struct str detail,
                   const struct http_header *more);

#endif
