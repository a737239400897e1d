/* SPDX-License-Identifier: MIT */
/*
 * POSIX timers: timer_create and its family. A timer carries its own queue entry, so that firing allocates nothing. While that
 * entry is pending the timer rests; when the signal is taken, the periods missed become its overrun and the timer is started
 * again. So a short period costs no more than its signals do.
 */
#include "itimer.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <port/clock.h>
#include <port/uaccess.h>

enum { SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD, SIGEV_THREAD_ID = 4 };

struct ptimer {
    struct list_head link; /* process_timers.posix */
    struct rcu_head rcu;
    s32 refs; /* the list's, and one while the entry is queued */
    s32 id, clock, notify, signo, tid;
    u64 value;
    struct process *process;
    struct timer timer;
    struct cpu_timer cpu; /* for CPU clocks */
    u64 interval, base;
    s64 overrun_last;
    bool deleted; /* process->lock */
    struct sigqueue entry;
};

static void free_rcu(struct rcu_head *h)
{
    kfree(container_of(h, struct ptimer, rcu));
}
static void put(struct ptimer *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
        rcu_call(&t->rcu, free_rcu);
}
static void entry_hold(struct sigqueue *q)
{
    struct ptimer *t = container_of(q, struct ptimer, entry);
    __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}
/* process->lock held: the signal has been taken, or thrown away. */
static void entry_release(struct sigqueue *q)
{
    struct ptimer *t = container_of(q, struct ptimer, entry);
    u64 next;
    t->overrun_last = 0;
    if (t->interval && !t->deleted && !t->timer.queued) {
        t->overrun_last = (s64)timer_advance(&t->base, t->interval, clock_ns(), &next) - 1;
        q->info.timer.overrun = (s32)min(t->overrun_last, (s64)0x7fffffff);
        timer_start(&t->timer, next);
    }
    put(t);
}

/* Any context. */
static void fire(struct ptimer *t)
{
    if (t->notify == SIGEV_NONE || t->entry.queued)
        return;
    struct siginfo_k info = {.signo = t->signo, .code = SI_TIMER};
    info.timer.tid = t->id;
    info.timer.value = t->value;
    if (t->notify != SIGEV_THREAD_ID) {
        signal_send_entry(t->process, NULL, t->signo, &info, &t->entry);
        return;
    }
    struct task *who = task_find(t->tid);
    if (who) {
        if (who->process == t->process)
            signal_send_entry(t->process, who, t->signo, &info, &t->entry);
        task_put(who);
    }
}

/* A signal that nobody wanted leaves the entry free: then look again at the period, but not more often than a tick. */
#define IGNORED_NS 4000000UL
static void fired(struct timer *timer)
{
    struct ptimer *t = container_of(timer, struct ptimer, timer);
    u64 every = READ_ONCE(t->interval), next;
    fire(t);
    if (every && !t->entry.queued) {
        timer_advance(&t->base, every, clock_ns(), &next);
        timer_start(timer, max(next, timer->deadline + IGNORED_NS));
    }
}

static bool on_cpu_clock(const struct ptimer *t)
{
    return t->clock == CLOCK_PROCESS_CPUTIME_ID || t->clock == CLOCK_THREAD_CPUTIME_ID ||
           t->clock < 0;
}

void ptimers_check(struct process_timers *pt)
{
    struct ptimer *t;
    if (list_empty(&pt->posix) || !mutex_trylock(&pt->lock))
        return;
    u64 now = 0;
    list_for_each_entry (t, &pt->posix, link) {
        if (!t->cpu.next)
            continue;
        if (!now)
            now = process_cpu_ns(pt->process);
        if (now >= t->cpu.next) {
            t->cpu.next = t->cpu.interval ? now + t->cpu.interval : 0;
            fire(t);
        }
    }
    mutex_unlock(&pt->lock);
}

static void delete (struct ptimer *t)
{
    list_unlink(&t->link);
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->deleted = true;
    WRITE_ONCE(t->interval, 0);
    spin_unlock_irqrestore(&t->process->lock, flags);
    timer_cancel(&t->timer);
    put(t);
}

void ptimers_exit(struct process_timers *pt)
{
    struct ptimer *t, *next;
    list_for_each_entry_safe (t, next, &pt->posix, link)
        delete (t);
}

static struct ptimer *find_locked(struct process_timers **out, s32 id)
{
    struct process_timers *pt = current_process()->timers;
    struct ptimer *t;
    if (!pt)
        return NULL;
    mutex_lock(&pt->lock);
    list_for_each_entry (t, &pt->posix, link) {
        if (t->id == id) {
            *out = pt;
            return t;
        }
    }
    mutex_unlock(&pt->lock);
    return NULL;
}

struct sigevent_k {
    u64 value;
    s32 signo, notify, tid;
    s32 pad[11];
};

