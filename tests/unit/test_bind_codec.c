/* The bindings of the codecs, driven by Lua. Each piece of Lua below asserts for itself; a failed
 * assertion fails the test with its line. */
#include "base/json.h"
#include "base/mem.h"
#include "script/bind.h"
#include "script/bind_secret.h"
#include "unit.h"

#include <lualib.h>
#include <stdio.h>

extern const struct bind_module bind_json, bind_cjson, bind_money, bind_time, bind_form, bind_csv,
    bind_xml;
static const struct bind_module *const MODULES[] = {
    &bind_json, &bind_cjson, &bind_money, &bind_time, &bind_form, &bind_csv, &bind_xml};

static size_t lua_bytes, lua_cap;

static void *capped(void *ud, void *ptr, size_t old, size_t now) {
    (void)ud;
    size_t was = ptr == NULL ? 0 : old;
    if (now == 0) {
        lua_bytes -= was;
        mem_free(ptr);
        return NULL;
    }
    if (lua_cap != 0 && now > was && lua_bytes - was + now > lua_cap) return NULL;
    void *block = mem_realloc(ptr, now);
    if (block != NULL) lua_bytes += now - was;
    return block;
}

static void open_modules(lua_State *L) {
    for (size_t m = 0; m < sizeof MODULES / sizeof *MODULES; m++) {
        const struct bind_type *type = MODULES[m]->types;
        for (; type != NULL && type->name != NULL; type++)
            type->open(L);
        lua_newtable(L);
        for (const struct bind_fn *f = MODULES[m]->fns; f->name != NULL; f++) {
            CHECK(f->sig != NULL && f->doc != NULL && f->kinds != 0);
            lua_pushcfunction(L, f->fn);
            if (strncmp(f->sig, "value", 5) == 0) lua_call(L, 0, 1);
            lua_setfield(L, -2, f->name);
        }
        lua_setglobal(L, MODULES[m]->name);
    }
    lua_settop(L, 0);
}

/* What Lua tests use: eq(got, wanted), fails(text, function), bad(code, nil, text, code). */
static const char PRELUDE[] =
    "function eq(a, b) if a ~= b or math.type(a) ~= math.type(b) then error(('got %s, wanted "
    "%s'):format(tostring(a), tostring(b)), 2) end end\n"
    "function fails(text, f, ...) local ok, e = pcall(f, ...) if ok or not tostring(e):find(text, "
    "1, true) then error(('wanted an error with \"%s\", got %s'):format(text, tostring(e)), 2) end "
    "end\n"
    "function bad(code, v, text, got) if v ~= nil or type(text) ~= 'string' or got ~= code then "
    "error(('wanted %s, got %s %s'):format(code, tostring(v), tostring(got)), 2) end end\n";

static lua_State *new_state(void) {
    lua_bytes = lua_cap = 0;
    lua_State *L = lua_newstate(capped, NULL);
    CHECK(L != NULL);
    *(void **)lua_getextraspace(L) = NULL; /* no call is running */
    luaL_openlibs(L);
    open_modules(L);
    CHECK_OK(luaL_dostring(L, PRELUDE));
    return L;
}

static void run(const char *code) {
    int64_t live = mem_live();
    lua_State *L = new_state();
    if (luaL_newmetatable(L, SECRET_TYPE)) lua_pop(L, 1);
    lua_newuserdatauv(L, 8, 0);
    luaL_setmetatable(L, SECRET_TYPE);
    lua_setglobal(L, "a_secret");
    lua_pushstring(L, unit_tmpdir());
    lua_setglobal(L, "tmpdir");
    int top = lua_gettop(L);
    if (luaL_dostring(L, code) != 0) fail_msg("%s", lua_tostring(L, -1));
    CHECK(lua_gettop(L) <= top + 1);
    lua_close(L);
    CHECK(mem_live() == live);
}

