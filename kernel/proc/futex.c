/* SPDX-License-Identifier: MIT */
/*
 * futex(2): a hash of waiters by key. Key: private (mm, address); shared: (page cache, offset), so that processes meet; a
 * shared futex in private memory is (mm, address) too.
 *
 *   wait: key · queue · value still as expected? · sleep          wake: bucket lock · take off · wake
 *
 * F1. A waiter queues first and reads the word afterwards, because the read may fault and so cannot be done under the lock:
 *     whoever changes the word and wakes after that finds the waiter.
 * F2. waiter->bucket changes only under the locks of both buckets (requeue); a waiter that leaves re-reads it.
 * PI locks keep the kernel's side simple: no priority inheritance (there are no priorities to lend), but owner hand-over in order.
 */
#include "futex.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <lib/hash.h>
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <mm/vma.h>
#include <port/clock.h>
#include <port/log.h>

#define BUCKET_BITS 9
static struct futex_bucket buckets[1 << BUCKET_BITS];

void futex_boot(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(buckets); i++)
        list_init(&buckets[i].waiters);
}

struct futex_bucket *futex_bucket_of(const struct futex_key *k)
{
    return &buckets[hash_u64((u64)(uptr)k->base * 31 + k->off, BUCKET_BITS)];
}

int futex_key_of(u64 uaddr, bool shared, struct futex_key *k)
{
    struct mm *mm = current_task()->mm;
    if (uaddr & 3)
        return -EINVAL;
    if ((s64)uaddr < 0 || uaddr >= mm->task_size)
        return -EFAULT;
    k->base = mm;
    k->off = uaddr;
    if (!shared)
        return 0;
    mmap_read_lock(mm);
    struct vma *v = vma_find(mm, uaddr);
    int err = 0;
    /* Private memory that one may only read never changes: nothing to wait for. */
    if (!v || vma_start(v) > uaddr || fault_check_access(v, v->mapping ? 0 : FAULT_WRITE) || vma_is_secret(v)) {
        err = -EFAULT;
    } else if (v->mapping && (v->flags & VM_SHARED)) {
        k->base = v->mapping;
        k->off = (vma_index(v, uaddr) << PAGE_SHIFT) | (uaddr & (PAGE_SIZE - 1));
    }
    mmap_read_unlock(mm);
    return err;
}

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a > b) {
        struct futex_bucket *t = a;
        a = b;
        b = t;
    }
    spin_lock(&a->lock);
    if (a != b)
        spin_lock_nested(&b->lock);
}
static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

void futex_wake_one_locked(struct futex_waiter *w)
{
    struct task *t = w->task;
    list_unlink(&w->link);
    store_release(
        &w->woken,
        true); /* w may be gone from here on; the task lives for a grace period at least */
    sched_wake(t);
}

bool futex_leave(struct futex_waiter *w)
{
    for (;;) { /* F2 */
        struct futex_bucket *b = READ_ONCE(w->bucket);
        spin_lock(&b->lock);
        bool again = w->bucket != b || w->handing;
        bool woken = w->woken;
        if (!again && !woken)
            list_unlink(&w->link);
        spin_unlock(&b->lock);
        if (!again)
            return woken;
        sched_yield_cpu();
    }
}

/* Sleeps until woken, timed out or signalled. 0, -ETIMEDOUT, -ERESTARTSYS. The waiter is queued, no lock held. */
int futex_sleep(struct futex_waiter *w, u64 deadline)
{
    int err = 0;
    for (;;) {
        sched_prepare(SCHED_INTERRUPTIBLE);
        if (load_acquire(&w->woken))
            break;
        if (signal_pending()) {
            err = -ERESTARTSYS;
            break;
        }
        if (sched_block_until(deadline)) {
            err = -ETIMEDOUT;
            break;
        }
    }
    sched_cancel();
    return err && !futex_leave(w) ? err : 0;
}