SYSCALL(timer_create)
{
    struct sigevent_k ev = {.signo = SIGALRM, .notify = SIGEV_SIGNAL};
    s64 now;
    int err = clock_read((s32)a0, &now);
    if (err)
        return err;
    if ((s32)a0 == CLOCK_REALTIME_COARSE || (s32)a0 == CLOCK_MONOTONIC_COARSE ||
        (s32)a0 == CLOCK_MONOTONIC_RAW)
        return -EOPNOTSUPP;
    if (a1 && copy_from_user(&ev, a1, sizeof(ev)))
        return -EFAULT;
    if (ev.notify != SIGEV_NONE && (ev.signo < 1 || ev.signo > NSIG))
        return -EINVAL;
    if (ev.notify != SIGEV_NONE && ev.notify != SIGEV_SIGNAL && ev.notify != SIGEV_THREAD &&
        ev.notify != SIGEV_THREAD_ID)
        return -EINVAL;
    struct process_timers *pt = process_timers_get();
    struct ptimer *t = pt ? kzalloc(sizeof(*t), GFP_KERNEL) : NULL;
    if (!t)
        return -EAGAIN;
    t->refs = 1;
    t->clock = (s32)a0;
    t->notify = ev.notify;
    t->signo = ev.signo;
    t->tid = ev.tid;
    t->process = current_process();
    t->entry.hold = entry_hold;
    t->entry.release = entry_release;
    timer_init(&t->timer, fired);
    mutex_lock(&pt->lock);
    t->id = pt->next_id++;
    t->value = a1 ? ev.value : (u64)t->id;
    s32 id = t->id;
    err = put_user((u32)id, a2);
    if (!err)
        list_add_tail(&t->link, &pt->posix);
    mutex_unlock(&pt->lock);
    if (err)
        kfree(t);
    return err;
}

static void left(struct ptimer *t, s64 spec[4])
{
    u64 ns = 0, every = t->interval;
    if (on_cpu_clock(t)) {
        u64 now = process_cpu_ns(t->process);
        ns = !t->cpu.next ? 0 : t->cpu.next > now ? t->cpu.next - now : 1;
        every = t->cpu.interval;
    } else if (t->timer.queued) {
        u64 now = clock_ns();
        ns = t->timer.deadline > now ? t->timer.deadline - now : 1;
    }
    spec[0] = (s64)(every / NSEC_PER_SEC);
    spec[1] = (s64)(every % NSEC_PER_SEC);
    spec[2] = (s64)(ns / NSEC_PER_SEC);
    spec[3] = (s64)(ns % NSEC_PER_SEC);
}

static void arm(struct ptimer *t, u64 value, u64 every, bool absolute)
{
    if (on_cpu_clock(t)) {
        t->cpu.interval = every;
        t->cpu.next = !value ? 0 : absolute ? value : process_cpu_ns(t->process) + value;
        return;
    }
    t->interval = every;
    if (!value)
        return;
    u64 deadline = deadline_after(value);
    if (absolute) {
        s64 now;
        clock_read(t->clock, &now);
        deadline = (s64)value <= now ? clock_ns() : deadline_after(value - (u64)now);
    }
    t->base = deadline;
    timer_start(&t->timer, deadline);
}

SYSCALL(timer_settime)
{
    s64 spec[4], old[4];
    if (!a2 || copy_from_user(spec, a2, sizeof(spec)))
        return a2 ? -EFAULT : -EINVAL;
    if (spec[0] < 0 || spec[1] < 0 || spec[1] >= NSEC_PER_SEC || spec[2] < 0 || spec[3] < 0 ||
        spec[3] >= NSEC_PER_SEC)
        return -EINVAL;
    struct process_timers *pt;
    struct ptimer *t = find_locked(&pt, (s32)a0);
    if (!t)
        return -EINVAL;
    left(t, old);
    WRITE_ONCE(t->interval, 0);
    timer_cancel(&t->timer);
    t->overrun_last = 0;
    arm(t, timespec_to_ns(spec[2], spec[3]), timespec_to_ns(spec[0], spec[1]), a1 & 1);
    mutex_unlock(&pt->lock);
    return a3 && copy_to_user(a3, old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(timer_gettime)
{
    s64 spec[4];
    struct process_timers *pt;
    struct ptimer *t = find_locked(&pt, (s32)a0);
    if (!t)
        return -EINVAL;
    left(t, spec);
    mutex_unlock(&pt->lock);
    return copy_to_user(a1, spec, sizeof(spec)) ? -EFAULT : 0;
}

SYSCALL(timer_getoverrun)
{
    struct process_timers *pt;
    struct ptimer *t = find_locked(&pt, (s32)a0);
    if (!t)
        return -EINVAL;
    s64 n = min(t->overrun_last, (s64)0x7fffffff);
    mutex_unlock(&pt->lock);
    return n;
}

SYSCALL(timer_delete)
{
    struct process_timers *pt;
    struct ptimer *t = find_locked(&pt, (s32)a0);
    if (!t)
        return -EINVAL;
    delete (t);
    mutex_unlock(&pt->lock);
    return 0;
}
