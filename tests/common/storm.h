/* SPDX-License-Identifier: MIT */
/*
 * Storms: processes with several threads that map, unmap, protect, move, touch, fork and exit at once, against a model that
 * knows what each byte must be.
 *
 *   process: [ slice of worker 0 | slice of worker 1 | ... | common ]  adjacent, so that areas merge and tables are shared
 *   page of a slice: nothing, anonymous, a private copy of the constant file, or a page of one of three shared files (in
 *   memory; with a device; truncated and grown all the time)
 *
 *   common: anonymous pages in which all workers of the process write, each its own word: faults, copies after a fork and
 *           changes of rights meet on one entry. The solid half keeps what is written, the volatile half is dropped and
 *           mapped anew at any time: there a word is what was written last, or zero.
 *
 * A worker is the only one that changes its slice, so it knows what it must find there; what it shares with the others are
 * the locks, areas, tables, TLBs and frames below. Each page carries its value in its first and its last word. In the
 * shared files each worker owns one word of each page, and in the end the device must hold it. A fork hands a copy of the slice and its model to a new worker.
 */
#ifndef TESTS_COMMON_STORM_H
#define TESTS_COMMON_STORM_H
#include "machine.h"

struct storm_config {
    u64 seed;
    u32 cpus;
    u32 ram_mib;
    u32 processes, workers; /* workers of each process */
    u32 rounds;  /* between rounds everything is validated */
    u32 steps;   /* of each worker in a round */
    u32 fork_depth;
    u32 fail_permille; /* chance of an allocation to fail */
    bool tight;  /* memory is meant to run out */
    bool squeeze; /* reclaim runs all the time, however much memory there is */
    bool two_nodes; /* RAM in two ranges with a hole between, each a node */
    bool threads;
    bool validate_each_step; /* only with one worker and without forks */
    u32 levels;
    u32 switch_permille; /* 0 = 50 */
    u32 swap_pages;      /* slots of a swap device, 0: none; then pages are swapped out at any time */
    bool wide;           /* slices and common pages lie in several level-2 tables, seldom with shared files: fork shares those */
    u32 fork_share;      /* sysctl_fork_share: least entries of a table that fork shares; 0 = it copies */
    enum { FOCUS_NONE, FOCUS_COMMON, FOCUS_FILES } focus; /* all work on the common pages, or on a few pages of the shared
                                                             files: the most races for the time */
};

struct storm_stats {
    u64 steps, forks, checks;
    u64 faults_seen, oom_seen; /* signals that the model expected; failures that were asked for */
    u64 cut_seen;              /* SIGBUS on what was cut off */
    u64 reclaimed; /* pages, with squeeze */
    u64 swapped_out, swapped_off; /* pages; swapoffs that brought all back */
};

/* Runs it to the end; a wrong byte, a broken invariant or a leak fails the test with the seed in its message. */
struct storm_stats storm_run(const struct storm_config *cfg);
#endif
