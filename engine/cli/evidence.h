/* What a test's scripts and simulators said to each other, as text for a person outside, such as a bank
 * that wants to see it: requests, what was signed, answers, times. Secrets are replaced. */
#ifndef LUWAK_EVIDENCE_H
#define LUWAK_EVIDENCE_H

#include "base/buf.h"
#include "script/test_script.h"

/* Between us and the provider only: what a merchant asks of us and what steers a simulator is left
 * out. `requests` begins with the newest; `secrets` ends with an empty one. */
void evidence_write(const struct test_request *requests, const struct str *secrets,
                    struct buf *out);

#endif
