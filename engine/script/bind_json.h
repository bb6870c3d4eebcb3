/* What the two halves of the json binding share: bind_json.c reads and declares, bind_json_write.c
 * writes. */
#ifndef LUWAK_SCRIPT_BIND_JSON_H
#define LUWAK_SCRIPT_BIND_JSON_H

#include "base/json.h"
#include "script/bind.h"

#define JSON_NUMBER_TYPE "json.number" /* text of a number that is no 64-bit integer */
#define JSON_RAW_TYPE    "json.raw"    /* JSON text that encode puts in as it is */
#define JSON_ARRAY_META  "json.array"  /* the mark of tables that are arrays, also when empty */
#define JSON_OBJECT_META "json.object"

#define JSON_OUT_MAX ((size_t)1 << 20) /* of encode, unless the caller asks for more */
/* A list is cut where it gets longer than this, so that whatever its rows hold it can be sent. */
#define JSON_LIST_MAX (JSON_OUT_MAX / 2)

struct json_text { /* the userdata of both types above */
    size_t n;
    char text[];
};

extern const char JSON_EMPTY_ARRAY; /* its address is cjson.empty_array */

void json_push_number(lua_State *L, struct str text); /* unchecked */
bool json_to_text(lua_State *L, int index, const char *type, struct str *out);

/* Pushes the metatable of a mark, making it if need be. */
void json_push_meta(lua_State *L, const char *name);

/* Pushes the decoded value and returns 1; or nil, text, code and 3. */
int json_decode_push(lua_State *L, struct str text);

/* Pushes the encoded value at index; raises with the path to what cannot be encoded. */
void json_encode(lua_State *L, int index, int depth, size_t max, const char *who);

#endif
