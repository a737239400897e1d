/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: clock_gettime(), gettimeofday(), time() and getcpu() without entering the kernel. Two
 * pages that every program maps side by side: data ("[vvar]", read-only), then code ("[vdso]", an
 * ELF image; AT_SYSINFO_EHDR).
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H
#include <lib/types.h>
struct page;

/* Makes the pages, after mm_boot(). 0 or -ENOMEM. */
int vdso_init(void);
/* Page 0 is data, page 1 code; NULL before vdso_init(). The caller takes a reference for each
 * mapping. */
struct page *vdso_page(unsigned index);
#define VDSO_PAGES 2
/* The wall clock is clock_ns() + offset from now on. Any context. */
void vdso_set_wall(s64 offset_ns);
#endif
