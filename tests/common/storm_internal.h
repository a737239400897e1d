/* SPDX-License-Identifier: MIT */
/* What storm.c (frame) and storm_ops.c (operations and model) share. */
#ifndef TESTS_COMMON_STORM_INTERNAL_H
#define TESTS_COMMON_STORM_INTERNAL_H
#include "storm.h"
#include <host/swap.h>
#include <lib/rand.h>

#define STORM_BASE   0x555500000000UL
#define SLICE_PAGES  96
#define FILE_PAGES   64
#define MAX_SLOTS    64
#define COMMON_PAGES 16 /* the first half solid, the second volatile */

enum page_kind {
    PK_NONE,
    PK_ANON,
    PK_PRIVATE_FILE, /* of the constant file */
    PK_SHARED_FILE,  /* in memory only */
    PK_DISK_FILE,    /* shared, with a device */
    PK_CUT_FILE,     /* shared, truncated and grown at any time */
    PK_UNKNOWN,      /* a call failed half-way: anything may be there until the next one succeeds */
    NR_PAGE_KINDS
};
#define NR_SHARED_FILES (PK_UNKNOWN - PK_SHARED_FILE)

struct page_model {
    u8 kind, prot;
    bool own;      /* PK_PRIVATE_FILE: written, so no longer the file's */
    u32 file_page; /* of the files */
    u64 value;     /* first and last word, when anonymous or own */
};

static inline bool kind_is_shared(u32 kind)
{
    return kind >= PK_SHARED_FILE && kind < PK_UNKNOWN;
}

/* Calls that drop or replace a volatile common page of one process: between begun and ended, old and new frame may be seen. */
struct churn {
    u64 begun, ended;
};

struct worker {
    struct mm *mm;
    struct rand rand;
    u32 slice; /* number within the process */
    u32 slot;  /* its word in each page of the shared file */
    u32 depth; /* of fork */
    u64 next_value;
    struct page_model page[SLICE_PAGES];
    u64 common[COMMON_PAGES]; /* what it wrote last into its word of each common page */
    u32 unsure;               /* bit per common page: that write may have gone to a frame on its way out */
    struct churn *churn;      /* [COMMON_PAGES], one for all workers of a process */
};

struct storm {
    struct storm_config cfg;
    struct host_file *constant, *shared[NR_SHARED_FILES]; /* by kind - PK_SHARED_FILE */
    u64 slot_value[NR_SHARED_FILES][MAX_SLOTS][FILE_PAGES];
    struct mutex cut_mutex; /* one truncation at a time */
    bool slot_used[MAX_SLOTS];
    spinlock_t lock; /* slot_used, children */
    struct host_swap swap;
    struct rwsem swap_lock; /* swapoff, and who swaps out */
    struct storm_stats stats;
    struct host_thread *child[4096];
    u32 nr_children;
    char failure[256]; /* of a worker; the first one */
};
extern struct storm storm;

#define storm_check(cond, ...)                                                                     \
    do {                                                                                           \
        if (!(cond))                                                                               \
            storm_fail(__VA_ARGS__);                                                               \
    } while (0)
/* Stops the run: the message, the worker and the seed. */
void storm_fail(const char *fmt, ...) __printf_fn(1, 2) __noreturn_fn;

/* One random operation; false when it was a wish to fork. */
bool storm_step(struct worker *w);
/* Reads and compares every page of the slice. */
void storm_check_slice(struct worker *w);
/* Our word of a page of the file with a device, on the device. */
void storm_check_device(u32 slot, u32 file_page);
void storm_swap_on(void);
/* Maps the common pages of a process. */
void storm_map_common(void);
/* What the constant file holds. */
u64 storm_constant(u32 file_page);
#endif
