/* What the loaded configuration says, and how it is shown. */
#include "base/ensure.h"
#include "base/mem.h"
#include "sys/config.h"
#include "sys/config_private.h"
#include "sys/demo_key.h"

#include <ctype.h>

/* What simulated mode uses for keys that nobody set: the simulators know these. */
static const struct {
    const char *key, *value;
} DEMO_KEYS[] = {
    {"MIDTRANS_SERVER_KEY", "SB-Mid-server-demo"},
    {"MIDTRANS_CLIENT_KEY", "SB-Mid-client-demo"},
    {"XENDIT_API_KEY", "xnd_development_demo"},
    {"XENDIT_WEBHOOK_TOKEN", "xnd-callback-demo"},
    {"DOKU_CLIENT_ID", "BRN-demo"},
    {"DOKU_SECRET_KEY", "SK-demo"},
    {"DOKU_PRIVATE_KEY", DEMO_PRIVATE_KEY},
    {"DOKU_PUBLIC_KEY", DEMO_PUBLIC_KEY},
    {"DOKU_BCA_SERVICE_ID", "19008"},
    {"DOKU_MANDIRI_SERVICE_ID", "88899"},
    {"DOKU_BSI_SERVICE_ID", "60179"},
    {"DOKU_BRI_SERVICE_ID", "13925"},
    {"DOKU_BNI_SERVICE_ID", "84923"},
    {"DOKU_PERMATA_SERVICE_ID", "88560"},
    {"DOKU_CIMB_SERVICE_ID", "18990"},
    {"DOKU_DANAMON_SERVICE_ID", "89220"},
    {"DOKU_DOKU_SERVICE_ID", "18993"},
    {"DOKU_QRIS_MERCHANT_ID", "1955"},
    {"DOKU_QRIS_TERMINAL_ID", "A01"},
    {"DOKU_QRIS_POSTAL_CODE", "10110"},
    {"DEMO_KEY", "demo-wallet-key"},
    {"SELF_KEY", "self-demo-key"},
};

int config_check(const struct config *c, bool needs_env, struct why *why) {
    if (c->problems.count != 0) return why_set(why, E_CONFIG, "%s", c->problems.at[0]);
    if (!needs_env) return 0;
    if (config_env(c) == ENV_UNSET)
        return why_set(why, E_CONFIG,
                       "LUWAK_ENV is not set: say simulated, sandbox, staging or production, or "
                       "give --simulated");
    for (int i = 0; i < SETTING_COUNT && config_env(c) != ENV_SIMULATED; i++) {
        if ((SETTINGS[i].flags & SETTING_NEEDED) != 0 && !config_given(c, i))
            return why_set(why, E_CONFIG, "%s is not set, and LUWAK_ENV=%s needs it: %s",
                           SETTINGS[i].name, config_text(c, SET_LUWAK_ENV), SETTINGS[i].doc);
    }
    return 0;
}

size_t config_problem_count(const struct config *c) {
    return c->problems.count;
}
const char *config_problem(const struct config *c, size_t i) {
    return i < c->problems.count ? c->problems.at[i] : NULL;
}
size_t config_warning_count(const struct config *c) {
    return c->warnings.count;
}
const char *config_warning(const struct config *c, size_t i) {
    return i < c->warnings.count ? c->warnings.at[i] : NULL;
}

const char *config_serve_warning(const struct config *c) {
    if (config_env(c) != ENV_PRODUCTION || config_given(c, SET_LUWAK_PUBLIC_URL)) return NULL;
    return "LUWAK_PUBLIC_URL is not set: providers are told no callback URL";
}

enum luwak_env config_env(const struct config *c) {
    return c->settings[SET_LUWAK_ENV].var == NULL
               ? ENV_UNSET
               : (enum luwak_env)c->settings[SET_LUWAK_ENV].number;
}
const char *config_text(const struct config *c, enum setting_id id) {
    return c->settings[id].text;
}
int64_t config_number(const struct config *c, enum setting_id id) {
    return c->settings[id].number;
}
bool config_given(const struct config *c, enum setting_id id) {
    return c->settings[id].var != NULL;
}

bool config_staged(const struct config *c) {
    if (!config_given(c, SET_LUWAK_SCRIPTS)) return config_env(c) == ENV_PRODUCTION;
    return strcmp(config_text(c, SET_LUWAK_SCRIPTS), "staged") == 0;
}

int config_data_key(const struct config *c, uint8_t key[32]) {
    if (config_given(c, SET_LUWAK_DATA_KEY))
        return key32_parse(str_of(config_text(c, SET_LUWAK_DATA_KEY)), key);
    if (config_env(c) != ENV_SIMULATED) return E_NOTFOUND;
    memcpy(key, "simulated mode: no secret at all", 32);
    return 0;
}

