/* Configuration keys as the scripts of a folder declare them: asked by commands that take such keys
 * from a person, so that a mistyped one is named where it is typed and not missed when it is needed.
 * The scripts are read and run aside, as `luwak check` does; one that does not load is left out. */
#ifndef LUWAK_DECLARED_KEYS_H
#define LUWAK_DECLARED_KEYS_H

/* Calls for each provider of a channel, biller or simulator with key NULL, then with each of its keys;
 * several times where several declare it. 0, or a negative code: the folder cannot be read. */
int declared_keys(const char *root, void (*each)(void *data, const char *provider, const char *key),
                  void *data);

#endif
