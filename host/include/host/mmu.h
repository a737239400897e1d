/* SPDX-License-Identifier: MIT */
/*
 * The software MMU: one TLB per virtual CPU, and accesses as a user program makes them.
 *
 * A TLB keeps an entry until it is flushed or evicted, whatever happens to the page table. An oracle looks at the tables at
 * every hit. An entry that grants more than they do now is stale; to use it is an error, reported by panic, when
 *   - its frame has been freed or has got another owner since, or
 *   - no other thread is inside the core: then nobody is on the way to flush it any more.
 * The second rule needs to know who is inside: threads enter through host_core_enter(), as faults and the calls of
 * host/process.h do.
 */
#ifndef HOST_MMU_H
#define HOST_MMU_H
#include <lib/types.h>
#include <port/mmu.h>
#include <port/pte.h>

struct mm;

enum host_access_kind { HOST_READ, HOST_WRITE, HOST_EXEC };

/* Error code of a page fault, as the CPU pushes it. */
#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_EXEC    16u
#define PF_PKEY    32u

struct tlb_entry {
    u64 va; /* first address, aligned to the span of its level */
    pfn_t pfn;
    u64 owner; /* of the page when the entry was filled, for the oracle */
    u32 index;
    u8 level; /* 1..3; 0 = empty */
    u8 key; /* protection key */
    bool write, exec, dirty;
    bool counted; /* the frame has a struct page that is managed: owner and index mean something */
};

#define TLB_SETS 16
#define TLB_WAYS 4

struct host_tlb {
    struct tlb_entry e[3][TLB_SETS][TLB_WAYS];
    u8 next_way[3][TLB_SETS];
    struct mm *mm; /* loaded, or NULL */
    u32 lock;      /* pthreads only */
};
extern struct host_tlb host_tlbs[NR_CPUS];

struct host_mmu_stats {
    u64 hits, misses, faults, flushes, entries_dropped;
    u64 stale_legal;       /* uses of stale entries that a flush on its way excuses */
    u64 flushes_that_drop; /* found something to drop; counted with drop_flush_nth only */
};
extern struct host_mmu_stats host_mmu_stats;
/* Told of every flush of [start,end) of a space, for whoever keeps translations of its own (lab/replay.c). NULL: nobody. */
extern void (*host_flush_listener)(struct mmu_ctx *ctx, u64 start, u64 end);

struct host_walk {
    u32 error; /* PF_* when it ended in a fault, valid when !ok */
    bool ok;
    u8 level;
    pfn_t pfn; /* of the leaf's first frame */
    u8 key;    /* the leaf's protection key */
    bool write, exec, dirty;
};
/* Who resolves faults: mm_fault() once the core is up (boot.c). Tests of the MMU alone set their own. */
extern u32 (*host_fault_handler)(struct mm *mm, u64 addr, u32 flags);

/*
 * Walks the tables at root for a user access. set_bits: sets A on the way and D in the leaf for a write, atomically, as
 * the MMU does.
 */
struct host_walk host_walk(phys_t root, u64 va, enum host_access_kind kind, bool set_bits);

/*
 * Reads, writes or fetches n bytes at va as the loaded address space's user code would, faulting pages in.
 * Returns 0, or VM_FAULT_* of the fault that could not be resolved; *done (may be NULL) is the bytes before it.
 * user: user mode, else a uaccess of the kernel.
 */
u32 host_access(u64 va, void *buf, size_t n, enum host_access_kind kind, bool user, size_t *done);
/* Compare and exchange of an aligned word through the MMU. 0 with *old what was found, or VM_FAULT_*. */
u32 host_access_cmpxchg(u64 va, u32 *old, u32 new_value, bool user);

/* Loads mm (NULL: none) on the caller's CPU and makes it the thread's. */
void host_mm_load(struct mm *mm);
/* Takes mm off every CPU that still has it loaded: before the last mm_put(). */
void host_mm_unload_all(struct mm *mm);
/* Takes mm off the CPUs that have it loaded but run no thread of it. */
void host_mm_unload_idle(struct mm *mm);

void host_core_enter(void);
void host_core_exit(void);

/* tlb.c: host/'s own. */
void tlb_lock(struct host_tlb *t);
void tlb_unlock(struct host_tlb *t);
struct tlb_entry *tlb_find(struct host_tlb *t, u64 va);
void tlb_fill(struct host_tlb *t, const struct tlb_entry *e);
#endif