static void json_decodes(void **state) {
    (void)state;
    run("local v = json.decode '{\"a\":[1,2.50,null,true,\"x\\\\u00e9\"],\"b\":{},\"c\":[]}'\n"
        "eq(v.a[1], 1) eq(tostring(v.a[2]), '2.50') eq(v.a[3], json.null) eq(v.a[4], true)\n"
        "eq(v.a[5], 'x\\u{e9}') eq(next(v.b), nil) eq(#v.c, 0) eq(#v.a, 5)\n"
        "eq(json.encode(v), '{\"a\":[1,2.50,null,true,\"x\\u{e9}\"],\"b\":{},\"c\":[]}')\n"
        "eq(json.decode '9223372036854775807', math.maxinteger)\n"
        "eq(json.decode '-9223372036854775808', math.mininteger)\n"
        "eq(json.decode('12345678901234567890'):text(), '12345678901234567890')\n"
        "eq(json.encode{n = json.decode '72500.00'}, '{\"n\":72500.00}')\n"
        "eq(json.decode 'null', json.null) eq(json.decode 'false', false)\n"
        "bad('E_SYNTAX', json.decode '{\"a\":1,\"a\":2}')\n"
        "bad('E_SYNTAX', json.decode '{\"a\":1,\"\\\\u0061\":null}')\n"
        "bad('E_SYNTAX', json.decode '{\"a\":null,\"a\":2}')\n"
        "bad('E_SYNTAX', json.decode '[1,]') bad('E_SYNTAX', json.decode '')\n"
        "bad('E_LIMIT', json.decode(('['):rep(65))) bad('E_LIMIT', json.decode('123', {size = "
        "2}))\n"
        "bad('E_LIMIT', json.decode('[[1]]', {depth = 1}))\n"
        "assert(json.decode(('['):rep(300) .. (']'):rep(300), {depth = 300}))\n"
        "local l = json.decode('{\"a\":1,\"a\":2,\"x\":\"{\"k\":1}\"}', {lenient = true})\n"
        "eq(l.a, 2) eq(l.x, '{\"k\":1}')\n"
        "fails('options are', json.decode, '1', {lenien = true}) fails('string', json.decode, 12)\n"
        "fails('options are', json.decode, '1', {depth = 513})\n"
        "local _, text = json.decode('{\\n1') eq(text, 'json: line 2, column 1: a key must stand "
        "here')\n");
}

static void json_encodes(void **state) {
    (void)state;
    run("eq(json.encode{b = 1, a = 2, ['c\\n'] = {1, 2, {}}}, "
        "'{\"a\":2,\"b\":1,\"c\\\\n\":[1,2,{}]}')\n"
        "eq(json.encode(json.array{}), '[]') eq(json.encode(json.array()), '[]')\n"
        "eq(json.encode(json.object{}), '{}') eq(json.encode{}, '{}') eq(json.encode{{}}, '[{}]')\n"
        "eq(json.encode(json.number '1.50'), '1.50') bad('E_SYNTAX', json.number '01')\n"
        "eq(json.encode{json.raw '{\"z\": 1}'}, '[{\"z\": 1}]') bad('E_SYNTAX', json.raw '{')\n"
        "eq(json.encode(1.5), '1.5') eq(json.encode(0.1), '0.1') eq(json.encode(2^53), "
        "'9007199254740992')\n"
        "eq(json.encode(0.1 + 0.2), '0.30000000000000004') eq(json.encode(math.mininteger), "
        "'-9223372036854775808')\n"
        "eq(json.encode 'a\"\\0\\x7f', '\"a\\\\\"\\\\u0000\\x7f\"')\n"
        "fails('.a.b[2]: a secret cannot', json.encode, {a = {b = {1, a_secret}}})\n"
        "fails('the value: a secret', json.encode, a_secret)\n"
        "fails('not a finite', json.encode, 0/0) fails('not a finite', json.encode, {1/0})\n"
        "fails('not UTF-8', json.encode, '\\xff') fails('not UTF-8', json.encode, {['\\xff'] = "
        "1})\n"
        "fails('string keys', json.encode, {1, a = 2}) fails('holes', json.encode, {[2] = 1})\n"
        "fails('holes', json.encode, {1, nil, 3}) fails('holes', json.encode, {[1.5] = 1})\n"
        "fails('holes', json.encode, {1, 2, nil, 4, [true] = 1})\n"
        "fails('no strings', json.encode, json.object{1}) fails('string keys', json.encode, "
        "json.array{a = 1})\n"
        "fails('function', json.encode, print) fails('nil cannot', json.encode, nil)\n"
        "fails('cannot be encoded', json.encode, io.stdout)\n"
        "local t = {} t.t = t fails('nested too deep', json.encode, t)\n"
        "fails('too long', json.encode, ('x'):rep(2^20))\n"
        "eq(#json.encode(('x'):rep(2^20), {size = 1 << 21}), (1 << 20) + 2)\n"
        "fails('has a metatable', json.array, setmetatable({}, {}))\n"
        "eq(json.number '1.0' == json.number '1.0', true) eq(json.number '1' == json.number "
        "'1.0', false)\n"
        "eq(getmetatable(json.array{}), 'json.array') fails('protected', setmetatable, "
        "json.array{}, {})\n"
        "local n = 0 local v = setmetatable({1}, {__index = function() n = n + 1 end, __len = "
        "function() n = n + 1 return 9 end}) eq(json.encode(v), '[1]') eq(n, 0)\n");
}