int config_provider(const struct config *c, const char *provider, const char *key,
                    const char **out) {
    size_t n = strlen(provider);
    *out = NULL;
    if (n == 0 || strcmp(provider, "luwak") == 0 || strcmp(provider, "payment") == 0)
        return E_DENIED;
    for (size_t i = 0; i < n; i++) {
        if (key[i] == '\0' || key[i] != (char)toupper((unsigned char)provider[i])) return E_DENIED;
    }
    if (key[n] != '_' || key[n + 1] == '\0') return E_DENIED;
    const struct var *v = config_find(c, str_of(key));
    if (v != NULL) {
        *out = v->value;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(DEMO_KEYS) && config_env(c) == ENV_SIMULATED; i++) {
        if (strcmp(DEMO_KEYS[i].key, key) != 0) continue;
        *out = DEMO_KEYS[i].value;
        return 0;
    }
    if (config_env(c) != ENV_SIMULATED) return E_NOTFOUND;
    *out = "demo"; /* a channel that was dropped in a minute ago works in simulated mode at once */
    return 0;
}

/* ---- shown ---- */

static void add_origin(const struct config *c, const struct var *v, struct buf *out) {
    switch (v->origin) {
    case FROM_ENVIRONMENT: buf_adds(out, "environment"); break;
    case FROM_CREDENTIAL: buf_adds(out, "credential"); break;
    case FROM_FILE: buf_addf(out, "%s:%d", c->env_file, v->line); break;
    case FROM_ALIAS: buf_addf(out, "as %s", v->label); break;
    case FROM_OPTION: buf_addf(out, "option --%s", v->label); break;
    }
}

static void add_row(struct buf *out, const char *name, const char *value) {
    buf_addf(out, "%-24s %-32s ", name, value);
}

static const char *default_shown(const struct config *c, int id) {
    if (id == SET_LUWAK_SCRIPTS) return config_staged(c) ? "staged" : "auto";
    return SETTINGS[id].fallback == NULL ? "-" : SETTINGS[id].fallback;
}

/* A variable that is no setting but a provider's: what .env, credentials and aliases bring, and of
 * the environment what carries the name of a provider that we have demo keys for. */
static bool is_provider_key(const struct var *v) {
    if (v->state != VAR_DONE || config_setting_of(str_of(v->name)) >= 0) return false;
    if (v->origin != FROM_ENVIRONMENT) return true;
    for (size_t i = 0; i < ARRAY_LEN(DEMO_KEYS); i++) {
        size_t n = strcspn(DEMO_KEYS[i].key, "_") + 1;
        if (strncmp(DEMO_KEYS[i].key, v->name, n) == 0) return true;
    }
    return false;
}

const char *config_key_given(const struct config *c, size_t nth) {
    for (size_t i = 0; i < c->var_count; i++) {
        if (!is_provider_key(&c->vars[i]) || c->vars[i].origin == FROM_ALIAS) continue;
        if (nth-- == 0) return c->vars[i].name;
    }
    return NULL;
}

void config_print(const struct config *c, struct buf *out) {
    for (int id = 0; id < SETTING_COUNT; id++) {
        const struct var *v = c->settings[id].var;
        bool hidden = v != NULL && (SETTINGS[id].flags & SETTING_SECRET) != 0;
        add_row(out, SETTINGS[id].name,
                hidden      ? "********"
                : v != NULL ? v->value
                            : default_shown(c, id));
        if (v != NULL) {
            add_origin(c, v, out);
        } else {
            buf_adds(out, strcmp(default_shown(c, id), "-") == 0 ? "not set" : "default");
        }
        buf_addc(out, '\n');
    }
    bool any = false;
    for (size_t i = 0; i < c->var_count; i++) {
        if (!is_provider_key(&c->vars[i])) continue;
        if (!any) buf_adds(out, "\nProviders' keys\n");
        any = true;
        add_row(out, c->vars[i].name, c->vars[i].value[0] == '\0' ? "-" : "********");
        add_origin(c, &c->vars[i], out);
        buf_addc(out, '\n');
    }
    for (size_t i = 0; i < ARRAY_LEN(DEMO_KEYS) && config_env(c) == ENV_SIMULATED; i++) {
        if (config_find(c, str_of(DEMO_KEYS[i].key)) != NULL) continue;
        if (!any) buf_adds(out, "\nProviders' keys\n");
        any = true;
        bool pem = DEMO_KEYS[i].value[0] == '-'; /* of many lines */
        add_row(out, DEMO_KEYS[i].key, pem ? "examples/keys/demo.pem" : DEMO_KEYS[i].value);
        buf_adds(out, "demo\n");
    }
}

void config_print_docs(struct buf *out) {
    for (int id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = &SETTINGS[id];
        buf_addf(out, "  %s  (%s", s->name, setting_kind(s));
        if (s->fallback != NULL) buf_addf(out, ", default %s", s->fallback);
        if (s->flags & SETTING_NEEDED) buf_adds(out, ", needed unless simulated");
        buf_addf(out, ")\n      %s\n", s->doc);
    }
}
