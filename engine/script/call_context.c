/* The context of a call: which provider it is, and with that which hosts, keys and durable state.
 */
#include "script/dispatch_private.h"
#include "script/grants.h"
#include "script/manifest.h"

#include <string.h>

/* The declared hosts for this environment, as far as they are granted; in simulated mode every
 * declared host is our simulator, so any of them will do as the allow-list. */
static void set_hosts(struct call_context *c, const struct manifest *m) {
    const struct script_services *s = c->services;
    for (size_t i = 0; i < m->hosts.count && c->host_count < CONTEXT_HOSTS_MAX; i++) {
        const struct manifest_pair *host = &m->hosts.at[i];
        if (!s->simulated && strcmp(host->name, s->environment) != 0) continue;
        if (!grants_have(s->grants, c->provider, "host", host->value)) continue;
        c->hosts[c->host_count++] = host->value;
    }
}

/* Trusted scripts call whom they want; a simulator calls back whoever asked it, which can only be
 * us. Private addresses stay closed to them outside simulated mode. */
static bool has_list(const struct script_services *s, const struct version *v) {
    if ((v->kind & KINDS_TRUSTED) != 0) return false;
    return v->kind != KIND_SANDBOX || !s->simulated;
}

void call_context_init(struct call_context *c, const struct script_services *services,
                       const struct version *version, struct str account) {
    const struct manifest *m = version->manifest;
    *c = (struct call_context){
        .services = services, .serial = dispatch_serial(), .version = version};
    const char *owner = manifest_owner(version);
    if (owner != NULL) c->provider = str_of(owner);
    if (version->kind == KIND_SANDBOX) c->scope = SCOPE_SIMULATOR;
    c->account = account.n != 0 ? account : c->provider;
    if (m != NULL) set_hosts(c, m);
    c->http.transport = services->transport;
    c->http.hosts = has_list(services, version) ? c->hosts : NULL;
    c->http.rng = services->rng;
    c->http.private_ok = services->simulated;
    if (m != NULL && (version->kind & (KIND_CHANNEL | KIND_BILLER)) != 0)
        c->http.max_total_ms = (uint32_t)m->timeout_ms; /* 0: 30 s, as for everybody */
    if (services->grants != NULL && c->provider.n != 0 &&
        grants_list(services->grants, c->provider, "network", c->networks, sizeof c->networks)) {
        c->http.private_ok = true;
        c->http.networks = c->networks;
    }
    c->http.label = str_of(version->name);
}
