/* SPDX-License-Identifier: MIT */
/* Every validator of the core in one call. */
#ifndef MM_VALIDATE_H
#define MM_VALIDATE_H
/*
 * Physical memory, slab, LRU lists, each address space (areas, tables), and the census of mappings. NULL, or the text of what
 * is wrong. Nobody else may be in the core: hosted tests stop, a kernel is about to power off. Takes mmap_lock of each mm.
 */
const char *mm_validate_all(void);
#endif
