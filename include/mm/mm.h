/* SPDX-License-Identifier: MIT */
/*
 * struct mm: one address space. Bodies in mm/vma/mm_*.c.
 *
 * Locks: mmap_lock guards the layout (tree of areas, counters of pages mapped, brk, ...). The fault path does not take it.
 *
 * Invariants
 *  M1. map_count == vmas.nr; total_vm is the sum of the areas' pages.
 *  M2. lock_seq grows on every mmap_write_unlock(); a vma is write-locked while vma->lock_seq == mm->lock_seq.
 */
#ifndef MM_MM_H
#define MM_MM_H
#include <lib/range_tree.h>
#include <port/lock.h>
#include <port/cpu.h>
#include <port/mmu.h>
#include <port/sched.h>
#include <lib/list.h>

enum rss_kind { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM, NR_RSS };
/* What one CPU counts, on a cache line of its own. */
struct rss_shard {
    s64 v[NR_RSS];
    u64 room[8 - NR_RSS];
};
BUILD_ASSERT(sizeof(struct rss_shard) == 64);

/* Limits in bytes, U64_MAX = none, for homes whose programs have no others (task_limit in port/task.h). */
struct mm_rlimits {
    u64 as, data, stack, memlock;
    u64 data_max; /* the hard limit */
};

struct mm {
    struct rt_root vmas;
    struct mmu_ctx mmu;
    u64 lock_seq; /* starts at 1 */
    struct rwsem mmap_lock;
    struct waitq vma_waitq; /* writers waiting for readers of a vma */
    u32 vma_waiters;

    s32 users; /* threads: when 0 the areas go */
    s32 count; /* users count as one: when 0 the struct goes */

    u64 task_size;   /* first address beyond user space: 1<<47 - 4096, or 1<<56 - 4096 with five levels */
    u64 map_limit;   /* mmap without a high hint stays below this (1<<47 - 4096) */
    u64 mmap_base;   /* top-down searches start here */
    u64 legacy_base; /* bottom-up ones here */
    u64 map_count, total_vm, data_vm, exec_vm, stack_vm; /* pages but for map_count */
    u64 locked_vm;   /* pages; mmap_lock */
    s64 pinned_vm;   /* pages; atomic */
    u64 hiwater_rss, hiwater_vm;
    s64 pgtables_bytes; /* atomic */
    bool shares_tables; /* some table is, or once was, shared with another mm */
    u64 sharer_seen;    /* mm/pt/share.c */
    bool has_uffd;      /* some area is, or once was, registered with a userfaultfd */
    struct uffd_event *uffd_events; /* posted by who holds mmap_lock for writing; sent when it is released */
    u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
    u64 arg_start, arg_end, env_start, env_end;
    u64 def_flags; /* VM_LOCKED after mlockall(MCL_FUTURE) */
    u64 flags;     /* MMF_* */
    u64 saved_auxv[52];
    struct mm_rlimits rlimit;
    u16 pkeys;     /* mmap_lock: the protection keys in use, a bit each */
    s8 exec_pkey;  /* mmap_lock: the key of execute-only memory, or -1 */
    void *exe_file; /* the home's, counted through mm_home_ops; fork copies it */
    void *home;     /* the home's */
    u64 vdso;
    struct { /* mm/reclaim/oom_reaper.c: while MMF_OOM_REAP */
        struct list_head link;
        u64 due;
        s32 pid;
        u32 tries;
        char name[16];
    } oom;
    struct list_head list; /* all address spaces: mm_list */
    /* struct rss_shard of each CPU that there may be: mm_rss() */
};
/* Behind the struct, whose type needs no alignment: list heads are looked at as if they lay in one. */
#define MM_RSS_OFFSET ((sizeof(struct mm) + 63) & ~63UL)
static inline struct rss_shard *mm_rss(const struct mm *mm, unsigned cpu)
{
    return (struct rss_shard *)((uptr)mm + MM_RSS_OFFSET) + cpu;
}
/* How the home counts mm->exe_file. NULL where no mm has one. put may sleep. */
struct mm_home_ops {
    void (*exe_get)(void *exe_file);
    void (*exe_put)(void *exe_file);
};
extern const struct mm_home_ops *mm_home_ops;
#define MMF_TOPDOWN 1u  /* else legacy bottom-up */
#define MMF_UNSTABLE 2u /* reaped: the home answers faults of its dying threads with VM_FAULT_SIGBUS */

