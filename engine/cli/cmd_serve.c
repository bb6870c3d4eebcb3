/* luwak serve */
#include "base/mem.h"
#include "cli/cmd.h"
#include "engine.h"
#include "net/http_client.h"
#include "script/migration.h"
#include "serve/listen_fds.h"
#include "sys/crypto.h"
#include "sys/log.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Once per process, before the first thread. */
int cmd_setup(const struct cli_args *args, const struct config *config) {
    signal(SIGPIPE, SIG_IGN);
    umask(0077); /* the database and its copies are nobody else's */
    /* A command's own words are for its user; a server's log is for who runs it. */
    enum log_level level = (enum log_level)config_number(config, SET_LUWAK_LOG_LEVEL);
    if (args->command->run != cmd_serve && !config_given(config, SET_LUWAK_LOG_LEVEL))
        level = LOG_LEVEL_WARN;
    log_setup(level, (enum log_format)config_number(config, SET_LUWAK_LOG), STDERR_FILENO);
    if (config_env(config) == ENV_PRODUCTION)
        prctl(PR_SET_DUMPABLE, 0); /* keys stay out of cores */
    if (crypto_setup() != 0 || http_client_setup() != 0)
        return cli_fail(args, CLI_PROBLEMS, "OpenSSL or libcurl cannot be started");
    store_setup();
    migration_setup();
    return 0;
}

int cmd_tls(const struct config *config, struct tls_server **tls, struct why *why) {
    struct tls_server_options o = {.cert_file = config_text(config, SET_LUWAK_TLS_CERT),
                                   .key_file = config_text(config, SET_LUWAK_TLS_KEY),
                                   .ca_file = config_text(config, SET_LUWAK_TLS_CLIENT_CA)};
    o.require_peer = o.ca_file != NULL;
    const char *trusted = config_text(config, SET_LUWAK_CA_FILE);
    if (trusted != NULL && tls_ca_check(trusted, why) != 0)
        return why_prefix(why, "LUWAK_CA_FILE: "), E_CONFIG;
    if (o.cert_file == NULL && o.key_file == NULL) return 0;
    if (o.cert_file == NULL || o.key_file == NULL)
        return why_set(why, E_CONFIG, "LUWAK_TLS_CERT and LUWAK_TLS_KEY go together");
    return tls_server_new(tls, &o, why);
}

int cmd_serve(const struct cli_args *args) {
    struct config *config = NULL;
    int code = cli_config(args, true, &config);
    if (code == 0) code = cmd_setup(args, config);
    if (code != 0) {
        config_free(config);
        return code;
    }
    if (config_serve_warning(config) != NULL)
        cli_fail(args, 0, "warning: %s", config_serve_warning(config));
    struct why why = {0};
    struct engine *engine = NULL;
    struct engine_options o = {.config = config, .mode = ENGINE_SERVE};
    int inherited = listen_fds(&why); /* first: later those numbers may be files of ours */
    int err = inherited < 0 ? inherited : engine_new(&engine, &o, &why);
    if (err == 0) engine->inherited = inherited;
    if (err == 0) err = cmd_tls(config, &engine->tls, &why);
    if (err == 0) err = engine_serve(engine, &why);
    if (err != 0) code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    engine_delete(engine);
    config_free(config);
    return code;
}
