/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks, mutexes and rwsems of the hosted machine, and what is checked at each of them:
 *
 *  L1. Ranks only grow while locks are nested; equal ranks only through the _nested forms. RANK_NONE is not checked.
 *  L2. A lock is released by the thread that took it; a spinlock is not taken twice by one thread.
 *  L3. Nobody sleeps with a spinlock held or inside rcu_read_lock().
 *
 * The words change by atomic operations alone, so that the same code serves fibers and pthreads; sleepers queue up under
 * the scheduler's lock. An unlock first frees the word, then looks for sleepers; a sleeper first queues up, then looks at
 * the word again: no wake-up is lost.
 */
#include <host/sched_internal.h>
#include <port/log.h>

#define HOLDER_MASK 0xffffffu

static const char *const rank_names[] = {
    "none",     "kernel", "inode", "mmap",  "vma", "invalidate", "page", "i_mmap",
    "anon_vma", "pt",     "swap",  "cache", "lru", "slab",       "zone", "leaf",
};

static u32 my_id(void)
{
    return host_current->id + 1;
}

/* ---- what a thread holds ---- */

static void note_acquire(const void *lock, u32 rank, bool spin, bool shared, bool nested)
{
    struct host_thread *t = host_current;
    if (rank != RANK_NONE)
        for (u32 i = 0; i < t->nr_held; i++) {
            const struct host_held *h = &t->held[i];
            if (h->rank > rank || (h->rank == rank && !nested))
                panic("lock order: thread %u (%s) takes %p (rank %s) while it holds %p (rank %s)",
                      t->id, t->name, lock, rank_names[rank], h->lock, rank_names[h->rank]);
        }
    if (t->nr_held == HOST_MAX_HELD)
        panic("thread %u (%s) holds %u locks", t->id, t->name, t->nr_held);
    t->held[t->nr_held++] = (struct host_held){lock, (u8)rank, spin, shared};
    t->nr_spin += spin;
}

static void note_release(const void *lock, bool shared)
{
    struct host_thread *t = host_current;
    for (u32 i = t->nr_held; i-- > 0;) {
        if (t->held[i].lock != lock)
            continue;
        if (t->held[i].shared != shared)
            panic("lock %p: taken %s, released %s", lock, shared ? "for writing" : "for reading",
                  shared ? "for reading" : "for writing");
        t->nr_spin -= t->held[i].spin;
        for (u32 j = i + 1; j < t->nr_held; j++)
            t->held[j - 1] = t->held[j];
        t->nr_held--;
        return;
    }
    panic("thread %u (%s) releases %p, which it does not hold", t->id, t->name, lock);
}

static bool holds(const void *lock)
{
    for (u32 i = 0; i < host_current->nr_held; i++)
        if (host_current->held[i].lock == lock)
            return true;
    return false;
}

/* ---- spinlocks ---- */

void spin_init(spinlock_t *lock, enum lock_rank rank)
{
    __atomic_store_n(&lock->v, (u32)rank << 24, __ATOMIC_RELAXED);
}

