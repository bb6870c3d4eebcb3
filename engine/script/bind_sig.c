/* bind_sig: parses the small language of signatures. See bind_docs.h. */
#include "script/bind_docs.h"

static bool name_char(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool name_valid(struct str s) {
    for (size_t i = 0; i < s.n; i++)
        if (!name_char(s.p[i])) return false;
    return s.n != 0 && !(s.p[0] >= '0' && s.p[0] <= '9');
}

static bool take_end(struct str *s, struct str end) {
    if (!str_ends(*s, end)) return false;
    *s = str_trim(str_sub(*s, 0, s->n - end.n));
    return true;
}

/* Cuts at the first `sep` that is not inside braces. */
static bool cut_outside(struct str s, char sep, struct str *head, struct str *rest) {
    int depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        depth += (s.p[i] == '{') - (s.p[i] == '}');
        if (depth != 0 || s.p[i] != sep) continue;
        *head = str_sub(s, 0, i);
        *rest = str_sub(s, i + 1, s.n);
        return true;
    }
    *head = s;
    *rest = (struct str){s.p + s.n, 0};
    return false;
}

static bool type_valid(struct str s, int depth);

/* What stands between the braces of a shape: "digest?: string, salt?: integer". */
static bool shape_valid(struct str s, int depth) {
    struct str field, name, type;
    while (s.n != 0) {
        bool more = cut_outside(s, ',', &field, &s);
        if (!cut_outside(field, ':', &name, &type) || (more && str_trim(s).n == 0)) return false;
        name = str_trim(name);
        take_end(&name, STR("?"));
        if (!name_valid(name) || !type_valid(str_trim(type), depth + 1)) return false;
    }
    return true;
}

static bool one_valid(struct str s, int depth) {
    take_end(&s, STR("?"));
    take_end(&s, STR("[]"));
    if (s.n > 1 && s.p[0] == '{' && s.p[s.n - 1] == '}' && depth < 4)
        return shape_valid(str_sub(s, 1, s.n - 1), depth);
    struct str part; /* dots for types of modules: "json.number" */
    do {
        bool dots = str_cut(s, '.', &part, &s);
        if (!name_valid(part) || (dots && s.n == 0)) return false;
    } while (s.n != 0);
    return true;
}

static bool type_valid(struct str s, int depth) {
    struct str one;
    do {
        bool more = cut_outside(s, '|', &one, &s);
        if ((more && s.n == 0) || !one_valid(one, depth)) return false;
    } while (s.n != 0);
    return true;
}

static int parse_type(struct sig_item *item, struct str text) {
    text = str_trim(text);
    if (str_eq(text, STR("..."))) text = STR("any...");
    if (take_end(&text, STR("..."))) item->many = true;
    if (take_end(&text, STR("?"))) item->optional = true;
    item->type = text;
    return type_valid(text, 0) ? 0 : E_SYNTAX;
}

static int parse_param(struct sig_item *item, struct str text) {
    struct str name, type;
    bool typed = cut_outside(text, ':', &name, &type);
    name = str_trim(name);
    if (str_eq(name, STR("..."))) {
        *item = (struct sig_item){name, STR("any"), true, true};
        return typed ? parse_type(item, type) : 0;
    }
    if (!typed) return E_SYNTAX;
    item->optional = take_end(&name, STR("?"));
    item->name = name;
    bool optional = item->optional;
    int err = name_valid(name) ? parse_type(item, type) : E_SYNTAX;
    item->optional = optional || item->optional;
    return err;
}

static int parse_list(struct sig_item *items, int *count, struct str text,
                      int (*parse)(struct sig_item *item, struct str text)) {
    text = str_trim(text);
    while (text.n != 0) {
        struct str one;
        bool more = cut_outside(text, ',', &one, &text);
        if (*count == SIG_PARAMS_MAX) return E_LIMIT;
        int err = parse(&items[(*count)++], str_trim(one));
        if (err != 0) return err;
        text = str_trim(text);
        if (more && text.n == 0) return E_SYNTAX;
    }
    return 0;
}

int sig_parse(struct sig *out, const char *text, struct why *why) {
    struct str all = str_trim(str_of(text)), params = all, results = {0};
    *out = (struct sig){0};
    ptrdiff_t arrow = str_search(all, STR("->"));
    if (arrow >= 0) {
        params = str_sub(all, 0, (size_t)arrow);
        results = str_sub(all, (size_t)arrow + 2, all.n);
    } else if (str_starts(all, STR("="))) {
        out->constant = true;
        results = str_sub(all, 1, all.n);
        params = (struct str){0};
    }
    int err = parse_list(out->params, &out->param_count, params, parse_param);
    if (err == 0) err = parse_list(out->results, &out->result_count, results, parse_type);
    if (err == 0 && arrow >= 0 && out->result_count == 0) err = E_SYNTAX;
    if (err == 0 && out->constant && out->result_count != 1) err = E_SYNTAX;
    return err == 0 ? 0 : why_set(why, err, "\"%s\" is no signature", text);
}
