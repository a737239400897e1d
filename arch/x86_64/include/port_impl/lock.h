/* SPDX-License-Identifier: MIT */
/*
 * Port: locks and RCU on x86-64. Contract in <port/lock.h>. Uncontended paths are here; what waits
 * is in kernel/sched/.
 *
 *  spinlock  0 free, 1 held. Spins on plain loads; interrupts stay as they were, so that flush
 *            requests are answered.
 *  mutex     state: MUTEX_FREE, MUTEX_HELD, MUTEX_WAITED (held, somebody may sleep in `wait`)
 *  rwsem     count: bit 0 RWSEM_WRITER, bit 1 RWSEM_WAITERS, above them the number of readers in
 *            units of RWSEM_READER. A reader that finds WRITER or WAITERS takes its count back in
 *            the slow path and queues.
 *  waitq     the queue of sleepers; see port_impl/sched.h
 *
 * Slow paths (kernel/sched/mutex.c, rwsem.c) are entered with the lock not taken and return when
 * it is, or -EINTR.
 */
#ifndef PORT_IMPL_LOCK_H
#define PORT_IMPL_LOCK_H
#include <lib/list.h>
#include <arch/cpu.h>

typedef struct {
    u32 v;
} spinlock_t;
#define SPINLOCK_INIT(rank)                                                                        \
    {                                                                                              \
        0                                                                                          \
    }

void spin_lock_slow(spinlock_t *lock);

static inline void spin_init(spinlock_t *lock, enum lock_rank rank)
{
    lock->v = 0;
}
static inline void spin_lock(spinlock_t *lock)
{
    if (unlikely(__atomic_exchange_n(&lock->v, 1, __ATOMIC_ACQUIRE)))
        spin_lock_slow(lock);
}
static inline void spin_lock_nested(spinlock_t *lock)
{
    spin_lock(lock);
}
static inline bool spin_trylock(spinlock_t *lock)
{
    return !READ_ONCE(lock->v) && !__atomic_exchange_n(&lock->v, 1, __ATOMIC_ACQUIRE);
}
static inline void spin_unlock(spinlock_t *lock)
{
    __atomic_store_n(&lock->v, 0, __ATOMIC_RELEASE);
}
static inline bool spin_is_locked(const spinlock_t *lock)
{
    return READ_ONCE(lock->v);
}

/* For data shared with interrupt handlers: kernel/, drivers. */
static inline u64 spin_lock_irqsave(spinlock_t *lock)
{
    u64 flags = irq_save();
    spin_lock(lock);
    return flags;
}
static inline void spin_unlock_irqrestore(spinlock_t *lock, u64 flags)
{
    spin_unlock(lock);
    irq_restore(flags);
}

struct waitq {
    spinlock_t lock; /* irqsave */
    struct list_head sleepers;
};

enum { MUTEX_FREE, MUTEX_HELD, MUTEX_WAITED };
struct mutex {
    u32 state;
    struct waitq wait;
};
#define MUTEX_INIT(name)                                                                           \
    {                                                                                              \
        MUTEX_FREE,                                                                                \
        {                                                                                          \
            SPINLOCK_INIT(RANK_KERNEL_LEAF), LIST_HEAD_INIT((name).wait.sleepers)                  \
        }                                                                                          \
    }

void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(
    struct mutex *m); /* state was MUTEX_WAITED: frees it and wakes one sleeper */
int mutex_lock_interruptible_slow(struct mutex *m); /* -EINTR when a signal is pending */

