/* Operations as scripts see them and as the store keeps them: the JSON document of an operation row
 * is
 *
 *     {"input": {...},      what was asked; never changes
 *      "data": {...},       what the channel must remember (decision.data); kept until it says else
 *      "result": {...}}     the other fields of the last decision */
#ifndef LUWAK_SCRIPT_OPERATION_TEXT_H
#define LUWAK_SCRIPT_OPERATION_TEXT_H

#include "base/buf.h"
#include "script/dispatch.h"

#include <lua.h>

/* The state a decision's tag means; -1: it is none. */
int operation_state_of_tag(const char *tag);

/* Pushes {id, kind, reference, status, account, input, data, result}; raises. */
void operation_push(lua_State *L, const struct operation_row *row);

/* The document after the decision (a table at `index`, tagged `tag`); raises. */
void operation_doc_write(lua_State *L, const struct operation_row *row, int index, const char *tag,
                         struct buf *out);
/* The document after a call that ended without a decision; no Lua. */
void operation_doc_undecided(const struct operation_row *row, bool sent, struct buf *out);

int operation_row_read(const struct rows *rows, size_t row, struct operation_row *out);

#endif
