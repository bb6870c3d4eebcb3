/* See own_url.h. */
#include "own_url.h"

#include <stdio.h>
#include <string.h>

static bool is_loopback(const struct url *u) {
    return strcmp(u->host, "localhost") == 0 || strcmp(u->host, "127.0.0.1") == 0 ||
           strcmp(u->host, "::1") == 0;
}

static bool is_any(const struct url *u) {
    return strcmp(u->host, "0.0.0.0") == 0 || strcmp(u->host, "::") == 0;
}

void own_url_set(struct own_url *own, const struct config *config, const char *address) {
    const char *public = config_text(config, SET_LUWAK_PUBLIC_URL);
    const char *scheme = config_text(config, SET_LUWAK_TLS_CERT) == NULL ? "http" : "https";
    if (address == NULL) address = config_text(config, SET_LUWAK_LISTEN);
    *own = (struct own_url){0};
    int n = public == NULL ? 0 : snprintf(own->text, sizeof own->text, "%s", public);
    while (n > 0 && n < (int)sizeof own->text && own->text[n - 1] == '/')
        own->text[--n] = '\0';
    if (n >= (int)sizeof own->text || url_parse(&own->given, str_of(own->text), NULL) != 0)
        own->text[0] = '\0';
    own->prefix = own->given.target.n;
    own->given.target = STR("");
    char text[160];
    snprintf(text, sizeof text, "%s://%s", scheme, address);
    if (url_parse(&own->listening, str_of(text), NULL) != 0) own->listening.host[0] = '\0';
    own->listening.target = STR("");
    if (own->text[0] != '\0' || config_env(config) != ENV_SIMULATED) return;
    if (is_any(&own->listening))
        snprintf(own->text, sizeof own->text, "%s://127.0.0.1:%u", scheme, own->listening.port);
    else
        snprintf(own->text, sizeof own->text, "%s", text);
}

bool own_url_is(const struct own_url *own, const struct url *url, struct str *path) {
    size_t prefix = 0;
    if (strcmp(url->host, OWN_SIMULATED) == 0) {
        *path = url->target;
        return true;
    }
    bool ours = own->listening.host[0] != '\0' && own->listening.port == url->port &&
                (strcmp(own->listening.host, url->host) == 0 ||
                 (is_loopback(url) && (is_any(&own->listening) || is_loopback(&own->listening))));
    if (!ours && own->given.host[0] != '\0' && url_same_origin(&own->given, url)) {
        struct str public_path =
            str_sub(str_of(own->text), strlen(own->text) - own->prefix, strlen(own->text));
        ours = str_starts(url->target, public_path);
        prefix = own->prefix;
    }
    *path = str_sub(url->target, prefix, url->target.n);
    return ours;
}
