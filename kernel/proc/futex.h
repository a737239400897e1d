/* SPDX-License-Identifier: MIT */
/* Inside of futex: keys, buckets, waiters. */
#ifndef KERNEL_PROC_FUTEX_H
#define KERNEL_PROC_FUTEX_H
#include "proc.h"

enum {
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_FD,
    FUTEX_REQUEUE,
    FUTEX_CMP_REQUEUE,
    FUTEX_WAKE_OP,
    FUTEX_LOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_TRYLOCK_PI,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI2
};
#define FUTEX_PRIVATE_FLAG   128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_CMD_MASK       127
#define FUTEX_WAITERS        0x80000000u
#define FUTEX_OWNER_DIED     0x40000000u
#define FUTEX_TID_MASK       0x3fffffffu

struct futex_key {
    const void *base; /* mm or address_space */
    u64 off;
};
struct futex_bucket {
    spinlock_t lock;
    struct list_head waiters;
} __aligned_to(64);
struct futex_waiter {
    struct list_head link;
    struct task *task;
    struct futex_key key;
    struct futex_bucket *bucket;
    u32 bitset;
    bool woken, pi;
    bool granted; /* PI: the word is ours */
    bool handing; /* PI: an unlocker is about to give it to us; off the queue, but bound to it */
};
static inline bool futex_key_eq(const struct futex_key *a, const struct futex_key *b)
{
    return a->base == b->base && a->off == b->off;
}
/* 0, -EINVAL (not aligned), -EFAULT. May sleep. */
int futex_key_of(u64 uaddr, bool shared, struct futex_key *k);
struct futex_bucket *futex_bucket_of(const struct futex_key *k);
void futex_wake_one_locked(struct futex_waiter *w);
/* Off the queue, unless it has been woken: then true. */
bool futex_leave(struct futex_waiter *w);
int futex_sleep(struct futex_waiter *w, u64 deadline);
void futex_wake_pi_addr(u64 uaddr);
/* futex_pi.c */
s64 futex_lock_pi(u64 uaddr, bool shared, u64 deadline, bool try_only);
s64 futex_unlock_pi(u64 uaddr, bool shared);
#endif
