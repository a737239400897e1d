/* SPDX-License-Identifier: MIT */
/*
 * A swap device of the hosted machine: RAM, which fails (FAIL_IO), and on demand keeps what it was told to do until it is let go,
 * as a slow disk would.
 */
#ifndef HOST_SWAP_H
#define HOST_SWAP_H
#include <mm/swap.h>

#define HOST_SWAP_QUEUE 64

struct host_swap {
    struct swap_area *area;
    u64 max;         /* slots, the header's included */
    u8 *bytes;
    bool hold;       /* transfers wait for host_swap_let_go() */
    bool fail_write; /* each write fails */
    bool fail_read;
    bool disk;       /* a thread completes them, later */
    bool stop;
    spinlock_t lock; /* queue */
    struct waitq work;
    struct swap_io *queue[HOST_SWAP_QUEUE];
    unsigned queued;
    u64 reads, writes, transfers, discarded; /* pages; transfers; slots */
};

struct host_swap_config {
    u64 pages; /* usable ones */
    s32 prio;  /* negative: default */
    bool discard;
    bool disk; /* a thread of its own does the work; else it is done at once */
    const u32 *bad;
    u32 nr_bad;
};
/* swapon: 0 or -errno. */
int host_swap_on(struct host_swap *d, const struct host_swap_config *cfg);
/* swapoff: 0, or what swap_area_disable() says: then it is still on. */
int host_swap_off(struct host_swap *d);
/* Completes up to n held transfers, oldest first. Returns how many. */
unsigned host_swap_let_go(struct host_swap *d, unsigned n);
#endif
