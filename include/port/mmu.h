/* SPDX-License-Identifier: MIT */
/*
 * Port: the MMU of each CPU. The core keeps one struct mmu_ctx in every struct mm; the home keeps `cpus` true.
 *
 * Invariants
 *  1. A CPU that may hold a translation of this space has its bit in ctx->cpus; the bit is set before the root is loaded.
 *  2. mmu_flush() returns only when no CPU can use a translation of [start,end) that existed before the call. It may be
 *     called with spinlocks held and interrupts on; it never sleeps.
 */
#ifndef PORT_MMU_H
#define PORT_MMU_H
#include <port/page.h>
#include <lib/cpumask.h>

/* Of each key, shifted by twice its number. */
#define PKRU_AD 1u /* no access to data */
#define PKRU_WD 2u /* no writing */
/* What a new program starts with: only key 0 is open. */
#define PKRU_INIT 0x55555554u

struct mmu_ctx {
    phys_t root;     /* top-level table */
    cpumask_t cpus;  /* CPUs that may cache translations; atomically changed */
    u64 gen;         /* for the home: flush generation, PCID use */
};

/*
 * Flush on every CPU in ctx->cpus. [start,end) page aligned; end == U64_MAX means everything of this space.
 * freed_tables: table pages are about to be freed too, so that paging-structure caches must go.
 */
void mmu_flush(struct mmu_ctx *ctx, u64 start, u64 end, bool freed_tables);
/* Kernel addresses, on every CPU. */
void mmu_flush_kernel(u64 start, u64 end);
/* Kernel top-level entries: fills the kernel half of a new root table. The kernel half never changes afterwards. */
void mmu_init_root(void *root_table);
/* The page table of the kernel half itself (vmalloc maps into it): physical address of its root. */
phys_t mmu_kernel_root(void);
/*
 * Inline, from the home:
 *   void mmu_flush_page_local(u64 addr)   this CPU, current space
 *   u32 mmu_pkru(void)                    rights of the running thread by protection key, two bits each: PKRU_AD, PKRU_WD;
 *                                         0 without keys
 *   void mmu_set_pkru(u32 v)              only with pt_has_pkeys()
 */
#include <port_impl/mmu.h>
#endif
