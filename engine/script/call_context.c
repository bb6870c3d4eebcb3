/* The context of a call: which provider it is, and with that which hosts, keys and durable state.
 */
#include "script/dispatch_private.h"
#include "script/manifest.h"

/* The declared host for this environment; in simulated mode every declared host is our simulator,
 * so any of them will do as the allow-list. */
static void set_hosts(struct call_context *c, const struct manifest *m) {
    if (c->services->simulated) {
        for (size_t i = 0; i < m->hosts.count && c->host_count < CONTEXT_HOSTS_MAX; i++)
            c->hosts[c->host_count++] = m->hosts.at[i].value;
        return;
    }
    const char *host = manifest_pair(&m->hosts, c->services->environment);
    if (host != NULL) c->hosts[c->host_count++] = host;
}

void call_context_init(struct call_context *c, const struct script_services *services,
                       const struct version *version, struct str account) {
    const struct manifest *m = version->manifest;
    *c = (struct call_context){
        .services = services, .serial = dispatch_serial(), .version = version};
    if (m != NULL && m->provider != NULL && (version->kind & KINDS_CAGED) != 0)
        c->provider = str_of(m->provider);
    if (version->kind == KIND_SANDBOX) c->scope = SCOPE_SIMULATOR;
    c->account = account.n != 0 ? account : c->provider;
    if (m != NULL) set_hosts(c, m);
    c->http.transport = services->transport;
    c->http.hosts = c->hosts;
    c->http.rng = services->rng;
    c->http.private_ok = services->simulated;
    c->http.label = str_of(version->name);
}
