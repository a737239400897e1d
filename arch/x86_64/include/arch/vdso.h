/* SPDX-License-Identifier: MIT */
/*
 * The vDSO: clock_gettime(), gettimeofday(), time() and getcpu() without entering the kernel. Two
 * areas that every program maps side by side: data ("[vvar]", read-only), then code ("[vdso]", an
 * ELF image; AT_SYSINFO_EHDR).
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H
#include <lib/types.h>
struct page;

/* Makes the pages, after mm_boot(). 0 or -ENOMEM. */
int vdso_init(void);
/* Page i of the two areas together, or NULL: before vdso_init(), and pages of [vvar] that have no
 * data. The caller takes a reference for each mapping that is counted. */
struct page *vdso_page(u64 index);
/* As on Linux, where [vvar] has room for a hypervisor's clock and a time namespace. image.S knows VVAR_PAGES. */
#define VVAR_PAGES 4
#define VDSO_PAGES 2
/* The wall clock is clock_ns() + offset from now on. Any context. */
void vdso_set_wall(s64 offset_ns);
#endif
