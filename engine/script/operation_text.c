#include "script/operation_text.h"

#include "base/json.h"
#include "base/pan.h"
#include "script/bind_json.h"
#include "script/lua_util.h"

#include <lauxlib.h>

int operation_state_of_tag(const char *tag) {
    /* Nothing was created: said at once or when asked, it is a no. */
    if (strcmp(tag, "not_created") == 0) return OPERATION_FAILED;
    int state = states_find(OPERATION_STATES, OPERATION_STATES_, str_of(tag));
    return state == OPERATION_SENDING ? -1 : state;
}

static void set_str(lua_State *L, const char *key, struct str s) {
    push_str(L, s);
    lua_setfield(L, -2, key);
}

void operation_push(lua_State *L, const struct operation_row *row) {
    luaL_checkstack(L, 8, NULL);
    if (json_decode_push(L, row->given.n != 0 ? row->given : row->doc) != 1)
        luaL_error(L, "operation %s: its document is damaged", row->id.p);
    if (row->payment.n != 0) set_str(L, "payment", row->payment);
    if (row->expires_at != 0) {
        lua_pushinteger(L, row->expires_at);
        lua_setfield(L, -2, "expires_at");
    }
    set_str(L, "id", row->id);
    set_str(L, "kind", row->kind);
    set_str(L, "reference", row->reference);
    set_str(L, "account", row->account);
    set_str(L, "status", str_of(OPERATION_STATES[row->state].name));
}

/* A provider's words are kept and shown: the text on the top without card numbers. */
static void mask_cards(lua_State *L) {
    size_t n, from, to;
    if (lua_type(L, -1) != LUA_TSTRING) return;
    const char *said = lua_tolstring(L, -1, &n);
    if (!pan_find((struct str){said, n}, &from, &to)) return;
    luaL_Buffer b;
    char *text = luaL_buffinitsize(L, &b, n);
    memcpy(text, said, n);
    pan_mask(text, n);
    luaL_pushresultsize(&b, n);
    lua_remove(L, -2);
}

/* What a channel remembers, without card numbers: the table on the top, whatever is in it. A provider's
 * own id that merely looks like one is kept where its field says that it is an id. */
static void mask_data(lua_State *L, int depth) {
    if (depth == 0) luaL_error(L, "decision: data is too deep");
    luaL_checkstack(L, 8, NULL);
    int table = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table) != 0;) {
        size_t n, from, to;
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &n) : NULL;
        if (name != NULL && strcmp(name, "provider_reference") == 0) {
            lua_pop(L, 1);
            continue;
        }
        if (name != NULL && pan_find((struct str){name, n}, &from, &to)) {
            lua_pop(L, 1);
            lua_pushnil(L); /* a field of that name is none */
        } else if (lua_istable(L, -1)) {
            mask_data(L, depth - 1);
            lua_pop(L, 1);
            continue;
        } else if (lua_type(L, -1) == LUA_TNUMBER) {
            lua_pushvalue(L, -1); /* a number that is none stays a number */
            const char *digits = lua_tolstring(L, -1, &n);
            bool card = pan_find((struct str){digits, n}, &from, &to);
            lua_remove(L, card ? -2 : -1);
        }
        if (lua_type(L, -1) == LUA_TSTRING) mask_cards(L);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table); /* a key that is there: lua_next goes on */
    }
}

void operation_doc_write(lua_State *L, const struct operation_row *row, int index, const char *tag,
                         struct buf *out) {
    luaL_checkstack(L, 12, NULL);
    if (json_decode_push(L, row->doc) != 1)
        luaL_error(L, "operation %s: its document is damaged", row->id.p);
    int doc = lua_gettop(L);
    lua_newtable(L); /* result: all fields but data */
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
        if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "data") == 0) {
            if (lua_istable(L, -1)) mask_data(L, JSON_DEPTH);
            lua_setfield(L, doc, "data");
            continue;
        }
        if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "message") == 0)
            mask_cards(L);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, doc + 1);
    }
    if (strcmp(tag, "not_created") == 0) {
        lua_pushliteral(L, "PROVIDER_ERROR");
        lua_setfield(L, doc + 1, "category");
        lua_pushliteral(L, "not_created");
        lua_setfield(L, doc + 1, "code");
    }
    lua_setfield(L, doc, "result");
    json_encode(L, doc, JSON_DEPTH, JSON_OUT_MAX, "decision");
    struct str text;
    text.p = lua_tolstring(L, -1, &text.n);
    buf_addstr(out, text);
    lua_settop(L, doc - 1);
}

/* input and data as they are, result by us: the three members are cut out of the old text. */
void operation_doc_undecided(const struct operation_row *row, bool sent, struct buf *out) {
    struct json_doc doc;
    struct json_out w;
    json_out_init(&w, out);
    int err = json_parse(&doc, row->doc, NULL, NULL);
    json_begin_object(&w);
    if (err == 0) {
        static const char *const KEPT[] = {"input", "data"};
        for (int i = 0; i < 2; i++) {
            const struct json *value = json_get(doc.root, KEPT[i]);
            if (value == NULL) continue;
            json_key(&w, KEPT[i]);
            json_value(&w, value);
        }
        json_doc_free(&doc);
    }
    json_key(&w, "result");
    json_begin_object(&w);
    if (!sent) {
        json_put_text(&w, "category", "PROVIDER_ERROR");
        json_put_text(&w, "code", "script_error");
        json_put_text(&w, "message", "the channel failed before it sent anything");
    } else {
        json_put_text(&w, "message", "the channel ended without a decision after it had sent");
    }
    json_end_object(&w);
    json_end_object(&w);
    if (json_out_end(&w) != 0 && out->err == 0) out->err = E_NOMEM;
}

/* Columns of operation_get. */
int operation_row_read(const struct rows *rows, size_t row, struct operation_row *out) {
    *out = (struct operation_row){.id = rows_text(rows, row, 0),
                                  .kind = rows_text(rows, row, 1),
                                  .script = rows_text(rows, row, 2),
                                  .version = rows_text(rows, row, 3),
                                  .account = rows_text(rows, row, 4),
                                  .reference = rows_text(rows, row, 5),
                                  .generation = rows_int(rows, row, 7),
                                  .doc = rows_text(rows, row, 9),
                                  .updated = rows_int(rows, row, 10),
                                  .created = rows_int(rows, row, 11)};
    int state = states_find(OPERATION_STATES, OPERATION_STATES_, rows_text(rows, row, 6));
    if (state < 0) return E_CORRUPT;
    out->state = (enum operation_state)state;
    return 0;
}
