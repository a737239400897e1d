/* SPDX-License-Identifier: MIT */
/* Sizes of pages and address types. The same in every home: Pagoda manages x86-64 pages. */
#ifndef PORT_PAGE_H
#define PORT_PAGE_H
#include <lib/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1UL << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define PMD_SHIFT  21
#define PMD_SIZE   (1UL << PMD_SHIFT)
#define PMD_MASK   (~(PMD_SIZE - 1))
#define PUD_SHIFT  30
#define PUD_SIZE   (1UL << PUD_SHIFT)
#define PT_ENTRIES 512

/* Physical addresses are bytes, frame numbers (pfn) count 4 KiB pages; at most 2^32 frames (16 TiB). */
typedef u64 phys_t;
typedef u64 pfn_t;

#define page_align_up(x)   ALIGN_UP((u64)(x), PAGE_SIZE)
#define page_align_down(x) ALIGN_DOWN((u64)(x), PAGE_SIZE)
#endif
