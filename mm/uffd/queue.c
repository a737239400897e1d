/* SPDX-License-Identifier: MIT */
/*
 * Messages and who sleeps for them.
 *
 *   fault   QUEUED on pending ──read──► on read ──wake, by range──► DONE, on no list
 *              └────────────wake, by range────────────────────────────┘
 *   event   QUEUED on events ──read──► DONE
 *                    └─ FORK ─► READING, on no list ─ descriptor made ─► DONE, or back to QUEUED
 *
 * A message is not copied anywhere: it lies with its sleeper, so nothing is allocated here and no queue can overflow.
 *
 * Locks: u->lock; U2 and U3 of mm/uffd.h.
 */
#include <port/cpu.h>
#include <port/sched.h>
#include "uffd_internal.h"

static void wait_init(struct uffd_wait *w, struct uffd *u, const struct uapi_uffd_msg *msg)
{
    w->u = u;
    w->forked = NULL;
    w->msg = *msg;
    w->state = UFFD_QUEUED;
    waitq_init(&w->waitq);
}

/* u->lock held: off its list and awake. */
static void finish(struct uffd_wait *w)
{
    list_del(&w->link);
    list_init(&w->link);
    WRITE_ONCE(w->state, UFFD_DONE);
    waitq_wake_all(&w->waitq); /* under the lock: U2 */
}

static void enqueue(struct uffd_wait *w, struct list_head *list)
{
    struct uffd *u = w->u;
    spin_lock(&u->lock);
    list_add_tail(&w->link, list);
    spin_unlock(&u->lock);
    waitq_wake_all(&u->readers);
}

/* ---- faults ---- */

void uffd_wait_begin(struct uffd_wait *w, struct uffd *u, const struct uapi_uffd_msg *msg)
{
    uffd_get(u);
    wait_init(w, u, msg);
    spin_lock(&u->lock);
    list_add_tail(&w->link, &u->pending);
    spin_unlock(&u->lock);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* U3: the caller looks at its entry now */
}

int uffd_wait_sleep(struct uffd_wait *w, bool interruptible)
{
    struct uffd *u = w->u;
    if (load_acquire(&u->released)) {
        cpu_relax(); /* until the area is free of it */
        return 0;
    }
    waitq_wake_all(&u->readers);
    if (interruptible)
        return waitq_wait_interruptible(&w->waitq, READ_ONCE(w->state) == UFFD_DONE);
    return waitq_wait_killable(&w->waitq, READ_ONCE(w->state) == UFFD_DONE);
}

void uffd_wait_end(struct uffd_wait *w)
{
    struct uffd *u = w->u;
    spin_lock(&u->lock);
    list_del(&w->link); /* from itself when it was woken */
    spin_unlock(&u->lock);
    uffd_put(u);
}

static void wake_list(struct list_head *list, u64 start, u64 len)
{
    struct uffd_wait *w, *next;
    list_for_each_entry_safe (w, next, list, link)
        if (!len || w->msg.pagefault.address - start < len)
            finish(w);
}

void uffd_wake(struct uffd *u, u64 start, u64 len)
{
    spin_lock(&u->lock);
    wake_list(&u->pending, start, len);
    wake_list(&u->read, start, len);
    spin_unlock(&u->lock);
}

/* ---- events ---- */

static void fork_lost(struct uffd *forked)
{
    struct mm *mm = forked->mm;
    if (mm_try_get(mm)) {
        mmap_write_lock(mm);
        for (struct vma *v = vma_first(mm); v; v = vma_next(v))
            if (v->uffd == forked)
                v = uffd_free_area(v);
        mmap_write_unlock(mm);
        mm_put(mm);
    }
    uffd_put(forked);
}

void uffd_wait_event(struct uffd *u, const struct uapi_uffd_msg *msg, struct uffd *forked)
{
    struct uffd_wait w;
    wait_init(&w, u, msg);
    w.forked = forked;
    enqueue(&w, &u->events);
    /* Killed or closed: what follows sorts that out. */
    (void)waitq_wait_killable(&w.waitq, READ_ONCE(w.state) == UFFD_DONE ||
                                            (load_acquire(&u->released) && READ_ONCE(w.state) == UFFD_QUEUED));
    spin_lock(&u->lock);
    while (w.state == UFFD_READING) {
        spin_unlock(&u->lock);
        waitq_wait(&w.waitq, READ_ONCE(w.state) != UFFD_READING);
        spin_lock(&u->lock);
    }
    bool lost = w.state == UFFD_QUEUED;
    if (lost)
        list_del(&w.link);
    spin_unlock(&u->lock);
    if (lost && forked)
        fork_lost(forked);
}

void uffd_wake_all(struct uffd *u)
{
    struct uffd_wait *w;
    spin_lock(&u->lock);
    wake_list(&u->pending, 0, 0);
    wake_list(&u->read, 0, 0);
    list_for_each_entry (w, &u->events, link)
        waitq_wake_all(&w->waitq);
    spin_unlock(&u->lock);
    waitq_wake_all(&u->readers);
}

/* ---- the reader ---- */

int uffd_read(struct uffd *u, struct uapi_uffd_msg *msg, struct uffd_wait **event)
{
    struct uffd_wait *w;
    int err = 0;
    *event = NULL;
    spin_lock(&u->lock);
    if (!list_empty(&u->pending)) {
        w = list_first_entry(&u->pending, struct uffd_wait, link);
        list_del(&w->link);
        list_add_tail(&w->link, &u->read);
        *msg = w->msg;
    } else if (!list_empty(&u->events)) {
        w = list_first_entry(&u->events, struct uffd_wait, link);
        *msg = w->msg;
        if (w->forked) {
            list_del(&w->link);
            WRITE_ONCE(w->state, UFFD_READING);
            *event = w;
        } else {
            finish(w);
        }
    } else {
        err = -EAGAIN;
    }
    spin_unlock(&u->lock);
    return err;
}

void uffd_read_done(struct uffd *u, struct uffd_wait *w, bool good)
{
    spin_lock(&u->lock);
    if (good) {
        WRITE_ONCE(w->state, UFFD_DONE);
    } else {
        WRITE_ONCE(w->state, UFFD_QUEUED);
        list_add(&w->link, &u->events);
    }
    waitq_wake_all(&w->waitq);
    spin_unlock(&u->lock);
}

bool uffd_readable(struct uffd *u)
{
    spin_lock(&u->lock);
    bool yes = !list_empty(&u->pending) || !list_empty(&u->events);
    spin_unlock(&u->lock);
    return yes;
}

void uffd_counts(struct uffd *u, u64 *pending, u64 *total)
{
    struct uffd_wait *w;
    *pending = *total = 0;
    spin_lock(&u->lock);
    list_for_each_entry (w, &u->pending, link)
        ++*pending;
    list_for_each_entry (w, &u->read, link)
        ++*total;
    spin_unlock(&u->lock);
    *total += *pending;
}
