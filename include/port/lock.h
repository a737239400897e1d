/* SPDX-License-Identifier: MIT */
/*
 * Port: locks and RCU.
 *
 *  spinlock_t   4 bytes, never held across a sleep, not taken in interrupt context by the core.
 *  struct mutex, struct rwsem   may sleep. A rwsem writer excludes all, readers share; writers are not starved.
 *  RCU          rcu_read_lock() never sleeps inside. A grace period ends when every CPU has passed a point outside.
 *
 * Every lock is given its rank at initialisation; a debug build checks that ranks only grow while locks are nested
 * (docs/LOCKING.md). Locks of one rank are nested only with the _nested variant.
 *
 * Inline or functions, from the home:
 *   void spin_init(spinlock_t *, enum lock_rank);  SPINLOCK_INIT(rank) as a static initialiser
 *   void spin_lock(spinlock_t *); void spin_unlock(spinlock_t *); bool spin_trylock(spinlock_t *);
 *   void spin_lock_nested(spinlock_t *);  bool spin_is_locked(const spinlock_t *);
 *   void mutex_init(struct mutex *, enum lock_rank); mutex_lock, mutex_unlock, mutex_trylock
 *   void rwsem_init(struct rwsem *, enum lock_rank);
 *   void down_read(struct rwsem *); up_read; down_write; up_write; bool down_read_trylock; down_write_trylock;
 *   void down_write_nested(struct rwsem *);  as down_write, for a second lock of the same rank (fork: the child's)
 *   int down_write_killable(struct rwsem *), down_read_killable: 0, or -EINTR when a fatal signal is pending
 *   void downgrade_write(struct rwsem *);  bool rwsem_is_write_locked(const struct rwsem *);
 *   void rcu_read_lock(void); void rcu_read_unlock(void);
 *   void rcu_call(struct rcu_head *, void (*fn)(struct rcu_head *));  fn runs later in a context that may not sleep
 *   void rcu_synchronize(void);  sleeps.   void rcu_barrier(void);  sleeps until all queued callbacks have run
 */
#ifndef PORT_LOCK_H
#define PORT_LOCK_H
#include <lib/types.h>

/* Outer first. */
enum lock_rank {
    RANK_NONE, /* not checked */
    RANK_KERNEL, /* the home's own outer locks */
    RANK_INODE,
    RANK_MMAP,   /* mm->mmap_lock */
    RANK_VMA,    /* vma lock */
    RANK_UFFD,   /* a userfaultfd: changing_lock; its queues, which are taken alone */
    RANK_INVALIDATE,
    RANK_PAGE,   /* PG_locked */
    RANK_I_MMAP, /* address_space i_mmap */
    RANK_ANON_VMA,
    RANK_PT,     /* one table page */
    RANK_SWAP,
    RANK_CACHE,  /* address_space tree */
    RANK_LRU,
    RANK_SLAB,
    RANK_ZONE,
    RANK_KERNEL_LEAF, /* the home's own inner locks: run queues, wait queues, the console */
};

struct rcu_head {
    struct rcu_head *next;
    void (*fn)(struct rcu_head *);
};
#include <port_impl/lock.h>
_Static_assert(sizeof(spinlock_t) == 4, "a table page keeps its lock in struct page");
#endif
