/* SPDX-License-Identifier: MIT */
/*
 * The hosted machine: what a test or a simulation starts, and all that is global to one run.
 *
 *   host_machine_start() · [host_machine_boot()] · ... run ... · host_machine_stop()
 *
 * start brings up the port alone (memory, CPUs, locks, clock); boot also brings up the core (mm_boot and friends).
 * The caller becomes thread 0 on CPU 0. One machine exists at a time; a later one begins with the core's memory as it was
 * when the process started, so that a run depends on nothing but its configuration and its seed.
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H
#include <lib/types.h>
#include <lib/rand.h>
#include <port/mem.h>
#include <port/cpu.h>

#define HOST_MAX_RANGES 16

struct host_config {
    u64 seed;
    u32 cpus; /* 1 .. 64, 0 = 1 */
    u64 ram;  /* bytes; used when nr_ranges is 0: one range [0, ram), 0 = 64 MiB */
    u32 nr_ranges;
    struct mem_range ranges[HOST_MAX_RANGES]; /* sorted, page aligned */
    u32 nodes;                                /* 0 = 1 */
    u8 distance[MAX_NODES][MAX_NODES];        /* 0 = 10 for itself, 20 else */
    u8 cpu_node[NR_CPUS];
    u32 levels;          /* 4 or 5, 0 = 4 */
    bool no_1g;          /* CPUs without 1 GiB pages */
    bool no_pkeys;       /* CPUs without protection keys */
    u32 switch_permille; /* chance that a scheduling point lets another CPU run; 0 = 100 */
    bool never_switch;   /* other CPUs run only when this one waits */
    bool threads;        /* real pthreads, for ThreadSanitizer: not repeatable */
    u32 tlb_ways_log2;   /* 0 = 4 ways of 16 sets per page size */
    u64 drop_flush_nth; /* n > 0: the n-th flush that would have dropped something is lost, to prove that it is noticed */
    bool no_contents; /* programs' pages are neither cleared nor copied: for replays, which never look into them */
    bool log; /* the log goes to stderr too, as with PAGODA_LOG in the environment */
};

struct host_machine {
    struct host_config cfg;
    struct rand rand;
    u64 clock;  /* ns */
    u64 events; /* scheduling points passed */
    u64 draws;  /* random numbers handed out */
    u32 nr_ranges;
    struct mem_range ranges[HOST_MAX_RANGES + 1];
    phys_t kernel_root;
    u64 max_pfn;
    bool up, crashed;
};
extern struct host_machine host_machine;

/* Never fails: what can't be set up stops the process with a message. */
void host_machine_start(const struct host_config *cfg);
void host_machine_boot(void);
/* All threads but the caller's must have ended. After a panic that was caught, whatever is left is thrown away. */
void host_machine_stop(void);

/* One draw from the machine's generator: true with the given chance of 1000. Not for threads mode. */
bool host_chance(u32 permille);

/* Calls fn(arg) and returns the text of the panic it ended in, or NULL when it returned. Fibers only. After a panic
 * nothing but host_machine_stop() may be called. */
const char *host_catch_panic(void (*fn)(void *), void *arg);
/* The last lines of the log, oldest first, NUL-terminated. */
const char *host_log_text(void);
/* A copy of the core's data and bss taken at the first start, put back at every later one (host/state.c). */
void host_state_reset(void);
#endif
