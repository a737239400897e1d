/* SPDX-License-Identifier: MIT */
/*
 * Wait queues (port/sched.h) and sleeping. A sleeper is taken off the queue by who wakes it; entries without a thread are
 * callbacks (kernel/sched.h), which stay.
 */
#include "rq.h"
#include <kernel/signal.h>
#include <port/log.h>

static enum sched_state state_of(enum wait_mode mode)
{
    return mode == WAIT_DEEP       ? SCHED_SLEEPING
           : mode == WAIT_KILLABLE ? SCHED_KILLABLE
                                   : SCHED_INTERRUPTIBLE;
}

void waitq_begin(struct waitq *wq, struct waitq_entry *e, enum wait_mode mode)
{
    u64 flags = spin_lock_irqsave(&wq->lock);
    if (list_empty(&e->link)) {
        e->thread = current_task();
        list_add_tail(&e->link, &wq->sleepers);
    }
    sched_prepare(state_of(mode));
    spin_unlock_irqrestore(&wq->lock, flags);
}

int waitq_sleep(struct waitq *wq, struct waitq_entry *e)
{
    return waitq_sleep_until(wq, e, U64_MAX);
}

/* The signal is looked at before and after: one that came before sched_prepare() finds no sleeper to wake. */
int waitq_sleep_until(struct waitq *wq, struct waitq_entry *e, u64 deadline_ns)
{
    u8 state = READ_ONCE(current_task()->thread.state);
    if (state == SCHED_INTERRUPTIBLE && signal_pending())
        return -ERESTARTSYS;
    if (state == SCHED_KILLABLE && fatal_signal_pending())
        return -EINTR;
    return sched_block_until(deadline_ns) ? -ETIMEDOUT : 0;
}

void waitq_end(struct waitq *wq, struct waitq_entry *e)
{
    sched_cancel();
    u64 flags = spin_lock_irqsave(&wq->lock);
    list_del_init(&e->link);
    spin_unlock_irqrestore(&wq->lock, flags);
}

/* wq->lock held: wakes in order until `exclusive` wake-ups of exclusive entries were spent. */
static void wake_locked(struct waitq *wq, bool all)
{
    struct waitq_entry *e, *next;
    list_for_each_entry_safe (e, next, &wq->sleepers, link) {
        if (!e->thread) {
            struct waitq_callback *cb = container_of(e, struct waitq_callback, entry);
            cb->fn(cb);
            continue;
        }
        list_del_init(&e->link);
        sched_wake(e->thread);
        if (!all)
            break;
    }
}

void waitq_wake_all_slow(struct waitq *wq)
{
    u64 flags = spin_lock_irqsave(&wq->lock);
    wake_locked(wq, true);
    spin_unlock_irqrestore(&wq->lock, flags);
}

void waitq_wake_one_slow(struct waitq *wq)
{
    u64 flags = spin_lock_irqsave(&wq->lock);
    wake_locked(wq, false);
    spin_unlock_irqrestore(&wq->lock, flags);
}

void waitq_callback_add(struct waitq *wq, struct waitq_callback *cb,
                        bool (*fn)(struct waitq_callback *cb))
{
    cb->fn = fn;
    cb->wq = wq;
    cb->entry.thread = NULL;
    cb->entry.exclusive = false;
    u64 flags = spin_lock_irqsave(&wq->lock);
    list_add(&cb->entry.link,
             &wq->sleepers); /* in front: a wake-up of one sleeper reaches every callback */
    spin_unlock_irqrestore(&wq->lock, flags);
}

void waitq_callback_remove(struct waitq_callback *cb)
{
    struct waitq *wq = cb->wq;
    u64 flags = spin_lock_irqsave(&wq->lock);
    list_del_init(&cb->entry.link);
    spin_unlock_irqrestore(&wq->lock, flags);
}
