/* SPDX-License-Identifier: MIT */
/*
 * PI futexes and what a dying thread leaves in user memory: robust lists and clear_child_tid.
 *
 *   word   0 free · tid held · tid | WAITERS somebody sleeps · OWNER_DIED the holder ended without unlocking
 *
 * All changes of the word by the kernel are user_cmpxchg_u32() with the new value decided from the queue; the unlocker hands the
 * word to the first waiter before waking it, so that nobody overtakes. The word may fault and so is never touched under a lock:
 * each step loops until the exchange found what it expected.
 */
#include "futex.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <mm/mm.h>
#include <port/clock.h>
#include <port/uaccess.h>

static bool take_word(u64 uaddr, u32 tid, s64 *result)
{
    u32 old = 0;
    int err = user_cmpxchg_u32(uaddr, &old, tid);
    if (err) {
        *result = err;
        return true;
    }
    while ((old & FUTEX_TID_MASK) == 0) { /* free, perhaps with WAITERS or OWNER_DIED left */
        u32 want = old;
        if (old == 0 && !err) {
            *result = 0;
            return true;
        }
        err = user_cmpxchg_u32(uaddr, &want, tid | (old & (FUTEX_WAITERS | FUTEX_OWNER_DIED)));
        if (err || want == old) {
            *result = err;
            return true;
        }
        old = want;
    }
    if ((old & FUTEX_TID_MASK) == tid) {
        *result = -EDEADLK;
        return true;
    }
    return false;
}

/* Is the owner that the word names still there? */
static bool owner_alive(u32 word)
{
    struct task *t = task_find((s32)(word & FUTEX_TID_MASK));
    if (!t)
        return false;
    task_put(t);
    return true;
}

s64 futex_lock_pi(u64 uaddr, bool shared, u64 deadline, bool try_only)
{
    struct futex_waiter w = {.task = current_task(), .bitset = ~0u, .pi = true};
    u32 tid = (u32)current_task()->tid;
    int err = futex_key_of(uaddr, shared, &w.key);
    if (err)
        return err;
    struct futex_bucket *b = futex_bucket_of(&w.key);
    for (;;) {
        s64 result;
        if (take_word(uaddr, tid, &result))
            return result;
        if (try_only)
            return -EAGAIN;
        u32 word;
        if (get_user(word, uaddr))
            return -EFAULT;
        if (!(word & FUTEX_TID_MASK))
            continue;
        if (!owner_alive(word))
            return -ESRCH;
        w.woken = w.granted = false;
        w.bucket = b;
        spin_lock(&b->lock);
        list_add_tail(&w.link, &b->waiters);
        spin_unlock(&b->lock);
        u32 old = word;
        err = user_cmpxchg_u32(uaddr, &old, word | FUTEX_WAITERS);
        if (err || old != word) {
            if (futex_leave(&w) && w.granted)
                return 0;
            if (err)
                return err;
            continue;
        }
        err = futex_sleep(&w, deadline);
        if (!err && w.granted)
            return 0;
        if (err == -ERESTARTSYS)
            return -ERESTARTNOINTR;
        if (err)
            return err;
    }
}

/* Takes the first PI waiter for k off the queue, to hand it the word; it can't leave until hand_over() or put_back(). */
static struct futex_waiter *take_first(struct futex_bucket *b, const struct futex_key *k)
{
    struct futex_waiter *w, *first = NULL;
    spin_lock(&b->lock);
    list_for_each_entry (w, &b->waiters, link) {
        if (w->pi && futex_key_eq(&w->key, k)) {
            first = w;
            first->handing = true;
            list_unlink(&first->link);
            break;
        }
    }
    spin_unlock(&b->lock);
    return first;
}

static void put_back(struct futex_bucket *b, struct futex_waiter *w)
{
    spin_lock(&b->lock);
    w->handing = false;
    list_add(&w->link, &b->waiters);
    spin_unlock(&b->lock);
}

static void hand_over(struct futex_bucket *b, struct futex_waiter *w)
{
    spin_lock(&b->lock);
    struct task *t = w->task;
    w->granted = true;
    w->handing = false;
    store_release(&w->woken, true);
    sched_wake(t);
    spin_unlock(&b->lock);
}

s64 futex_unlock_pi(u64 uaddr, bool shared)
{
    struct futex_key k;
    u32 tid = (u32)current_task()->tid, word;
    int err = futex_key_of(uaddr, shared, &k);
    if (err)
        return err;
    if (get_user(word, uaddr))
        return -EFAULT;
    if ((word & FUTEX_TID_MASK) != tid)
        return -EPERM;
    struct futex_bucket *b = futex_bucket_of(&k);
    for (;;) {
        /* WAITERS stays set with an heir: somebody may queue this very moment and rely on it. */
        struct futex_waiter *heir = take_first(b, &k);
        u32 old = word, next = heir ? (u32)heir->task->tid | FUTEX_WAITERS : 0;
        err = user_cmpxchg_u32(uaddr, &old, next);
        if (!err && old == word) {
            if (heir)
                hand_over(b, heir);
            else
                futex_wake_pi_addr(uaddr); /* who queued after our look tries again */
            return 0;
        }
        if (heir)
            put_back(b, heir);
        if (err)
            return err;
        word = old; /* a new waiter set WAITERS */
        if ((word & FUTEX_TID_MASK) != tid)
            return -EPERM;
    }
}

/* ---- the end of a thread ---- */

static void robust_one(u64 uaddr, bool pi, u32 tid)
{
    u32 word;
    if ((uaddr & 3) || get_user(word, uaddr))
        return;
    while ((word & FUTEX_TID_MASK) == tid) {
        u32 old = word;
        if (user_cmpxchg_u32(uaddr, &old, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
            return;
        if (old == word) {
            if (pi)
                futex_wake_pi_addr(uaddr);
            else if (word & FUTEX_WAITERS)
                futex_wake_addr(uaddr, 1);
            return;
        }
        word = old;
    }
}

static void robust_walk(struct task *t)
{
    u64 head = t->robust_list, entry, pending, next;
    s64 offset;
    if (get_user(entry, head) || get_user(offset, head + 8) || get_user(pending, head + 16))
        return;
    for (u32 limit = 2048; limit && (entry & ~1UL) != head; limit--) {
        if (get_user(next, entry & ~1UL))
            break;
        if (entry != pending)
            robust_one((entry & ~1UL) + (u64)offset, entry & 1, (u32)t->tid);
        entry = next;
    }
    if (pending)
        robust_one((pending & ~1UL) + (u64)offset, pending & 1, (u32)t->tid);
}

void futex_exit(struct task *t)
{
    if (!t->mm)
        return;
    if (t->robust_list) {
        robust_walk(t);
        t->robust_list = 0;
    }
    if (t->clear_child_tid) {
        if (READ_ONCE(t->mm->users) > 1) {
            put_user(0u, t->clear_child_tid);
            futex_wake_addr(t->clear_child_tid, 1);
        }
        t->clear_child_tid = 0;
    }
}

SYSCALL(set_robust_list)
{
    if (a1 != 24)
        return -EINVAL;
    current_task()->robust_list = a0;
    return 0;
}

SYSCALL(get_robust_list)
{
    struct task *t = a0 ? task_find((s32)a0) : task_get(current_task());
    if (!t)
        return -ESRCH;
    u64 head = t->robust_list;
    task_put(t);
    return put_user(head, a1) || put_user(24UL, a2) ? -EFAULT : 0;
}

SYSCALL(set_tid_address)
{
    struct task *t = current_task();
    t->clear_child_tid = a0;
    return t->tid;
}
