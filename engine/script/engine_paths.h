/* The paths that the engine answers itself (engine/serve/admin.c), whatever scripts there are: no script
 * can have one of them. */
#ifndef LUWAK_SCRIPT_ENGINE_PATHS_H
#define LUWAK_SCRIPT_ENGINE_PATHS_H

/* method, path, what shows it, whether it exists in simulated mode only */
#define ENGINE_PATHS(X)                            \
    X("GET", "/", index_page, false)               \
    X("GET", "/docs/errors", docs_errors, false)   \
    X("GET", "/docs/scripts", docs_scripts, false) \
    X("GET", "/healthz", healthz, false)           \
    X("GET", "/readyz", readyz, false)             \
    X("GET", "/metrics", metrics, false)           \
    X("POST", "/sandbox/_clock", sandbox_clock, true)

#define ENGINE_SANDBOX "/sandbox/" /* below it: the simulators */

#endif