/* What a script gets back from what it wrote is what it had. */
static void json_round_trips(void **state) {
    (void)state;
    run("local seed = 7 local function r(n) seed = (seed * 1103515245 + 12345) % 2147483648 return "
        "(seed >> 8) % n + 1 end\n"
        "local function same(a, b) if type(a) ~= 'table' then return a == b and math.type(a) == "
        "math.type(b) end for k, v in pairs(a) do if not same(v, b[k]) then return false end end "
        "for k in pairs(b) do if a[k] == nil then return false end end return true end\n"
        "local function make(depth) local k = r(depth > 0 and 7 or 5)\n"
        " if k == 1 then return json.null elseif k == 2 then return r(2) == 1\n"
        " elseif k == 3 then return (r(1 << 20) - (1 << 19)) * r(1 << 30) * r(1 << 12)\n"
        " elseif k == 4 then return json.number(('%d.%d'):format(r(1000), r(1000)))\n"
        " elseif k == 5 then local s = {} for i = 1, r(12) do s[i] = utf8.char(r(55000) - 1) end "
        "return table.concat(s)\n"
        " elseif k == 6 then local t = json.array{} for i = 1, r(6) - 1 do t[i] = make(depth - 1) "
        "end return t end\n"
        " local t = {} for i = 1, r(6) - 1 do t['k' .. r(99)] = make(depth - 1) end return t end\n"
        "for i = 1, 500 do local v = make(5) local text = json.encode(v) local back = "
        "json.decode(text)\n"
        " assert(same(v, back), text) eq(json.encode(back), text) end\n");
}

/* Debian's lua-cjson, on what both must agree about: everything but numbers and empty arrays. */
static void json_agrees_with_the_package(void **state) {
    (void)state;
    run("local ours = json package.loaded.cjson = nil local ok, theirs = pcall(require, 'cjson')\n"
        "assert(ok, 'the package lua-cjson is missing: ' .. tostring(theirs))\n"
        "local texts = {'{\"a\":\"b\"}', '[\"x\",true,false,null]', '{\"k\":[\"\\\\u00e9\","
        "\"\\\\ud83d\\\\ude00\",\"\\\\n\\\\t\\\\\\\\\\\\\"\"]}', '[[[\"deep\"]]]', '[1,2,3]'}\n"
        "for _, text in ipairs(texts) do\n"
        " local a, b = ours.decode(text), theirs.decode(text)\n"
        " local function same(x, y) if type(x) ~= 'table' then return x == y end for k, v in "
        "pairs(x) do if not same(v, y[k]) then return false end end for k in pairs(y) do if x[k] "
        "== nil then return false end end return true end\n"
        " assert(same(a, b), text) assert(same(ours.decode(theirs.encode(b)), a), text)\n"
        " assert(same(theirs.decode(ours.encode(a)), b), text) end\n"
        "for _, text in ipairs{'', '{', '[1', '{\"a\"}', '[1,]', 'nul', '\"\\\\x\"', '[1 2]', "
        "'\"\\\\ud800\"', '1 2'} do\n"
        " assert(not pcall(theirs.decode, text), text) eq(ours.decode(text), nil) end\n"
        "for _, s in ipairs{'plain', 'q\"\\\\', '\\n\\r\\t\\b\\f', '\\u{e9}\\u{20ac}\\u{1f600}'} "
        "do "
        "eq(theirs.decode(ours.encode(s)), s) eq(ours.decode(theirs.encode(s)), s) end\n");
}

