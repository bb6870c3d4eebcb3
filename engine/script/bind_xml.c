/* xml: a text as tables, and tables as text.
 *
 *   {name = "currency", ns = "http://...", attrs = {unit = "1"}, text = "360", child, child, ...}
 *
 * The tree that libexpat fills is C memory: a userdata owns it until the tables are made, and its
 * bound is charged to the call before it is built. */
#include "base/xml.h"

#include "script/bind.h"
#include "script/co.h"
#include "script/lua_out.h"
#include "script/lua_util.h"

#define TREE_TYPE   "xml.tree"
#define XML_OUT_MAX ((size_t)1 << 20)

static int tree_gc(lua_State *L) {
    xml_doc_free(lua_touserdata(L, 1));
    return 0;
}

static void push_node(lua_State *L, const struct xml_node *node) {
    luaL_checkstack(L, 6, "xml");
    lua_createtable(L, 0, 4);
    push_str(L, node->name);
    lua_setfield(L, -2, "name");
    push_str(L, node->text);
    lua_setfield(L, -2, "text");
    if (node->space.n != 0) {
        push_str(L, node->space);
        lua_setfield(L, -2, "ns");
    }
    lua_newtable(L);
    for (const struct xml_attr *a = node->attrs; a != NULL; a = a->next) {
        push_str(L, a->name);
        push_str(L, a->value);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "attrs");
    lua_Integer i = 1;
    for (const struct xml_node *child = node->first; child != NULL; child = child->next) {
        push_node(L, child); /* as deep as XML_DEPTH */
        lua_rawseti(L, -2, i++);
    }
}

static int l_decode(lua_State *L) {
    struct str text = check_str(L, 1);
    struct why why = {0};
    co_charge(L, text.n < XML_SIZE ? text.n : XML_SIZE);
    struct xml_doc *doc = lua_newuserdatauv(L, sizeof *doc, 0);
    *doc = (struct xml_doc){0};
    if (luaL_newmetatable(L, TREE_TYPE)) {
        lua_pushcfunction(L, tree_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    int err = xml_parse(doc, text, &why);
    if (err != 0) return bind_fail(L, err, "%s", why.text);
    push_node(L, doc->root);
    xml_doc_free(doc);
    return 1;
}

/* xml.find(node, "Body/inquiryResult/currency") */
static int l_find(lua_State *L) {
    struct str path = check_str(L, 2), name;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    while (path.n != 0) {
        str_cut(path, '/', &name, &path);
        bool found = false;
        lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
        for (lua_Integer i = 1; i <= n && !found; i++) {
            if (lua_rawgeti(L, 1, i) == LUA_TTABLE) {
                lua_pushliteral(L, "name");
                lua_rawget(L, -2);
                struct str own = {0};
                if (lua_type(L, -1) == LUA_TSTRING) own.p = lua_tolstring(L, -1, &own.n);
                found = str_eq(own, name);
                lua_pop(L, 1);
            }
            if (found) lua_replace(L, 1);
            lua_settop(L, 1);
        }
        if (!found) return 0;
    }
    return 1;
}

/* ---- writing ---- */

static void put_escaped(struct lua_out *o, struct str s) {
    if (s.n > XML_OUT_MAX) luaL_error(o->L, "xml.encode: a text is too long");
    struct buf room = lua_out_room(o, s.n * 6);
    if (xml_escape(s, &room) != 0) luaL_error(o->L, "xml.encode: a text holds what XML cannot");
    lua_out_took(o, &room);
}

/* The field of the table at index, as text; false: absent. Pushes one value. */
static bool field(lua_State *L, int index, const char *name, struct str *out) {
    lua_pushstring(L, name);
    int type = lua_rawget(L, index);
    if (type == LUA_TNIL) return false;
    if (type != LUA_TSTRING && !lua_isinteger(L, -1))
        luaL_error(L, "xml.encode: %s: a string or an integer expected", name);
    out->p = lua_tolstring(L, -1, &out->n);
    return true;
}

static void put_attrs(struct lua_out *o, int index) {
    lua_State *L = o->L;
    lua_pushliteral(L, "attrs");
    if (lua_rawget(L, index) == LUA_TTABLE) {
        int attrs = lua_gettop(L);
        size_t n = count_names(L, attrs, "xml.encode: attribute names are strings");
        const struct str *names = sorted_names(L, attrs, n);
        struct str value = {0};
        for (size_t i = 0; i < n; i++) {
            if (!xml_is_name(names[i])) luaL_error(L, "xml.encode: bad attribute name");
            field(L, attrs, names[i].p, &value);
            lua_out_add(o, STR(" "));
            lua_out_add(o, names[i]);
            lua_out_add(o, STR("=\""));
            put_escaped(o, value);
            lua_out_add(o, STR("\""));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void put_node(struct lua_out *o, int depth) {
    lua_State *L = o->L;
    luaL_checkstack(L, 12, "xml");
    if (lua_type(L, -1) != LUA_TTABLE) luaL_error(L, "xml.encode: a node is a table");
    if (depth == XML_DEPTH) luaL_error(L, "xml.encode: nested too deep");
    co_check(L);
    const int node = lua_gettop(L);
    struct str name = {0}, text = {0};
    if (!field(L, node, "name", &name) || !xml_is_name(name))
        luaL_error(L, "xml.encode: a node needs a name of letters, digits, - . _ and one colon");
    lua_out_add(o, STR("<"));
    lua_out_add(o, name);
    put_attrs(o, node);
    bool has_text = field(L, node, "text", &text) && text.n != 0;
    lua_Integer n = (lua_Integer)lua_rawlen(L, node);
    if (!has_text && n == 0) {
        lua_out_add(o, STR("/>"));
    } else {
        lua_out_add(o, STR(">"));
        put_escaped(o, text);
        for (lua_Integer i = 1; i <= n; i++) {
            lua_rawgeti(L, node, i);
            put_node(o, depth + 1);
            lua_pop(L, 1);
        }
        lua_out_add(o, STR("</"));
        lua_out_add(o, name);
        lua_out_add(o, STR(">"));
    }
    lua_settop(L, node);
}

static int l_encode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    bool bare = lua_toboolean(L, 2);
    struct lua_out o;
    lua_out_init(&o, L, "xml.encode", XML_OUT_MAX * 8);
    if (!bare) lua_out_add(&o, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
    lua_pushvalue(L, 1);
    put_node(&o, 0);
    if (o.len > XML_OUT_MAX) return luaL_error(L, "xml.encode: the text gets too long");
    lua_out_push(&o);
    return 1;
}

static int l_escape(lua_State *L) {
    struct lua_out o;
    struct str text = check_str(L, 1);
    lua_out_init(&o, L, "xml.escape", XML_OUT_MAX * 8);
    put_escaped(&o, text);
    lua_out_push(&o);
    return 1;
}

static const struct bind_fn FNS[] = {
    {"decode", l_decode, KINDS_ALL, "text: string -> table, string?, string?",
     "{name, ns, attrs, text, children...}; no document type, no entities but the five"},
    {"encode", l_encode, KINDS_ALL, "node: table, bare?: boolean -> string",
     "text of such a table (name with its prefix, namespaces as xmlns attributes); bare: without "
     "the declaration"},
    {"find", l_find, KINDS_ALL, "node: table, path: string -> table?",
     "xml.find(envelope, \"Body/inquiryResult/currency\"): the first that fits, by local names"},
    {"escape", l_escape, KINDS_ALL, "text: string -> string", "text with & < > \" ' escaped"},
    {0},
};

const struct bind_module bind_xml = {"xml", "XML as tables", FNS, NULL};
