/* SPDX-License-Identifier: MIT */
/* A whole trace as numbers of pages, in a temporary file that is mapped: as many references as the disk holds, little memory. */
#ifndef LAB_REFS_H
#define LAB_REFS_H
#include <stddef.h>
#include <stdint.h>
#include "trace.h"

struct refs {
    const uint32_t *page;
    size_t n;
    uint32_t pages;                /* distinct ones */
    uint64_t by_kind[NR_REF_KINDS];
};

/* Told now and then: references so far, bytes read, size of the file (0: not known). */
typedef void refs_progress(uint64_t refs, uint64_t done, uint64_t size);
/* Reads all of t, runs taken apart. 0, or -1 with a whole sentence in why[0..n). progress may be NULL. */
int refs_load(struct refs *r, struct trace *t, refs_progress *progress, char *why, size_t n);
void refs_free(struct refs *r);
#endif
