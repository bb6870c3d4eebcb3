/* The caged versions of the standard functions, declared to scripts in bind_base.c. */
#ifndef LUWAK_SCRIPT_CAGE_H
#define LUWAK_SCRIPT_CAGE_H

#include "script/bind.h"

#include <stdbool.h>

#define CAGE_STD        "luwak.std" /* registry: the standard library while bind_open runs */
#define CAGE_TEXT_MAX   (64u << 10) /* subject of a pattern */
#define CAGE_RESULT_MAX (1u << 20)  /* what string and table functions make */
#define CAGE_ITEMS_MAX  (1 << 18)   /* elements a table function touches */
#define CAGE_STEPS_MAX  200000      /* steps of one pattern match */

/* Puts the private string metatable in place: no arithmetic on strings, locked. */
void cage_strings(lua_State *L, int env);
/* Pushes a built-in module that `kind` may require; false: there is none, nothing pushed. */
bool cage_builtin(lua_State *L, const char *name, enum script_kind kind);

/* Tells the budget that C work of n small steps was done: the hook looks soon when it was much. */
void cage_spent(lua_State *L, size_t n);
/* Inside long C work: raises when the budget is used up; true: the slice is, and the function
 * should return lua_yieldk(L, 0, ...) with a continuation that goes on. */
bool co_pause_due(lua_State *L);
/* Raises when the call is already condemned. */
void cage_enter(lua_State *L);

int cage_pcall(lua_State *L);
int cage_setmetatable(lua_State *L);
int cage_getmetatable(lua_State *L);
int cage_tostring(lua_State *L);
int cage_next(lua_State *L);
int cage_pairs(lua_State *L);
int cage_sorted(lua_State *L);
int cage_random(lua_State *L);

int cage_rep(lua_State *L);
int cage_format(lua_State *L);
int cage_pack(lua_State *L);
int cage_find(lua_State *L);
int cage_match(lua_State *L);
int cage_gmatch(lua_State *L);
int cage_gsub(lua_State *L);

int cage_concat(lua_State *L);
int cage_insert(lua_State *L);
int cage_remove(lua_State *L);
int cage_move(lua_State *L);
int cage_unpack(lua_State *L);
int cage_sort(lua_State *L);

#endif
