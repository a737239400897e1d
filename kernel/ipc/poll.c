/* SPDX-License-Identifier: MIT */
/*
 * poll, ppoll, select, pselect6 and what they share: a poller that hangs callbacks on queues and sleeps till one is called.
 *
 *   ask every file (first round: with the table, so that callbacks are hung) ─ anything? ─ yes ─> answer
 *        ^                                                                      │ no
 *        └───────────── woken, ask again without the table ── sleep ── not triggered since the round began
 *
 * L1. poller->triggered is cleared before a round and set by callbacks, so an event during the round is not slept over.
 */
#include "ipc.h"
#include "poller.h"
#include <kernel/poll.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/clock.h>

void poll_wait(struct poll_table *pt, struct waitq *wq)
{
    if (pt)
        pt->queue(pt, wq);
}

static bool poller_event(struct waitq_callback *cb)
{
    struct poller *p = container_of(cb, struct poll_entry, cb)->poller;
    __atomic_store_n(&p->triggered, true, __ATOMIC_SEQ_CST);
    return sched_wake(p->task);
}

static void poller_queue(struct poll_table *pt, struct waitq *wq)
{
    struct poller *p = container_of(pt, struct poller, pt);
    struct poll_entry *e;
    if (p->nr < POLL_INLINE) {
        e = &p->first[p->nr++];
    } else {
        struct poll_chunk *c = p->chunks;
        if (!c || c->nr == POLL_CHUNK) {
            c = kmalloc(sizeof(*c), GFP_KERNEL);
            if (!c) {
                p->no_memory = true;
                return;
            }
            c->nr = 0;
            c->next = p->chunks;
            p->chunks = c;
        }
        e = &c->entry[c->nr++];
    }
    e->poller = p;
    waitq_callback_add(wq, &e->cb, poller_event);
}

void poller_begin(struct poller *p, u64 deadline)
{
    p->pt.queue = poller_queue;
    p->task = current_task();
    p->deadline = deadline;
    p->nr = 0;
    p->chunks = NULL;
    p->triggered = p->no_memory = false;
}

void poller_end(struct poller *p)
{
    for (unsigned i = 0; i < p->nr; i++)
        waitq_callback_remove(&p->first[i].cb);
    while (p->chunks) {
        struct poll_chunk *c = p->chunks;
        for (unsigned i = 0; i < c->nr; i++)
            waitq_callback_remove(&c->entry[i].cb);
        p->chunks = c->next;
        kfree(c);
    }
}

int poller_sleep(struct poller *p)
{
    int res = 0;
    if (p->no_memory)
        return -ENOMEM;
    sched_prepare(SCHED_INTERRUPTIBLE);
    if (signal_pending())
        res = -ERESTARTNOHAND;
    else if (!__atomic_load_n(&p->triggered, __ATOMIC_SEQ_CST))
        res = sched_block_until(p->deadline) ? 1 : 0;
    sched_cancel();
    WRITE_ONCE(p->triggered, false);
    return res;
}

/* ---- poll ---- */
struct pollfd_k {
    s32 fd;
    u16 events, revents;
};
#define POLL_FAST 16

static u32 poll_one(const struct pollfd_k *p, struct fdref *ref, struct poll_table *pt)
{
    if (p->fd < 0)
        return 0;
    if (!ref->file)
        return EPOLLNVAL;
    return file_poll(ref->file, pt) & (p->events | EPOLLERR | EPOLLHUP);
}

static s64 poll_rounds(struct pollfd_k *fds, struct fdref *refs, u32 n, u64 deadline)
{
    struct poller poller;
    poller_begin(&poller, deadline);
    struct poll_table *pt = deadline ? &poller.pt : NULL;
    s64 count = 0;
    for (;;) {
        for (u32 i = 0; i < n; i++) {
            fds[i].revents = (u16)poll_one(&fds[i], &refs[i], pt);
            if (fds[i].revents) {
                count++;
                pt = NULL; /* there is an answer: hang up no more callbacks */
            }
        }
        pt = NULL;
        if (count || !deadline)
            break;
        int res = poller_sleep(&poller);
        if (res < 0) {
            count = res;
            break;
        }
        if (res) /* a last round after the timeout */
            deadline = 0;
    }
    poller_end(&poller);
    return count;
}

