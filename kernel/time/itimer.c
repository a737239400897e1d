/* SPDX-License-Identifier: MIT */
/* setitimer, getitimer, alarm; what ticks do for CPU-time timers; RLIMIT_CPU. */
#include "itimer.h"
#include <kernel/syscall.h>
#include <port/clock.h>
#include <port/uaccess.h>

struct itimerval_k {
    s64 int_sec, int_usec, val_sec, val_usec;
};

static void real_fired(struct timer *t)
{
    struct process_timers *pt = container_of(t, struct process_timers, real);
    signal_send_process(pt->process, SIGALRM);
    u64 every = READ_ONCE(pt->real_interval);
    if (every) {
        u64 next;
        timer_advance(&pt->real_base, every, clock_ns(), &next);
        timer_start(t, next);
    }
}

struct process_timers *process_timers_get(void)
{
    struct process *p = current_process();
    if (likely(p->timers))
        return p->timers;
    struct process_timers *pt = kzalloc(sizeof(*pt), GFP_KERNEL);
    if (!pt)
        return NULL;
    pt->process = p;
    mutex_init(&pt->lock, RANK_KERNEL);
    timer_init(&pt->real, real_fired);
    list_init(&pt->posix);
    struct process_timers *old = NULL;
    if (!__atomic_compare_exchange_n(&p->timers, &old, pt, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        kfree(pt);
        return old;
    }
    return pt;
}

void process_timers_exit(struct process *p)
{
    struct process_timers *pt = p->timers;
    if (!pt)
        return;
    WRITE_ONCE(pt->real_interval, 0);
    timer_cancel(&pt->real);
    ptimers_exit(pt);
    p->timers = NULL;
    kfree(pt);
}

void posix_timers_exec(struct process *p)
{
    if (p->timers)
        ptimers_exit(p->timers);
}

static void user_ns(struct process *p, u64 *user, u64 *all)
{
    u64 s;
    process_times(p, user, &s);
    *all = *user + s;
}

static bool expire(struct cpu_timer *t, u64 now)
{
    if (!t->next || now < t->next)
        return false;
    if (t->interval)
        while (t->next <= now)
            t->next += t->interval;
    else
        t->next = 0;
    return true;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
static void check_cpu_limit(struct process *p)
{
    struct rlimit64 *r = &p->rlim[RLIMIT_CPU];
    u64 user, all;
    if (r->cur == U64_MAX)
        return;
    user_ns(p, &user, &all);
    if (r->max != U64_MAX && all >= r->max * (u64)NSEC_PER_SEC) {
        signal_send_process(p, SIGKILL);
    } else if (all >= r->cur * (u64)NSEC_PER_SEC && all >= p->next_xcpu_ns) {
        p->next_xcpu_ns = all + NSEC_PER_SEC;
        signal_send_process(p, SIGXCPU);
    }
}

void process_timers_check(void)
{
    struct process *p = current_process();
    struct process_timers *pt = p->timers;
    check_cpu_limit(p);
    if (!pt)
        return;
    if (pt->virt.next || pt->prof.next) {
        u64 user, all;
        user_ns(p, &user, &all);
        if (expire(&pt->virt, user))
            signal_send_process(p, SIGVTALRM);
        if (expire(&pt->prof, all))
            signal_send_process(p, SIGPROF);
    }
    ptimers_check(pt);
}

static bool to_ns(s64 sec, s64 usec, u64 *ns)
{
    if (sec < 0 || usec < 0 || usec >= 1000000)
        return false;
    *ns = timespec_to_ns(sec, usec * 1000);
    return true;
}

static void put_ns(u64 ns, s64 *sec, s64 *usec)
{
    *sec = (s64)(ns / NSEC_PER_SEC);
    *usec = (s64)(ns % NSEC_PER_SEC / 1000);
}

static void real_left(struct process_timers *pt, u64 *left, u64 *every)
{
    u64 now = clock_ns();
    *every = pt->real_interval;
    *left = !pt->real.queued          ? 0
            : pt->real.deadline > now ? max(pt->real.deadline - now, 1000UL)
                                      : 1000;
}

static struct cpu_timer *cpu_timer_of(struct process_timers *pt, u64 which, u64 *now)
{
    u64 user, all;
    user_ns(pt->process, &user, &all);
    *now = which == 1 ? user : all;
    return which == 1 ? &pt->virt : &pt->prof;
}

/* Sets (value != NULL) and reports the state before. */
static void exchange(struct process_timers *pt, u64 which, const u64 *value, u64 every,
                     struct itimerval_k *old)
{
    u64 left = 0, int_ns = 0, now;
    mutex_lock(&pt->lock);
    if (which == 0) {
        real_left(pt, &left, &int_ns);
        if (value) {
            timer_cancel(&pt->real);
            WRITE_ONCE(pt->real_interval, every);
            pt->real_base = deadline_after(*value);
            if (*value)
                timer_start(&pt->real, pt->real_base);
        }
    } else {
        struct cpu_timer *t = cpu_timer_of(pt, which, &now);
        left = !t->next ? 0 : t->next > now ? t->next - now : 1000;
        int_ns = t->interval;
        if (value) {
            t->interval = every;
            t->next = *value ? now + *value : 0;
        }
    }
    mutex_unlock(&pt->lock);
    put_ns(left, &old->val_sec, &old->val_usec);
    put_ns(int_ns, &old->int_sec, &old->int_usec);
}

SYSCALL(setitimer)
{
    struct itimerval_k v = {0}, old;
    u64 value, every;
    if (a0 > 2)
        return -EINVAL;
    if (a1 && copy_from_user(&v, a1, sizeof(v)))
        return -EFAULT;
    if (!to_ns(v.val_sec, v.val_usec, &value) || !to_ns(v.int_sec, v.int_usec, &every))
        return -EINVAL;
    struct process_timers *pt = process_timers_get();
    if (!pt)
        return -ENOMEM;
    exchange(pt, a0, &value, every, &old);
    return a2 && copy_to_user(a2, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(getitimer)
{
    struct itimerval_k old = {0};
    if (a0 > 2)
        return -EINVAL;
    if (current_process()->timers)
        exchange(current_process()->timers, a0, NULL, 0, &old);
    return copy_to_user(a1, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(alarm)
{
    struct itimerval_k old = {0};
    u64 value = (a0 & 0xffffffff) * (u64)NSEC_PER_SEC;
    if (!value && !current_process()->timers)
        return 0;
    struct process_timers *pt = process_timers_get();
    if (!pt)
        return -ENOMEM;
    exchange(pt, 0, &value, 0, &old);
    if (!old.val_sec && old.val_usec)
        return 1;
    return old.val_sec + (old.val_usec >= 500000);
}
