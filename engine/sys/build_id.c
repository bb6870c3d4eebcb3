/* See build_id.h. The hash is a note in the program's own image (ld --build-id, see the Makefile). */
#include "sys/build_id.h"

#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROUNDED(n) (((size_t)(n) + 3) / 4 * 4)

/* True: found. */
static int in_notes(const uint8_t *at, const uint8_t *end, char *out) {
    ElfW(Nhdr) note;
    while ((size_t)(end - at) >= sizeof note) {
        memcpy(&note, at, sizeof note);
        at += sizeof note;
        size_t name = ROUNDED(note.n_namesz), all = name + ROUNDED(note.n_descsz);
        if ((size_t)(end - at) < all) return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(at, "GNU", 4) == 0 &&
            note.n_descsz <= (BUILD_ID_SIZE - 1) / 2) {
            for (size_t i = 0; i < note.n_descsz; i++)
                snprintf(out + 2 * i, 3, "%02x", at[name + i]);
            return 1;
        }
        at += all;
    }
    return 0;
}

static int look(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_NOTE) continue;
        // cppcheck-suppress intToPointerCast ; where the loader put it
        const uint8_t *at = (const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);
        if (in_notes(at, at + p->p_memsz, data)) break;
    }
    return 1; /* the first is the program, the others are its libraries */
}

void build_id(char out[BUILD_ID_SIZE]) {
    out[0] = '\0';
    dl_iterate_phdr(look, out);
}