/* deadline: clock_ns, 0: do not wait, ~0: for ever. */
static s64 do_poll(u64 user, u32 n, u64 deadline)
{
    struct pollfd_k fast_fds[POLL_FAST], *fds = fast_fds;
    struct fdref fast_refs[POLL_FAST], *refs = fast_refs;
    void *mem = NULL;
    if (n > rlimit_cur(current_process(), RLIMIT_NOFILE))
        return -EINVAL;
    if (n > POLL_FAST) {
        mem = kvmalloc(n * (sizeof(*fds) + sizeof(*refs)), GFP_KERNEL);
        if (!mem)
            return -ENOMEM;
        refs = mem;
        fds = (void *)(refs + n);
    }
    s64 res = -EFAULT;
    if (!copy_from_user(fds, user, n * sizeof(*fds))) {
        for (u32 i = 0; i < n; i++)
            refs[i] = fds[i].fd >= 0 ? fd_borrow(fds[i].fd) : (struct fdref){NULL, false};
        res = poll_rounds(fds, refs, n, deadline);
        for (u32 i = 0; i < n; i++)
            if (refs[i].file)
                fd_return(refs[i]);
        for (u32 i = 0; i < n && res >= 0; i++)
            if (put_user(fds[i].revents,
                         user + i * sizeof(*fds) + offsetof(struct pollfd_k, revents)))
                res = -EFAULT;
    }
    kvfree(mem);
    return res;
}

static u64 deadline_ms(s32 ms)
{
    return ms < 0 ? U64_MAX : ms == 0 ? 0 : clock_ns() + (u64)ms * 1000000;
}

s64 poll_until(u64 user_fds, u32 n, u64 deadline)
{
    s64 res = do_poll(user_fds, n, deadline);
    if (res != -ERESTARTNOHAND || deadline == U64_MAX || !user_fds)
        return res;
    struct task *t = current_task();
    t->restart_deadline = deadline;
    t->restart_fds = user_fds;
    t->restart_nfds = n;
    return -ERESTART_RESTARTBLOCK;
}

SYSCALL(poll)
{
    return poll_until(a0, (u32)a1, deadline_ms((s32)a2));
}

/* A user's relative timeout as a deadline, where "now" is 0. */
int poll_timeout(u64 user_ts, u64 *deadline)
{
    s64 sec, nsec;
    if (!user_ts) {
        *deadline = U64_MAX;
        return 0;
    }
    int err = timespec_from_user(user_ts, &sec, &nsec);
    if (err)
        return err;
    u64 ns = timespec_to_ns(sec, nsec), now = clock_ns();
    *deadline = ns == 0 ? 0 : ns > U64_MAX - 1 - now ? U64_MAX - 1 : now + ns;
    return 0;
}

static void write_remaining(u64 user_ts, u64 deadline)
{
    if (user_ts && deadline != U64_MAX) {
        u64 now = clock_ns();
        (void)timespec_to_user(user_ts, deadline > now ? (s64)(deadline - now) : 0);
    }
}

SYSCALL(ppoll)
{
    u64 deadline;
    int err = poll_timeout(a2, &deadline);
    if (!err)
        err = signal_set_user_mask(a3, a4);
    if (err)
        return err;
    s64 res = do_poll(a0, (u32)a1, deadline);
    signal_restore_user_mask(res == -ERESTARTNOHAND);
    write_remaining(a2, deadline);
    return res;
}

/* ---- select ---- */
enum { SEL_IN, SEL_OUT, SEL_EX, NR_SEL };
static const u32 sel_events[NR_SEL] = {
    [SEL_IN] = EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR,
    [SEL_OUT] = EPOLLWRNORM | EPOLLWRBAND | EPOLLOUT | EPOLLERR,
    [SEL_EX] = EPOLLPRI,
};
struct select {
    u32 n, words;
    u64 *in[NR_SEL], *out[NR_SEL];
    struct fdref *refs; /* of the descriptors asked for, in order */
};

static s64 select_rounds(struct select *s, u64 deadline)
{
    struct poller poller;
    poller_begin(&poller, deadline);
    struct poll_table *pt = deadline ? &poller.pt : NULL;
    s64 count = 0;
    for (;;) {
        struct fdref *ref = s->refs;
        for (u32 fd = 0; fd < s->n; fd++) {
            u64 bit = 1UL << (fd & 63);
            u32 w = fd >> 6, mask = 0;
            if (!((s->in[0][w] | s->in[1][w] | s->in[2][w]) & bit)) {
                if (!(s->in[0][w] | s->in[1][w] | s->in[2][w]))
                    fd |= 63;
                continue;
            }
            mask = file_poll((ref++)->file, pt);
            for (unsigned k = 0; k < NR_SEL; k++)
                if ((s->in[k][w] & bit) && (mask & sel_events[k])) {
                    s->out[k][w] |= bit;
                    count++;
                    pt = NULL;
                }
        }
        pt = NULL;
        if (count || !deadline)
            break;
        int res = poller_sleep(&poller);
        if (res < 0) {
            count = res;
            break;
        }
        if (res)
            deadline = 0;
    }
    poller_end(&poller);
    return count;
}