static inline void mutex_init(struct mutex *m, enum lock_rank rank)
{
    m->state = MUTEX_FREE;
    m->wait.lock.v = 0;
    list_init(&m->wait.sleepers);
}
static inline bool mutex_trylock(struct mutex *m)
{
    u32 old = MUTEX_FREE;
    return __atomic_compare_exchange_n(&m->state, &old, MUTEX_HELD, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
static inline void mutex_lock(struct mutex *m)
{
    if (unlikely(!mutex_trylock(m)))
        mutex_lock_slow(m);
}
static inline int mutex_lock_interruptible(struct mutex *m)
{
    return likely(mutex_trylock(m)) ? 0 : mutex_lock_interruptible_slow(m);
}
static inline void mutex_unlock(struct mutex *m)
{
    u32 old = MUTEX_HELD;
    if (unlikely(!__atomic_compare_exchange_n(&m->state, &old, MUTEX_FREE, false, __ATOMIC_RELEASE,
                                              __ATOMIC_RELAXED)))
        mutex_unlock_slow(m);
}
static inline bool mutex_is_locked(const struct mutex *m)
{
    return READ_ONCE(m->state) != MUTEX_FREE;
}

#define RWSEM_WRITER  1L
#define RWSEM_WAITERS 2L
#define RWSEM_READER  4L
struct rwsem {
    s64 count;
    struct waitq wait; /* its lock also guards hand-over */
};
#define RWSEM_INIT(name)                                                                           \
    {                                                                                              \
        0,                                                                                         \
        {                                                                                          \
            SPINLOCK_INIT(RANK_KERNEL_LEAF), LIST_HEAD_INIT((name).wait.sleepers)                  \
        }                                                                                          \
    }

/* down_read_slow: the reader's RWSEM_READER is still in count.
 * killable: may return -EINTR, with nothing held. */
int down_read_slow(struct rwsem *sem, bool killable);
int down_write_slow(struct rwsem *sem, bool killable);
/* RWSEM_WAITERS is set and a reader or the writer has just left: wakes whom it concerns. */
void rwsem_wake(struct rwsem *sem);

static inline void rwsem_init(struct rwsem *sem, enum lock_rank rank)
{
    sem->count = 0;
    sem->wait.lock.v = 0;
    list_init(&sem->wait.sleepers);
}
static inline int down_read_common(struct rwsem *sem, bool killable)
{
    s64 old = __atomic_fetch_add(&sem->count, RWSEM_READER, __ATOMIC_ACQUIRE);
    return unlikely(old & (RWSEM_WRITER | RWSEM_WAITERS)) ? down_read_slow(sem, killable) : 0;
}
static inline void down_read(struct rwsem *sem)
{
    (void)down_read_common(sem, false);
}
static inline int down_read_killable(struct rwsem *sem)
{
    return down_read_common(sem, true);
}
static inline bool down_read_trylock(struct rwsem *sem)
{
    s64 old = READ_ONCE(sem->count);
    while (!(old & (RWSEM_WRITER | RWSEM_WAITERS)))
        if (__atomic_compare_exchange_n(&sem->count, &old, old + RWSEM_READER, true,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    return false;
}
static inline void up_read(struct rwsem *sem)
{
    s64 now = __atomic_sub_fetch(&sem->count, RWSEM_READER, __ATOMIC_RELEASE);
    if (unlikely(now & RWSEM_WAITERS))
        rwsem_wake(sem);
}
static inline bool down_write_trylock(struct rwsem *sem)
{
    s64 old = 0;
    return __atomic_compare_exchange_n(&sem->count, &old, RWSEM_WRITER, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
static inline void down_write(struct rwsem *sem)
{
    if (unlikely(!down_write_trylock(sem)))
        (void)down_write_slow(sem, false);
}
/* Ranks are not checked in this home, so nesting is nothing special. */
static inline void down_write_nested(struct rwsem *sem)
{
    down_write(sem);
}
static inline int down_write_killable(struct rwsem *sem)
{
    return likely(down_write_trylock(sem)) ? 0 : down_write_slow(sem, true);
}
static inline void up_write(struct rwsem *sem)
{
    s64 now = __atomic_sub_fetch(&sem->count, RWSEM_WRITER, __ATOMIC_RELEASE);
    if (unlikely(now & RWSEM_WAITERS))
        rwsem_wake(sem);
}
static inline void downgrade_write(struct rwsem *sem)
{
    s64 now = __atomic_add_fetch(&sem->count, RWSEM_READER - RWSEM_WRITER, __ATOMIC_RELEASE);
    if (unlikely(now & RWSEM_WAITERS))
        rwsem_wake(sem);
}
static inline bool rwsem_is_write_locked(const struct rwsem *sem)
{
    return READ_ONCE(sem->count) & RWSEM_WRITER;
}

/* Kernel code is switched only where it sleeps, so a reader needs nothing but order in the
 * compiler. */
static inline void rcu_read_lock(void)
{
    barrier();
}
static inline void rcu_read_unlock(void)
{
    barrier();
}
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
void rcu_synchronize(void);
void rcu_barrier(void);
#endif
