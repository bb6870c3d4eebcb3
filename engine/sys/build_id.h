/* Which build of the program runs: the linker's hash over what it made, in hex. What is kept by one
 * build and may mean something else to another is kept under it. */
#ifndef LUWAK_SYS_BUILD_ID_H
#define LUWAK_SYS_BUILD_ID_H

#define BUILD_ID_SIZE (2 * 32 + 1)

void build_id(char out[BUILD_ID_SIZE]); /* "": the linker left none */

#endif