/* Takes references to all descriptors named: how many, or -EBADF (none kept). */
static s64 select_refs(struct select *s)
{
    s64 nr = 0;
    for (u32 fd = 0; fd < s->n; fd++) {
        u64 bit = 1UL << (fd & 63);
        if (!((s->in[0][fd >> 6] | s->in[1][fd >> 6] | s->in[2][fd >> 6]) & bit))
            continue;
        s->refs[nr] = fd_borrow((int)fd);
        if (!s->refs[nr].file) {
            while (nr--)
                fd_return(s->refs[nr]);
            return -EBADF;
        }
        nr++;
    }
    return nr;
}

#define SEL_FAST_FDS 64
static s64 do_select(s32 nfds, const u64 user[NR_SEL], u64 deadline)
{
    if (nfds < 0)
        return -EINVAL;
    struct select s = {.n = (u32)min((u64)nfds, rlimit_cur(current_process(), RLIMIT_NOFILE))};
    u64 fast_bits[2 * NR_SEL * (SEL_FAST_FDS / 64)];
    struct fdref fast_refs[SEL_FAST_FDS];
    s.words = DIV_ROUND_UP(s.n, 64);
    size_t bits = 2 * NR_SEL * s.words * sizeof(u64);
    u64 *mem = fast_bits;
    s.refs = fast_refs;
    if (s.n > SEL_FAST_FDS) {
        mem = kvmalloc(bits + s.n * sizeof(struct fdref), GFP_KERNEL);
        if (!mem)
            return -ENOMEM;
        s.refs = (void *)((u8 *)mem + bits);
    }
    memset(mem, 0, bits);
    size_t bytes = s.words * sizeof(u64);
    s64 res = 0;
    for (unsigned k = 0; k < NR_SEL; k++) {
        s.in[k] = mem + k * s.words;
        s.out[k] = mem + (NR_SEL + k) * s.words;
        if (user[k] && copy_from_user(s.in[k], user[k], bytes))
            res = -EFAULT;
        if (s.n & 63 && s.words)
            s.in[k][s.words - 1] &= (1UL << (s.n & 63)) - 1;
    }
    s64 nr = res ? res : select_refs(&s);
    if (nr >= 0) {
        res = select_rounds(&s, deadline);
        while (nr--)
            fd_return(s.refs[nr]);
        for (unsigned k = 0; k < NR_SEL && res >= 0; k++)
            if (user[k] && copy_to_user(user[k], s.out[k], bytes))
                res = -EFAULT;
    } else {
        res = nr;
    }
    if (mem != fast_bits)
        kvfree(mem);
    return res;
}

SYSCALL(select)
{
    u64 deadline = U64_MAX, sets[NR_SEL] = {a1, a2, a3};
    s64 tv[2];
    if (a4) {
        if (copy_from_user(tv, a4, sizeof(tv)))
            return -EFAULT;
        if (tv[0] < 0 || tv[1] < 0)
            return -EINVAL;
        u64 sec = (u64)tv[0] + (u64)tv[1] / 1000000,
            ns = timespec_to_ns((s64)sec, (tv[1] % 1000000) * 1000);
        u64 now = clock_ns();
        deadline = ns == 0 ? 0 : ns > U64_MAX - 1 - now ? U64_MAX - 1 : now + ns;
    }
    s64 res = do_select((s32)a0, sets, deadline);
    if (a4) {
        u64 now = clock_ns(), left = deadline > now ? deadline - now : 0;
        tv[0] = (s64)(left / 1000000000);
        tv[1] = (s64)(left % 1000000000 / 1000);
        (void)copy_to_user(a4, tv, sizeof(tv));
    }
    return res;
}

SYSCALL(pselect6)
{
    u64 deadline, sig[2] = {0, 0}, sets[NR_SEL] = {a1, a2, a3};
    if (a5 && copy_from_user(sig, a5, sizeof(sig)))
        return -EFAULT;
    int err = poll_timeout(a4, &deadline);
    if (!err)
        err = signal_set_user_mask(sig[0], sig[1]);
    if (err)
        return err;
    s64 res = do_select((s32)a0, sets, deadline);
    signal_restore_user_mask(res == -ERESTARTNOHAND);
    write_remaining(a4, deadline);
    return res;
}
