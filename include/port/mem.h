/* SPDX-License-Identifier: MIT */
/*
 * Port: physical memory. What RAM there is, how the core reaches it, and where the memory map lives.
 *
 * Contract
 *  - mem_ranges() is stable after boot; ranges are page aligned, sorted, and do not overlap.
 *  - phys_to_virt(pa) is a linear map of all RAM; it never faults on RAM named by mem_ranges().
 *  - memmap[pfn] is a struct page for every pfn of RAM; its memory is reserved by the home. The core asks for it to be
 *    present with mem_memmap_populate() before the first access and fills it in itself.
 */
#ifndef PORT_MEM_H
#define PORT_MEM_H
#include <port/page.h>

struct page;

#define MAX_NODES 16

enum mem_kind {
    MEM_FREE,     /* RAM that belongs to the core from mm_boot() on */
    MEM_RESERVED, /* RAM in use by the home (kernel image, boot tables, memory map itself): counted present, not managed */
};

struct mem_range {
    phys_t base; /* bytes, page aligned */
    u64 size;    /* bytes, page aligned */
    u32 node;    /* 0 .. mem_nr_nodes()-1 */
    enum mem_kind kind;
};

/* All RAM. Returns the number of ranges and points *out at them. Never sleeps. */
size_t mem_ranges(const struct mem_range **out);
/* Number of NUMA nodes, at least 1. */
unsigned mem_nr_nodes(void);
/* SLIT distance, 10 for a node to itself. */
unsigned mem_node_distance(unsigned from, unsigned to);
/* Node of a CPU. */
unsigned mem_cpu_node(unsigned cpu);

/*
 * Makes memmap[lo..hi) accessible and zero-filled. 0 or -ENOMEM. Called at boot only, for spans of RAM; lo and hi are
 * rounded to blocks of 1024 frames (the buddy allocator looks at neighbours within a block) and so may reach beyond RAM.
 */
int mem_memmap_populate(pfn_t lo, pfn_t hi);

/*
 * hide: takes a frame of the core out of the linear map, and returns when no CPU can reach it there any more; 0 or -ENOMEM; may sleep.
 * show: puts it back. Programs' own mappings of the frame are not touched.
 */
int mem_hide_page(pfn_t pfn);
void mem_show_page(pfn_t pfn);

/* The window of kernel virtual addresses that mm/slab/vmalloc.c hands out. */
void mem_vmalloc_range(u64 *start, u64 *end);

/*
 * Frames and objects that were freed: nobody touches these bytes until mem_unpoison(). The laboratory watches, the kernel does
 * nothing. Multiples of 8 bytes of the direct map.
 *
 *   void mem_poison(const void *p, size_t n);   void mem_unpoison(const void *p, size_t n);
 *
 * Inline, from the home:
 *   void *phys_to_virt(phys_t pa);   phys_t virt_to_phys(const void *direct_map_address);
 *   extern struct page *memmap; or a macro of that name
 *   void mem_clear_page(void *page_aligned);          4096 bytes of zero
 *   void mem_clear_user_page(void *page_aligned);     the same for memory of programs; a laboratory without contents leaves it as it is
 *   void mem_copy_page(void *dst, const void *src);   4096 bytes of programs
 */
#include <port_impl/mem.h>
#endif
