/* say: how a one-off script speaks to the person who runs it. Lines go to standard output; progress
 * goes to standard error: a bar where that is a terminal, a plain line at each tenth (each thousand
 * while the total is not known) where it is not. The bar leaves the cursor at its line's start, so
 * whatever is printed next takes its place. */
#include "script/bind.h"
#include "script/context.h"
#include "script/tool.h"

#include <inttypes.h>

enum { BAR_MS = 80, BAR_MAX = 40, OPEN_STEP = 1000 };

static void bar_clear(struct say *say) {
    if (say->bar) fputs("\033[K", say->err);
    if (say->bar) fflush(say->err);
    say->bar = false;
}

void say_line(struct say *say, struct str text) {
    bar_clear(say);
    fwrite(text.p == NULL ? "" : text.p, 1, text.n, say->out);
    fputc('\n', say->out);
    if (say->terminal) fflush(say->out);
}

static void bar_draw(struct say *say, int64_t n, int64_t total) {
    char bar[BAR_MAX + 1] = "";
    int width = say->width - 40 > BAR_MAX ? BAR_MAX : say->width - 40;
    if (total > 0 && width > 4) {
        int full = (int)((n < total ? n : total) * width / total);
        memset(bar, '#', (size_t)full);
        memset(bar + full, '.', (size_t)(width - full));
        bar[width] = '\0';
        fprintf(say->err, "[%s] %3d %%  %" PRId64 " of %" PRId64 "\033[K\r", bar,
                (int)((n < total ? n : total) * 100 / total), n, total);
    } else if (total > 0) {
        fprintf(say->err, "%" PRId64 " of %" PRId64 "\033[K\r", n, total);
    } else {
        fprintf(say->err, "%" PRId64 " ...\033[K\r", n);
    }
    fflush(say->err);
    say->bar = true;
}

void say_progress(struct say *say, int64_t n, int64_t total, uint64_t now_ms) {
    if (say->terminal) {
        if (say->bar && now_ms - say->drawn < BAR_MS && n != total) return;
        say->drawn = now_ms;
        bar_draw(say, n, total);
        return;
    }
    int64_t step = total > 0 ? n * 10 / total : n / OPEN_STEP;
    if (step <= say->said) return;
    say->said = step;
    fflush(say->out);
    if (total > 0)
        fprintf(say->err, "%" PRId64 " of %" PRId64 "\n", n, total);
    else
        fprintf(say->err, "%" PRId64 " ...\n", n);
}

void say_end(struct say *say) {
    bar_clear(say);
    fflush(say->out);
    fflush(say->err);
}

static struct say *say_of(lua_State *L) {
    const struct call_context *c = context_of(L);
    if (c->say == NULL) luaL_error(L, "say: only inside `luwak run`");
    return c->say;
}

static int l_line(lua_State *L) {
    struct str text;
    text.p = luaL_tolstring(L, 1, &text.n);
    say_line(say_of(L), text);
    return 0;
}

static int l_progress(lua_State *L) {
    lua_Integer n = luaL_checkinteger(L, 1), total = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, n >= 0 && n <= INT64_MAX / 100, 1, "from 0 on");
    luaL_argcheck(L, total >= 0 && total <= INT64_MAX / 100, 2, "from 0 on");
    const struct call_context *c = context_of(L);
    say_progress(say_of(L), n, total, (uint64_t)clock_mono_ms(c->services->clock));
    return 0;
}

static const struct bind_fn FNS[] = {
    {"line", l_line, KIND_TOOL, "text: any", "a line for the person; say \"text\" is the same"},
    {"progress", l_progress, KIND_TOOL, "n: integer, total?: integer",
     "how far it is: a bar on a terminal, a line at each tenth elsewhere"},
    {0},
};
const struct bind_module bind_say = {"say", "speaks to who runs the script", FNS, NULL};
