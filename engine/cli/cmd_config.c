/* luwak config: every setting with its origin, and all that is wrong with them: what the settings say
 * by themselves, the files that they name, and providers' keys that look like another's. */
#include "base/nearest.h"
#include "cli/cmd.h"
#include "cli/declared_keys.h"

#include <errno.h>
#include <stdio.h>

/* A provider's key that somebody set, and what the scripts know of its name. */
struct spelling {
    bool known;
    struct nearest near;
    char best[80]; /* the names live no longer than their version */
};

static void compare(void *data, const char *provider, const char *key) {
    struct spelling *s = data;
    (void)provider;
    if (key == NULL) return;
    size_t before = s->near.distance;
    s->known = s->known || str_eq(s->near.word, str_of(key));
    nearest_try(&s->near, str_of(key));
    if (s->near.distance < before) snprintf(s->best, sizeof s->best, "%s", key);
}

static void warn_of_keys(const struct cli_args *args, const struct config *config) {
    char root[CLI_PATH_MAX];
    const char *name;
    if (cli_root(config, root, NULL) != 0) return; /* no scripts here: nothing to compare with */
    for (size_t i = 0; (name = config_key_given(config, i)) != NULL; i++) {
        struct spelling s = {0};
        nearest_init(&s.near, str_of(name));
        if (declared_keys(root, compare, &s) == 0 && !s.known && s.best[0] != '\0')
            cli_fail(args, 0, "warning: no script asks for %s; did you mean %s?", name, s.best);
    }
}

int cmd_config(const struct cli_args *args) {
    struct config *config = NULL;
    struct why why = {0};
    struct buf out = {0};
    if (cli_load(args, &config, &why) != 0) return cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    int code = cmd_setup(args, config);
    config_print(config, &out);
    if (out.err != 0) code = cli_fail(args, CLI_PROBLEMS, "%s", err_text(out.err));
    if (fwrite(out.data == NULL ? "" : out.data, 1, out.len, stdout) != out.len ||
        fflush(stdout) != 0)
        code = errno == EPIPE ? CLI_PROBLEMS
                              : cli_fail(args, CLI_PROBLEMS, "cannot write: %s", strerror(errno));
    buf_free(&out);
    for (size_t i = 0; i < config_warning_count(config); i++)
        cli_fail(args, 0, "warning: %s", config_warning(config, i));
    if (config_serve_warning(config) != NULL)
        cli_fail(args, 0, "warning: %s", config_serve_warning(config));
    warn_of_keys(args, config);
    for (size_t i = 0; i < config_problem_count(config); i++)
        code = cli_fail(args, CLI_PROBLEMS, "%s", config_problem(config, i));
    struct tls_server *tls = NULL;
    if (config_problem_count(config) == 0 && config_check(config, true, &why) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    else if (config_problem_count(config) == 0 && cmd_tls(config, &tls, &why) != 0)
        code = cli_fail(args, CLI_PROBLEMS, "%s", why.text);
    if (tls != NULL) tls_server_delete(tls);
    config_free(config);
    return code;
}
