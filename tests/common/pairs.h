/* SPDX-License-Identifier: MIT */
/*
 * Two or three small operations at once, in every schedule with at most two preemptions (host/explore.h).
 *
 *   scene ── [prepare] ── A ║ B ║ C ── [after] ── check ── take down ── nothing may be left
 *            each alone    together     each alone
 *
 * A failure prints one line that repeats exactly the schedule that failed:
 *
 *   PAGODA_PAIR='fork/fault' PAGODA_SCHEDULE=12:2,40:1 build/host-points/tests/host/test_pairs_fork
 *
 * PAGODA_PAIR alone explores that pair only; PAGODA_BOUND=3 allows three preemptions. Without SAN=points the default is none: each order of the operations.
 */
#ifndef TESTS_COMMON_PAIRS_H
#define TESTS_COMMON_PAIRS_H
#include "machine.h"
#include <host/explore.h>

#define RW   (UAPI_PROT_READ | UAPI_PROT_WRITE)
#define BASE 0x7f0000000000UL
#define P(n) (BASE + (n) * PAGE_SIZE)

struct pair {
    const char *name;
    void (*scene)(void);
    struct pair_op {
        void (*run)(void);
        u32 space; /* index in `space`; NO_SPACE: a kernel thread */
    } op[EXPLORE_MAX_THREADS];
    void (*check)(void); /* panics when what came out is none of the allowed results; may be NULL */
    u32 share;           /* sysctl_fork_share */
};
#define NO_SPACE    7
#define IN(s, fn)   {fn, s}
#define KERNEL(fn)  {fn, NO_SPACE}

/* What a scene is made of. Spaces 1 and 2 are children; all are ended after the check unless an operation cleared them. */
extern struct mm *space[3];
extern struct host_file *file; /* of 4 pages unless the scene makes another */
extern u32 warm_pages;  /* of P(0).. that each thread reads before, on its CPU; 4 unless the scene says */
extern u32 again_pages; /* that each thread reads after it, likewise: what its TLB still holds */

void map_anon(u64 at, u64 pages);
void map_file(u64 at, u64 pages, bool shared, bool shmem);
void put(u64 at, u8 value);
u8 get(u64 at);
void fork_into(u32 child);
/* panic() unless ok. */
void must(bool ok, const char *what);

int run_pairs(const struct pair *pairs, size_t n);
#endif