static void cjson_names_are_there(void **state) {
    (void)state;
    run("eq(cjson.encode{a = cjson.null, b = cjson.empty_array}, '{\"a\":null,\"b\":[]}')\n"
        "eq(cjson.decode('{\"a\":150000}').a, 150000) eq(cjson.null, json.null)\n"
        "fails('json: line 1', cjson.decode, '{') fails('secret', cjson.encode, {a_secret})\n");
    for (const struct bind_fn *f = bind_cjson.fns; f->name != NULL; f++)
        CHECK((f->kinds & KINDS_TRUSTED) == 0);
}

static void json_stays_inside_the_cap(void **state) {
    (void)state;
    static const char *const CODES[] = {
        "return json.encode(('x'):rep(1 << 20), {size = 1 << 30})",
        "local t = {} for i = 1, 20000 do t[i] = 'abcdefgh' .. i end return json.encode(t)",
        "return json.decode('[' .. ('[],'):rep(60000) .. '1]')",
        "return json.decode('\"' .. ('\\\\n'):rep(400000) .. '\"')",
        "return form.encode{a = ('%'):rep(300000)}",
        "local t = {} for i = 1, 9000 do t[i] = {'aaaaaaaaaaaaaaaa', i} end return csv.encode(t)"};
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++) {
        int64_t live = mem_live();
        lua_State *L = new_state();
        CHECK_OK(luaL_loadstring(L, CODES[i]));
        lua_cap = lua_bytes + (1 << 20) + (1 << 19);
        CHECK_INT(lua_pcall(L, 0, 1, 0), LUA_ERRMEM);
        lua_cap = 0;
        lua_close(L);
        CHECK(mem_live() == live);
    }
}

static void every_failed_allocation_is_survived(void **state) {
    (void)state;
    static const char CODE[] =
        "local v = json.decode '{\"a\":[1,2.5,\"\\\\n\",{}],\"b\":null}' json.encode(v)\n"
        "json.encode(json.raw '[1]') form.encode(form.decode 'a=1&b=%20') form.cookies 'a=1'\n"
        "for row in csv.parse 'a,b\\n1,2\\n' do csv.encode{row} end\n"
        "local x = xml.decode '<a b=\"1\">t<c/></a>' if x then xml.encode(x) end\n"
        "money.format(1, 'USD') money.split(10, {1, 2}) time.format(0)\n";
    bool failed = true;
    int nth = 1, good = 0;
    for (; failed; nth++) {
        int64_t live = mem_live();
        lua_State *L = new_state();
        CHECK_OK(luaL_loadstring(L, CODE));
        mem_fail_at((uint64_t)nth, 0);
        if (lua_pcall(L, 0, 0, 0) == 0) good++;
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        lua_close(L);
        CHECK(mem_live() == live);
        CHECK(nth < 5000);
    }
    CHECK(good > 0 && nth > 100);
}