static bool spin_take(spinlock_t *lock)
{
    u32 v = __atomic_load_n(&lock->v, __ATOMIC_RELAXED);
    return !(v & HOLDER_MASK) && __atomic_compare_exchange_n(&lock->v, &v, v | my_id(), false,
                                                             __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void spin_acquire(spinlock_t *lock, bool nested)
{
    host_point_at(lock, true);
    u32 v = __atomic_load_n(&lock->v, __ATOMIC_RELAXED);
    if ((v & HOLDER_MASK) == my_id())
        panic("thread %u (%s) takes spinlock %p (rank %s) twice", host_current->id,
              host_current->name, (void *)lock, rank_names[(v >> 24) & 15]);
    if (v >> 24 > RANK_KERNEL_LEAF)
        panic("spinlock %p holds garbage: %#x", (void *)lock, v);
    while (!spin_take(lock))
        host_spin_wait(&lock->v);
    note_acquire(lock, v >> 24, true, false, nested);
}

void spin_lock(spinlock_t *lock)
{
    spin_acquire(lock, false);
}

void spin_lock_nested(spinlock_t *lock)
{
    spin_acquire(lock, true);
}

bool spin_trylock(spinlock_t *lock)
{
    host_point_at(lock, true);
    if (!spin_take(lock))
        return false;
    /* A try can't deadlock, so its rank is free. */
    note_acquire(lock, RANK_NONE, true, false, false);
    return true;
}

void spin_unlock(spinlock_t *lock)
{
    u32 v = __atomic_load_n(&lock->v, __ATOMIC_RELAXED);
    if ((v & HOLDER_MASK) != my_id())
        panic("thread %u (%s) releases spinlock %p held by thread %d", host_current->id,
              host_current->name, (void *)lock, (int)(v & HOLDER_MASK) - 1);
    note_release(lock, false);
    __atomic_store_n(&lock->v, v & ~HOLDER_MASK, __ATOMIC_RELEASE);
    host_point();
}

bool spin_is_locked(const spinlock_t *lock)
{
    return __atomic_load_n(&lock->v, __ATOMIC_RELAXED) & HOLDER_MASK;
}

/* ---- sleeping: shared by mutex and rwsem ---- */

struct sleeper {
    struct list_head link;
    struct host_thread *thread;
};

static void wake_sleepers(struct list_head *waiters)
{
    struct sleeper *s;
    host_sched_lock();
    list_for_each_entry (s, waiters, link)
        host_unblock(s->thread);
    host_sched_unlock();
}

/* Sleeps until take(lock) succeeds; 0, or -1 on a fatal signal when killable. */
static int sleep_until(void *lock, bool (*take)(void *), struct list_head *waiters, u32 *waiting,
                       bool killable, const char *what)
{
    struct sleeper self = {.thread = host_current};
    int err = 0;
    host_sched_lock();
    list_add_tail(&self.link, waiters);
    __atomic_fetch_add(waiting, 1, __ATOMIC_SEQ_CST);
    while (!take(lock)) {
        if (killable && sched_fatal_signal()) {
            err = -1;
            break;
        }
        host_block(what, lock);
    }
    __atomic_fetch_sub(waiting, 1, __ATOMIC_SEQ_CST);
    list_del(&self.link);
    host_sched_unlock();
    return err;
}

/* ---- mutex ---- */

void mutex_init(struct mutex *m, enum lock_rank rank)
{
    *m = (struct mutex){.rank = rank};
    list_init(&m->waiters);
}

static bool mutex_take(void *lock)
{
    struct mutex *m = lock;
    u32 free = 0;
    return __atomic_compare_exchange_n(&m->owner, &free, my_id(), false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

void mutex_lock(struct mutex *m)
{
    host_check_may_sleep("mutex_lock");
    host_point_at(m, true);
    if (holds(m))
        panic("thread %u takes mutex %p twice", host_current->id, (void *)m);
    if (!mutex_take(m))
        sleep_until(m, mutex_take, &m->waiters, &m->waiting, false, "waits for mutex");
    note_acquire(m, m->rank, false, false, false);
}

bool mutex_trylock(struct mutex *m)
{
    host_point_at(m, true);
    if (!mutex_take(m))
        return false;
    note_acquire(m, RANK_NONE, false, false, false);
    return true;
}

void mutex_unlock(struct mutex *m)
{
    note_release(m, false);
    __atomic_store_n(&m->owner, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&m->waiting, __ATOMIC_SEQ_CST))
        wake_sleepers(&m->waiters);
    host_point();
}

/* ---- rwsem ---- */

void rwsem_init(struct rwsem *s, enum lock_rank rank)
{
    *s = (struct rwsem){.rank = rank};
    list_init(&s->waiters);
}

static bool take_read(void *lock)
{
    struct rwsem *s = lock;
    s32 v = __atomic_load_n(&s->state, __ATOMIC_SEQ_CST);
    while (v >= 0 && !__atomic_load_n(&s->writers_waiting, __ATOMIC_SEQ_CST))
        if (__atomic_compare_exchange_n(&s->state, &v, v + 1, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
    return false;
}

static bool take_write(void *lock)
{
    struct rwsem *s = lock;
    s32 free = 0;
    if (!__atomic_compare_exchange_n(&s->state, &free, -1, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return false;
    __atomic_store_n(&s->owner, my_id(), __ATOMIC_RELAXED);
    return true;
}

static int rwsem_acquire_read(struct rwsem *s, bool killable)
{
    host_check_may_sleep("down_read");
    host_point_at(s, false);
    if (holds(s))
        panic("thread %u takes rwsem %p twice", host_current->id, (void *)s);
    if (!take_read(s) &&
        sleep_until(s, take_read, &s->waiters, &s->waiting, killable, "waits to read"))
        return -4; /* -EINTR */
    note_acquire(s, s->rank, false, true, false);
    return 0;
}

static int rwsem_acquire_write(struct rwsem *s, bool killable, bool nested)
{
    host_check_may_sleep("down_write");
    host_point_at(s, true);
    if (holds(s))
        panic("thread %u takes rwsem %p twice", host_current->id, (void *)s);
    int err = 0;
    if (!take_write(s)) {
        __atomic_fetch_add(&s->writers_waiting, 1, __ATOMIC_SEQ_CST);
        err = sleep_until(s, take_write, &s->waiters, &s->waiting, killable, "waits to write");
        __atomic_fetch_sub(&s->writers_waiting, 1, __ATOMIC_SEQ_CST);
        if (err) {
            wake_sleepers(&s->waiters); /* readers that stood behind this writer */
            return -4;                  /* -EINTR */
        }
    }
    note_acquire(s, s->rank, false, false, nested);
    return 0;
}

void down_read(struct rwsem *s)
{
    rwsem_acquire_read(s, false);
}

int down_read_killable(struct rwsem *s)
{
    return rwsem_acquire_read(s, true);
}

void down_write(struct rwsem *s)
{
    rwsem_acquire_write(s, false, false);
}

void down_write_nested(struct rwsem *s)
{
    rwsem_acquire_write(s, false, true);
}

int down_write_killable(struct rwsem *s)
{
    return rwsem_acquire_write(s, true, false);
}

bool down_read_trylock(struct rwsem *s)
{
    host_point_at(s, false);
    if (!take_read(s))
        return false;
    note_acquire(s, RANK_NONE, false, true, false);
    return true;
}

bool down_write_trylock(struct rwsem *s)
{
    host_point_at(s, true);
    if (!take_write(s))
        return false;
    note_acquire(s, RANK_NONE, false, false, false);
    return true;
}

static void wake_if_any(struct rwsem *s)
{
    if (__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST))
        wake_sleepers(&s->waiters);
    host_point();
}

void up_read(struct rwsem *s)
{
    note_release(s, true);
    __atomic_fetch_sub(&s->state, 1, __ATOMIC_SEQ_CST);
    wake_if_any(s);
}

void up_write(struct rwsem *s)
{
    note_release(s, false);
    __atomic_store_n(&s->owner, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->state, 0, __ATOMIC_SEQ_CST);
    wake_if_any(s);
}

void downgrade_write(struct rwsem *s)
{
    note_release(s, false);
    note_acquire(s, RANK_NONE, false, true, false);
    __atomic_store_n(&s->owner, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&s->state, 1, __ATOMIC_SEQ_CST);
    wake_if_any(s);
}

bool rwsem_is_write_locked(const struct rwsem *s)
{
    return __atomic_load_n(&s->state, __ATOMIC_SEQ_CST) < 0;
}
