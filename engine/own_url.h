/* Where others reach this engine: LUWAK_PUBLIC_URL, and the address that it listens on. What scripts
 * tell providers to call comes from here, and in simulated mode a simulator that calls it reaches us
 * without a socket. Set before workers run, only read after. */
#ifndef LUWAK_OWN_URL_H
#define LUWAK_OWN_URL_H

#include "net/url.h"
#include "sys/config.h"

#define OWN_SIMULATED \
    "luwak.simulated" /* us, in simulated mode: stands also where the port changes */

struct own_url {
    char
        text[512]; /* "https://pay.example/luwak", no '/' at the end; "": providers are told none */
    struct url given, listening; /* host "" where there is none */
    size_t prefix;               /* bytes of the public URL's path, which a proxy takes away */
};

/* `address`: HOST:PORT that is listened on; NULL: as configured. */
void own_url_set(struct own_url *own, const struct config *config, const char *address);

/* Is it ours? Then *path is what our routes see of it. */
bool own_url_is(const struct own_url *own, const struct url *url, struct str *path);

#endif