static s64 futex_wait(u64 uaddr, bool shared, u32 val, u64 deadline, u32 bitset)
{
    struct futex_waiter w = {.task = current_task(), .bitset = bitset};
    u32 now;
    if (!bitset)
        return -EINVAL;
    for (;;) {
        int err = futex_key_of(uaddr, shared, &w.key);
        if (err)
            return err;
        struct futex_bucket *b = futex_bucket_of(&w.key);
        w.bucket = b;
        /* Queued before the value is read: whoever changes it and wakes afterwards finds us. */
        w.woken = false;
        spin_lock(&b->lock);
        list_add_tail(&w.link, &b->waiters);
        spin_unlock(&b->lock);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        err = get_user(now, uaddr);
        if (err || now != val) {
            bool woken = futex_leave(&w);
            if (err)
                return err;
            /* A wake-up that hit us meanwhile was meant for a waiter: it counts as ours, as if we had slept. */
            return woken ? 0 : -EAGAIN;
        }
        err = futex_sleep(&w, deadline);
        return err;
    }
}

static s64 futex_wake(u64 uaddr, bool shared, u32 n, u32 bitset)
{
    struct futex_key k;
    int err = futex_key_of(uaddr, shared, &k);
    if (err)
        return err;
    if (!bitset)
        return -EINVAL;
    struct futex_bucket *b = futex_bucket_of(&k);
    struct futex_waiter *w, *next;
    s64 woken = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (list_empty(&b->waiters))
        return 0;
    spin_lock(&b->lock);
    list_for_each_entry_safe (w, next, &b->waiters, link) {
        if (woken >= n)
            break;
        if (!futex_key_eq(&w->key, &k) || !(w->bitset & bitset))
            continue;
        if (w->pi) {
            woken = -EINVAL;
            break;
        }
        futex_wake_one_locked(w);
        woken++;
    }
    spin_unlock(&b->lock);
    return woken;
}

/* A PI waiter looks at the word again: its owner has died. */
void futex_wake_pi_addr(u64 uaddr)
{
    for (int shared = 0; shared < 2; shared++) {
        struct futex_key k;
        struct futex_waiter *w;
        if (futex_key_of(uaddr, shared, &k))
            return;
        struct futex_bucket *b = futex_bucket_of(&k);
        spin_lock(&b->lock);
        list_for_each_entry (w, &b->waiters, link) {
            if (futex_key_eq(&w->key, &k) && w->pi) {
                futex_wake_one_locked(w);
                break;
            }
        }
        spin_unlock(&b->lock);
    }
}

int futex_wake_addr(u64 uaddr, int n)
{
    futex_wake(uaddr, true, (u32)n, ~0u);
    return (int)futex_wake(uaddr, false, (u32)n, ~0u);
}

static s64 futex_requeue(u64 from, u64 to, bool shared, u32 nwake, u32 nmove, const u32 *expect)
{
    struct futex_key a, b;
    int err = futex_key_of(from, shared, &a);
    if (!err)
        err = futex_key_of(to, shared, &b);
    if (err)
        return err;
    if ((s32)nwake < 0 || (s32)nmove < 0)
        return -EINVAL;
    if (expect) {
        u32 now;
        if (get_user(now, from))
            return -EFAULT;
        if (now != *expect)
            return -EAGAIN;
    }
    struct futex_bucket *ba = futex_bucket_of(&a), *bb = futex_bucket_of(&b);
    struct futex_waiter *w, *next;
    u32 woken = 0, moved = 0;
    lock_two(ba, bb);
    list_for_each_entry_safe (w, next, &ba->waiters, link) {
        if (!futex_key_eq(&w->key, &a) || w->pi)
            continue;
        if (woken < nwake) {
            futex_wake_one_locked(w);
            woken++;
        } else if (moved < nmove) {
            w->key = b;
            if (ba != bb) {
                list_move_tail(&w->link, &bb->waiters);
                WRITE_ONCE(w->bucket, bb);
            }
            moved++;
        } else {
            break;
        }
    }
    unlock_two(ba, bb);
    return woken + moved;
}