static void money_is_exact(void **state) {
    (void)state;
    run("eq(money.parse('150000.00', 'IDR'), 150000) eq(money.parse(json.decode '72500.00', "
        "'IDR'), 72500)\n"
        "bad('E_RANGE', money.parse('1.5', 'IDR')) bad('E_SYNTAX', money.parse('x', 'IDR'))\n"
        "fails('currency', money.parse, '1', 'XYZ') fails('string', money.parse, 1.5, 'IDR')\n"
        "eq(money.format(10000, 'IDR', 2), '10000.00') eq(money.format(-5, 'USD'), '-0.05')\n"
        "fails('currency', money.format, 1, 'XYZ') fails('integer', money.format, 1.0, 'IDR')\n"
        "fails('integer', money.format, '1', 'IDR') fails('decimals', money.format, 1, 'IDR', 10)\n"
        "eq(money.percent(150000, '0.7%', 'half_up'), 1050) eq(money.percent(100, '2.5%', "
        "'half_even'), 2)\n"
        "fails('half_up', money.percent, 1, '1%', 'floor') fails('string', money.percent, 1, "
        "'1%')\n"
        "fails('percentage', money.percent, 1, '1', 'up')\n"
        "fails('too large', money.percent, math.maxinteger, '200%', 'up')\n"
        "eq(money.ratio(10, 1, 3, 'up'), 4) fails('range', money.ratio, 1, 1, 0, 'up')\n"
        "local p = money.split(100, 3) eq(p[1], 34) eq(p[2], 33) eq(p[3], 33) eq(#p, 3)\n"
        "p = money.split(7, {50, 30, 20}) eq(p[1], 4) eq(p[2], 2) eq(p[3], 1)\n"
        "fails('weights', money.split, 1, {0}) fails('parts', money.split, 1, {}) fails('weights', "
        "money.split, 1, {1.5}) fails('parts', money.split, 1, 10001)\n"
        "eq(money.add(1, 2, 3), 6) eq(money.sub(1, 2), -1) eq(money.mul(3, 4), 12)\n"
        "fails('too large', money.add, math.maxinteger, 1) fails('too large', money.sub, "
        "math.mininteger, 1) fails('too large', money.mul, math.maxinteger, 2)\n"
        "eq(money.decimals 'USD', 2)\n");
}

static void time_is_read_and_written(void **state) {
    (void)state;
    run("local t = time.parse '2026-01-31T10:00:00+07:00' eq(t, 1769828400000)\n"
        "eq(time.format(t), '2026-01-31T10:00:00.000+07:00') eq(time.format(t, 'rfc3339', 'UTC'), "
        "'2026-01-31T03:00:00.000+00:00')\n"
        "eq(time.parse('2026-01-31 10:00:00', 'datetime'), t) eq(time.parse('20260131030000', "
        "'compact', 'UTC'), t)\n"
        "eq(time.format(t, '%d/%m/%y %H.%M'), '31/01/26 10.00')\n"
        "bad('E_RANGE', time.parse('2026-02-29', 'date')) bad('E_SYNTAX', time.parse('x'))\n"
        "fails('format', time.parse, '1', '%q') fails('format', time.format, 1, '%q')\n"
        "fails('zone', time.format, 1, 'date', 'Mars') fails('too long', time.format, 1, "
        "('x'):rep(200)) fails('range', time.format, math.maxinteger)\n"
        "eq(time.day(1769878800000 - 1), '2026-01-31') eq(time.day(1769878800000), '2026-02-01')\n"
        "eq(time.day_start '2026-02-01', 1769878800000) eq(time.add_days('2026-02-28', 1), "
        "'2026-03-01')\n"
        "eq(time.weekday '2026-02-01', 7) eq(time.weekday(t), 6) eq(time.duration '1h30m', "
        "5400000)\n"
        "bad('E_SYNTAX', time.duration '5 s') bad('E_SYNTAX', time.day_start '1/2/2026')\n"
        "local p = time.parts(t) eq(p.year, 2026) eq(p.hour, 10) eq(p.weekday, 6)\n"
        "fails('loaded', time.now)\n");
    for (const struct bind_fn *f = bind_time.fns; f->name != NULL; f++)
        CHECK(strcmp(f->name, "now") != 0 || (f->kinds & KIND_RULE) == 0);
}

