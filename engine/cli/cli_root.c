/* Where channels/, rules/ and scripts/ are: LUWAK_ROOT; else the current folder when it has them;
 * else seen from the binary, the source tree (build/VARIANT/luwak) or ../share/luwak. */
#include "base/ensure.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_root(const char *path) {
    static const char *const folders[] = {"channels", "rules", "scripts"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char below[CLI_PATH_MAX + 16];
        struct stat st;
        snprintf(below, sizeof below, "%s/%s", path, folders[i]);
        if (stat(below, &st) == 0 && S_ISDIR(st.st_mode)) return true;
    }
    return false;
}

int cli_root(const struct config *config, char out[CLI_PATH_MAX], struct why *why) {
    static const char *const seen[] = {"..", "../..", "../share/luwak"};
    char binary[CLI_PATH_MAX - 32];
    const char *given = config_text(config, SET_LUWAK_ROOT);
    if (given != NULL) {
        if (snprintf(out, CLI_PATH_MAX, "%s", given) >= CLI_PATH_MAX)
            return why_set(why, E_CONFIG, "LUWAK_ROOT is too long");
        return is_root(out)
                   ? 0
                   : why_set(why, E_CONFIG, "%s holds no channels/, rules/ or scripts/: set --root",
                             given);
    }
    snprintf(out, CLI_PATH_MAX, ".");
    if (is_root(out)) return 0;
    ssize_t n = readlink("/proc/self/exe", binary, sizeof binary - 1);
    while (n > 0 && binary[n - 1] != '/')
        n--;
    for (size_t i = 0; n > 0 && i < ARRAY_LEN(seen); i++) {
        snprintf(out, CLI_PATH_MAX, "%.*s%s", (int)n, binary, seen[i]);
        if (is_root(out)) return 0;
    }
    return why_set(why, E_CONFIG,
                   "no channels/, rules/ or scripts/ here: start in their folder or set --root");
}
