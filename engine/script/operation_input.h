/* Is what a channel is asked for what it says it takes? Its `input` (name, type, required) and
 * `limits` are held against the operation's document before anything is stored. */
#ifndef LUWAK_SCRIPT_OPERATION_INPUT_H
#define LUWAK_SCRIPT_OPERATION_INPUT_H

#include "base/json.h"
#include "script/manifest.h"

/* The field of every channel that has this name; NULL: none has. */
const struct manifest_input *operation_input_common(struct str name);

/* The longest that a field of a channel's own may be, in texts and names: the cage refuses to look for a
 * pattern in much more, and a channel that raises is left out for everybody. */
#define OWN_FIELD_MAX 16384
size_t operation_field_bytes(const struct json *value);

struct input_fault {
    int err;        /* E_INVAL; E_LIMIT: the amount is out of the channel's limits; E_NOMEM */
    char param[65]; /* the field, as the client wrote it; "input": all of it */
    char text[200];
};

/* `doc` is {"input": {...}}. What is wrong with the operation `kind`'s input goes into *fault and
 * is returned; 0: nothing. */
int operation_input_check(const struct manifest *m, struct str kind, struct str doc,
                          struct input_fault *fault);

#endif
