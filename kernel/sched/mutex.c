/* SPDX-License-Identifier: MIT */
/*
 * Slow paths of mutexes and read-write semaphores (port_impl/lock.h).
 *
 * mutex   A waiter sets MUTEX_WAITED before it sleeps; the unlocker that finds it frees the mutex and wakes one. A woken
 *         waiter takes it as MUTEX_WAITED, because others may still sleep: one needless wake-up at most, none lost.
 * rwsem   With RWSEM_WAITERS set nobody takes the fast path. Waiters queue in order; a leaving holder hands the lock on:
 *         to the first writer, or to all readers before the first writer. So nobody starves.
 */
#include "rq.h"
#include <kernel/signal.h>
#include <port/log.h>

static int mutex_wait(struct mutex *m, enum wait_mode mode)
{
    int err = 0;
    struct waitq_entry e = {{&e.link, &e.link}, NULL, true};
    for (;;) {
        waitq_begin(&m->wait, &e, mode);
        if (__atomic_exchange_n(&m->state, MUTEX_WAITED, __ATOMIC_ACQUIRE) == MUTEX_FREE)
            break;
        err = waitq_sleep(&m->wait, &e);
        if (err)
            break;
    }
    waitq_end(&m->wait, &e);
    /* Cut short while a wake-up may have been meant for us: pass it on, or the mutex would stay free with sleepers. */
    if (err && READ_ONCE(m->state) == MUTEX_FREE)
        waitq_wake_one(&m->wait);
    return err;
}

void mutex_lock_slow(struct mutex *m)
{
    mutex_wait(m, WAIT_DEEP);
}

int mutex_lock_interruptible_slow(struct mutex *m)
{
    return mutex_wait(m, WAIT_INTERRUPTIBLE) ? -EINTR : 0;
}

void mutex_unlock_slow(struct mutex *m)
{
    ASSERT(m->state == MUTEX_WAITED);
    __atomic_store_n(&m->state, MUTEX_FREE, __ATOMIC_RELEASE);
    waitq_wake_one(&m->wait);
}

struct rwsem_waiter {
    struct list_head link; /* sem->wait.sleepers */
    struct task *task;
    bool writer;
    bool granted;
};

/*
 * wait.lock held: gives the lock to whoever may have it now, and keeps RWSEM_WAITERS true to the list.
 * While RWSEM_WAITERS is set only leaving holders and readers that will take their count back change `count` beside us.
 */
static void hand_over(struct rwsem *sem)
{
    while (!list_empty(&sem->wait.sleepers)) {
        struct rwsem_waiter *w = list_first_entry(&sem->wait.sleepers, struct rwsem_waiter, link);
        s64 old = READ_ONCE(sem->count);
        if (w->writer) {
            /* Free but for the waiters' bit. A passing reader's count keeps us out; it calls back when it leaves. */
            s64 want = RWSEM_WAITERS;
            if (old != want)
                return;
            if (!__atomic_compare_exchange_n(&sem->count, &want, RWSEM_WAITERS | RWSEM_WRITER,
                                             false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                continue;
        } else {
            if (old & RWSEM_WRITER)
                return;
            if (!__atomic_compare_exchange_n(&sem->count, &old, old + RWSEM_READER, false,
                                             __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
                continue;
        }
        list_del_init(&w->link);
        struct task *t = w->task;
        bool writer = w->writer;
        store_release(&w->granted, true); /* w may be gone from here on */
        sched_wake(t);
        if (writer)
            break;
    }
    if (list_empty(&sem->wait.sleepers))
        __atomic_fetch_and(&sem->count, ~RWSEM_WAITERS, __ATOMIC_RELAXED);
}

void rwsem_wake(struct rwsem *sem)
{
    u64 flags = spin_lock_irqsave(&sem->wait.lock);
    if (!list_empty(&sem->wait.sleepers))
        hand_over(sem);
    spin_unlock_irqrestore(&sem->wait.lock, flags);
}

static int rwsem_wait(struct rwsem *sem, bool writer, bool killable)
{
    struct rwsem_waiter w = {.task = current_task(), .writer = writer};
    u64 flags = spin_lock_irqsave(&sem->wait.lock);
    list_add_tail(&w.link, &sem->wait.sleepers);
    __atomic_fetch_or(&sem->count, RWSEM_WAITERS, __ATOMIC_SEQ_CST);
    if (!writer)
        __atomic_fetch_sub(&sem->count, RWSEM_READER, __ATOMIC_SEQ_CST);
    hand_over(sem);
    spin_unlock_irqrestore(&sem->wait.lock, flags);

    for (;;) {
        sched_prepare(killable ? SCHED_KILLABLE : SCHED_SLEEPING);
        if (load_acquire(&w.granted))
            break;
        if (killable && fatal_signal_pending()) {
            flags = spin_lock_irqsave(&sem->wait.lock);
            bool granted = w.granted;
            if (!granted) {
                list_del_init(&w.link);
                hand_over(sem);
            }
            spin_unlock_irqrestore(&sem->wait.lock, flags);
            if (!granted) {
                sched_cancel();
                return -EINTR;
            }
            break;
        }
        sched_block();
    }
    sched_cancel();
    return 0;
}

int down_read_slow(struct rwsem *sem, bool killable)
{
    return rwsem_wait(sem, false, killable);
}

int down_write_slow(struct rwsem *sem, bool killable)
{
    return rwsem_wait(sem, true, killable);
}
