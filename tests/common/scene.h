/* SPDX-License-Identifier: MIT */
/*
 * Scenes: the layout of an address space as a picture, one letter a page, from BASE on.
 *
 *   A  anonymous, read-write     R  anonymous, read-only     N  anonymous, no access
 *   L  anonymous, read-write, locked
 *   F  file, private, at the page's own offset     G  the same file one page further on
 *   S  shared memory (one object), at the page's own offset
 *   .  nothing        |  two areas meet here without being one
 *
 * scene_make("AA.R") maps; scene_text() draws what is there now.
 */
#ifndef TESTS_COMMON_SCENE_H
#define TESTS_COMMON_SCENE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "machine.h"
#include <host/file.h>
#include <host/process.h>
#include <lib/errno.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <uapi/mman.h>

#define SCENE_BASE  0x10000000UL
#define SCENE_PAGES 32

struct scene {
    struct mm *mm;
    struct host_file *file, *shared;
};
/* Machine and an empty address space, the caller's current one. */
void scene_up(struct scene *s);
void scene_down(struct scene *s);
static inline u64 scene_addr(unsigned page)
{
    return SCENE_BASE + page * PAGE_SIZE;
}
/* Maps a run of n equal letters. Returns mmap's result. */
s64 scene_map(struct scene *s, char what, unsigned page, unsigned n);
/* Maps the whole picture into the empty space; '|' only separates. */
void scene_make(struct scene *s, const char *picture);
/* The picture of today; trailing holes are left out. Static buffer. */
const char *scene_text(struct scene *s);
/* Draws, compares, validates. */
#define assert_scene(s, picture)                                                                                       \
    do {                                                                                                               \
        assert_string_equal(scene_text(s), picture);                                                                   \
        assert_null(vma_validate((s)->mm));                                                                            \
    } while (0)
#endif