static void forms_csv_and_xml(void **state) {
    (void)state;
    run("local f = form.decode 'a=1+2&b=%C3%A9&c' eq(f.a, '1 2') eq(f.b, '\\u{e9}') eq(f.c, '')\n"
        "bad('E_SYNTAX', form.decode 'a=%zz') bad('E_SYNTAX', form.decode 'a=1&a=2')\n"
        "bad('E_LIMIT', form.pairs(('a&'):rep(1001))) local p = form.pairs "
        "'a=1&a=2' eq(p[2][2], '2')\n"
        "bad('E_SYNTAX', form.pairs '%')\n"
        "eq(form.encode{b = 'x y', a = 1, c = true}, 'a=1&b=x+y&c=true')\n"
        "eq(form.encode{{'b', '&'}, {'a', 2}}, 'b=%26&a=2') eq(form.encode{}, '')\n"
        "fails('b: a string', form.encode, {b = 1.5}) fails('pairs', form.encode, {'a'}) "
        "fails('names', form.encode, {[true] = 1})\n"
        "fails('b: a string', form.encode, {b = a_secret})\n"
        "eq(form.escape 'a b/\\u{e9}', 'a%20b%2F%C3%A9') eq(form.unescape 'a%20b+', 'a b+') "
        "bad('E_SYNTAX', form.unescape '%0')\n"
        "local c = form.cookies 'sid=1; bad cookie; sid=2; x=\"y\"' eq(c.sid, '1') eq(c.x, 'y')\n");
    run("local f = io.open(tmpdir .. '/t.csv', 'wb') f:write "
        "'id,name\\r\\n1,\"a,\"\"b\"\\r\\n2,\\n' "
        "f:close()\n"
        "local n = 0 for row in csv.rows(tmpdir .. '/t.csv') do n = n + 1 eq(row.id, "
        "tostring(n)) eq(row[1], row.id) if n == 1 then eq(row.name, 'a,\"b') else eq(row.name, "
        "'') end end eq(n, 2)\n"
        "bad('E_NOTFOUND', csv.rows(tmpdir .. '/none')) n = 0\n"
        "for row in csv.parse('1;2\\n3;4', {header = false, separator = ';'}) do n = n + #row end "
        "eq(n, 4)\n"
        "fails('header has 2', function() for _ in csv.parse 'a,b\\n1\\n' do end end)\n"
        "fails('line 2', function() for _ in csv.parse 'a,b\\n1,\"x\"y\\n' do end end)\n"
        "fails('options', csv.parse, '', {sep = ';'})\n"
        "eq(csv.encode{{1, '=SUM(A1)', '-5', 'a,b'}, {'@x', true}}, "
        "'1,\\'=SUM(A1),-5,\"a,b\"\\r\\n\\'@x,true\\r\\n')\n"
        "fails('a cell is', csv.encode, {{1.5}}) fails('lists', csv.encode, {1})\n"
        "for _ in csv.parse '' do error 'no row' end\n"
        "local it = csv.parse 'a\\n1\\n' it() eq(it(), nil) eq(it(), nil)\n");
    run("local x = xml.decode '<s:E xmlns:s=\"u\"><s:Body id=\"7\"><r>36<b/>0 "
        "&amp;</r></s:Body></s:E>'\n"
        "eq(x.name, 'E') eq(x.ns, 'u') eq(xml.find(x, 'Body/r').text, '360 &') eq(x[1].attrs.id, "
        "'7') eq(xml.find(x, 'Body/none'), nil)\n"
        "bad('E_DENIED', xml.decode '<!DOCTYPE a><a/>') bad('E_SYNTAX', xml.decode '<a>&x;</a>')\n"
        "bad('E_SYNTAX', xml.decode '<a>') bad('E_LIMIT', xml.decode(('<a>'):rep(65)))\n"
        "eq(xml.encode({name = 's:E', attrs = {b = '<', a = 1}, {name = 'c', text = 'x&y'}, {name "
        "= 'd'}}, true), '<s:E a=\"1\" b=\"&lt;\"><c>x&amp;y</c><d/></s:E>')\n"
        "fails('name', xml.encode, {name = '1'}) fails('attribute', xml.encode, {name = 'a', attrs "
        "= {['x y'] = 1}}) fails('XML cannot', xml.encode, {name = 'a', text = '\\1'})\n"
        "fails('text', xml.encode, {name = 'a', text = a_secret})\n"
        "local t = {name = 'a'} t[1] = t fails('nested', xml.encode, t) eq(xml.escape '<', "
        "'&lt;')\n");
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(json_decodes),
    cmocka_unit_test(json_encodes),
    cmocka_unit_test(json_round_trips),
    cmocka_unit_test(json_agrees_with_the_package),
    cmocka_unit_test(cjson_names_are_there),
    cmocka_unit_test(json_stays_inside_the_cap),
    cmocka_unit_test(every_failed_allocation_is_survived),
    cmocka_unit_test(money_is_exact),
    cmocka_unit_test(time_is_read_and_written),
    cmocka_unit_test(forms_csv_and_xml),
};
UNIT_MAIN("bind_codec", TESTS)