#define MMF_MDWE 4u            /* memory may not become executable that was not, nor be both written and executed */
#define MMF_MDWE_NO_INHERIT 8u /* a child is free of MMF_MDWE */
#define MMF_DISABLE_THP 16u
#define MMF_HAS_PINNED 64u /* pages were pinned, now or once: mm/pin.h */
#define MMF_OOM_SKIP 128u  /* nothing more will come of it for the OOM killer: torn down, reaped, or not to be had */
#define MMF_OOM_REAP 256u  /* handed to the reaper, now or once */
#define MMF_RANDOMIZE 32u /* its layout was randomised */
/* Which kinds of areas a core dump holds, /proc/PID/coredump_filter: kept as the difference from the default. */
#define MMF_DUMP_SHIFT   16
#define MMF_DUMP_MASK    (0x1ffUL << MMF_DUMP_SHIFT)
#define MMF_DUMP_DEFAULT 0x33UL
static inline u64 mm_dump_filter(const struct mm *mm)
{
    return (mm->flags & MMF_DUMP_MASK) >> MMF_DUMP_SHIFT ^ MMF_DUMP_DEFAULT;
}
/* What a child, or the next program, has of these flags. */
static inline u64 mmf_inherited(u64 flags)
{
    u64 kept = MMF_MDWE | MMF_DISABLE_THP | MMF_DUMP_MASK;
    return flags & (flags & MMF_MDWE_NO_INHERIT ? kept & ~(u64)MMF_MDWE : kept);
}

/* An empty address space with a root table, users = count = 1; NULL when out of memory. May sleep. */
struct mm *mm_alloc(void);
/* Drops the private pages of an mm whose threads are all being killed; try: unless its layout is being changed, then false. */
void mm_reap(struct mm *mm);
bool mm_try_reap(struct mm *mm);
/* The child's copy for fork: areas, page tables, counters. Takes mmap_lock of both. 0 and *out, or -ENOMEM (nothing left). */
int mm_fork(struct mm *parent, struct mm **out);
void mm_get(struct mm *mm);      /* users */
bool mm_try_get(struct mm *mm);  /* fails when users is 0 */
void mm_put(struct mm *mm);      /* last user: unmaps everything. May sleep. */
void mm_grab(struct mm *mm);     /* count only: the struct and its root table stay */
void mm_drop(struct mm *mm);     /* may be called where one may not sleep */
/* Layout for a new program (mm/vma/layout.c): stack top, mmap base with the stack's limit and gap, randomised. */
struct mm_layout_request {
    bool randomize; /* stack, mmap and PIE; the heap by mm_random_brk() */
    bool legacy;    /* bottom up */
    u64 stack_limit; /* bytes */
};
void mm_set_layout(struct mm *mm, const struct mm_layout_request *req); /* sets start_stack (the top), mmap_base */
/* Load address for a position-independent program; start of the heap for one whose data ends at brk. Page aligned. */
u64 mm_pie_base(const struct mm *mm, bool randomize);
u64 mm_random_brk(u64 brk);
u64 mm_random_pages(unsigned bits); /* bytes: a random number of pages below 2^bits */
extern u64 sysctl_mmap_rnd_bits;

void mmap_write_lock(struct mm *mm);
int mmap_write_lock_killable(struct mm *mm);
/* Also releases every vma that was write-locked since, and sends posted userfaultfd events, waiting for their readers: nothing
 * that a monitor may need is held but by fork's child, which nobody knows. */
void mmap_write_unlock(struct mm *mm);
void mmap_read_lock(struct mm *mm);
bool mmap_read_trylock(struct mm *mm);
void mmap_read_unlock(struct mm *mm);

static inline void rss_add(struct mm *mm, enum rss_kind kind, s64 pages)
{
    __atomic_fetch_add(&mm_rss(mm, cpu_id())->v[kind], pages, __ATOMIC_RELAXED);
}
/* Pages, never negative. */
u64 rss_sum(const struct mm *mm, enum rss_kind kind);
u64 rss_total(const struct mm *mm); /* file + anon + shmem */
/* Resident memory is about to shrink: its peak so far is kept (VmHWM). */
void mm_update_hiwater(struct mm *mm);

/* Every live mm, for validators and /proc; guarded by mm_list_lock. */
extern struct list_head mm_list;
extern spinlock_t mm_list_lock;
#endif