static bool op_compare(u32 v, u32 how, s32 arg)
{
    s32 s = (s32)v;
    switch (how) {
    case 0:
        return s == arg;
    case 1:
        return s != arg;
    case 2:
        return s < arg;
    case 3:
        return s <= arg;
    case 4:
        return s > arg;
    default:
        return s >= arg;
    }
}

static s64 futex_wake_op(u64 a, u64 b, bool shared, u32 n1, u32 n2, u32 enc)
{
    u32 op = enc >> 28 & 7, cmp = enc >> 24 & 15, old;
    s32 oparg = (s32)(enc << 8) >> 20, cmparg = (s32)(enc << 20) >> 20;
    if (enc & 1u << 31)
        oparg = (s32)(1u << (oparg & 31));
    if (op > 4 || cmp > 5)
        return -ENOSYS;
    struct futex_key k;
    int err = futex_key_of(a, shared, &k);
    if (!err)
        err = futex_key_of(b, shared, &k);
    if (!err)
        err = user_futex_op(b, (int)op, (u32)oparg, &old);
    if (err)
        return err;
    s64 woken = futex_wake(a, shared, n1, ~0u);
    if (woken >= 0 && op_compare(old, cmp, cmparg)) {
        s64 more = futex_wake(b, shared, n2, ~0u);
        woken = more < 0 ? more : woken + more;
    }
    return woken;
}

static int futex_deadline(u64 utime, int cmd, bool realtime, u64 *deadline)
{
    s64 sec, nsec;
    *deadline = U64_MAX;
    if (!utime)
        return 0;
    int err = timespec_from_user(utime, &sec, &nsec);
    if (err)
        return err;
    u64 ns = timespec_to_ns(sec, nsec);
    if (cmd == FUTEX_WAIT) {
        u64 now = clock_ns();
        *deadline = now + ns < now ? U64_MAX - 1 : now + ns;
        return 0;
    }
    if (realtime || cmd == FUTEX_LOCK_PI) { /* an absolute wall-clock time */
        s64 rel = (s64)ns - realtime_ns();
        *deadline = rel <= 0 ? 0 : clock_ns() + (u64)rel;
        return 0;
    }
    *deadline = ns;
    return 0;
}

SYSCALL(futex)
{
    int cmd = (int)a1 & FUTEX_CMD_MASK;
    bool shared = !(a1 & FUTEX_PRIVATE_FLAG), realtime = a1 & FUTEX_CLOCK_REALTIME;
    u64 deadline = U64_MAX;
    if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 &&
        cmd != FUTEX_WAIT_REQUEUE_PI && cmd != FUTEX_WAIT)
        return -ENOSYS;
    if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
        cmd == FUTEX_LOCK_PI2) {
        int err = futex_deadline(a3, cmd, realtime, &deadline);
        if (err)
            return err;
    }
    switch (cmd) {
    case FUTEX_WAIT:
        return futex_wait(a0, shared, (u32)a2, deadline, ~0u);
    case FUTEX_WAIT_BITSET:
        return futex_wait(a0, shared, (u32)a2, deadline, (u32)a5);
    case FUTEX_WAKE:
        return futex_wake(a0, shared, max((u32)a2, 1u), ~0u);
    case FUTEX_WAKE_BITSET:
        return futex_wake(a0, shared, max((u32)a2, 1u), (u32)a5);
    case FUTEX_REQUEUE:
        return futex_requeue(a0, a4, shared, (u32)a2, (u32)a3, NULL);
    case FUTEX_CMP_REQUEUE: {
        u32 expect = (u32)a5;
        return futex_requeue(a0, a4, shared, (u32)a2, (u32)a3, &expect);
    }
    case FUTEX_WAKE_OP:
        return futex_wake_op(a0, a4, shared, (u32)a2, (u32)a3, (u32)a5);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_lock_pi(a0, shared, deadline, false);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_pi(a0, shared, 0, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_pi(a0, shared);
    default:
        return -ENOSYS;
    }
}
