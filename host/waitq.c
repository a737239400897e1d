/* SPDX-License-Identifier: MIT */
/*
 * Wait queues. A waiter arms itself (prepare), looks at its condition, and sleeps; a wake-up in between sets `woken`, so
 * that the sleep returns at once. Woken waiters leave the queue: wake_one wakes the longest sleeper that is still on it.
 */
#include <host/explore.h>
#include <host/sched_internal.h>

void waitq_init(struct waitq *wq)
{
    list_init(&wq->waiters);
    wq->waiting = 0;
}

void host_waitq_begin(struct host_waiter *w, struct waitq *wq)
{
    host_check_may_sleep("waitq_wait");
    *w = (struct host_waiter){.wq = wq, .thread = host_current};
    host_point_at(wq, true);
}

void host_waitq_prepare(struct host_waiter *w)
{
    host_sched_lock();
    w->woken = false;
    if (!w->queued) {
        w->queued = true;
        list_add_tail(&w->link, &w->wq->waiters);
        __atomic_fetch_add(&w->wq->waiting, 1, __ATOMIC_SEQ_CST);
    }
    host_sched_unlock();
}

void host_waitq_sleep(struct host_waiter *w)
{
    host_check_may_sleep("waitq_wait"); /* the condition may have taken a lock */
    host_sched_lock();
    while (!w->woken)
        host_block("sleeps on", w->wq);
    host_sched_unlock();
}

bool host_waitq_sleep_until(struct host_waiter *w, u64 deadline)
{
    bool in_time = true;
    host_check_may_sleep("waitq_wait_until");
    host_sched_lock();
    while (!w->woken && !sched_fatal_signal() && in_time)
        in_time = host_block_until("sleeps on", w->wq, deadline);
    host_sched_unlock();
    return w->woken || in_time;
}

static void dequeue(struct host_waiter *w)
{
    if (!w->queued)
        return;
    w->queued = false;
    list_del(&w->link);
    __atomic_fetch_sub(&w->wq->waiting, 1, __ATOMIC_SEQ_CST);
}

/* After this the queue itself may be freed by whoever owned the condition. */
void host_waitq_end(struct host_waiter *w)
{
    host_sched_lock();
    dequeue(w);
    host_sched_unlock();
    host_point();
}

static void wake(struct waitq *wq, bool all)
{
    while (!list_empty(&wq->waiters)) {
        struct host_waiter *w = list_first_entry(&wq->waiters, struct host_waiter, link);
        dequeue(w);
        w->woken = true;
        host_unblock(w->thread);
        if (!all)
            return;
    }
}

void host_wake_locked(struct waitq *wq)
{
    wake(wq, true);
}

static void wake_queue(struct waitq *wq, bool all)
{
    host_explore_note(wq, true);
    if (__atomic_load_n(&wq->waiting, __ATOMIC_SEQ_CST)) {
        host_sched_lock();
        wake(wq, all);
        host_sched_unlock();
    }
    host_point();
}

void waitq_wake_all(struct waitq *wq)
{
    wake_queue(wq, true);
}

void waitq_wake_one(struct waitq *wq)
{
    wake_queue(wq, false);
}
