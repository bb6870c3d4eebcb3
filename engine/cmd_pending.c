/* Commands whose engine is not part of this build: they parse, and say so. */
#include "cli.h"

#define PENDING(name)                                         \
    int cmd_##name(const struct cli_args *args) {             \
        return cli_fail(args, CLI_PROBLEMS, "not built yet"); \
    }
PENDING(run)
PENDING(check)
PENDING(test)
