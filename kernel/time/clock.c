/* SPDX-License-Identifier: MIT */
/* Clocks and their system calls; sleeping. The wall clock is clock_ns() plus an offset, set from the RTC at boot. */
#include <arch/timer.h>
#include <arch/uaccess.h>
#include <arch/vdso.h>
#include <kernel/file.h>
#include <kernel/poll.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/uaccess.h>
#include "../proc/proc.h"
#include "clock.h"

static s64 wall_offset; /* wall clock at clock_ns() == 0; changed by settimeofday, read anywhere */

s64 realtime_ns(void)
{
    return (s64)clock_ns() + READ_ONCE(wall_offset);
}

void realtime_set(s64 ns)
{
    WRITE_ONCE(wall_offset, ns - (s64)clock_ns());
    vdso_set_wall(READ_ONCE(wall_offset));
    timerfd_clock_was_set();
}

void realtime_init(void)
{
    wall_offset = (s64)arch_boot_wall_ns();
    vdso_set_wall(wall_offset);
    if (vdso_init())
        log_print(LOG_WARN, "no memory for the vDSO");
}

int timespec_from_user(u64 addr, s64 *sec, s64 *nsec)
{
    s64 ts[2];
    if (copy_from_user(ts, addr, sizeof(ts)))
        return -EFAULT;
    if (ts[0] < 0 || ts[1] < 0 || ts[1] >= NSEC_PER_SEC)
        return -EINVAL;
    *sec = ts[0];
    *nsec = ts[1];
    return 0;
}

int timespec_to_user(u64 addr, s64 ns)
{
    s64 ts[2] = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC};
    return copy_to_user(addr, ts, sizeof(ts)) ? -EFAULT : 0;
}

u64 timespec_to_ns(s64 sec, s64 nsec)
{
    if (sec >= (s64)(~0UL >> 1) / NSEC_PER_SEC)
        return ~0UL >> 1;
    return (u64)(sec * NSEC_PER_SEC + nsec);
}

u64 deadline_after(u64 ns)
{
    u64 now = clock_ns();
    return now + ns < now ? U64_MAX - 1 : now + ns;
}

int timeout_from_user(u64 addr, u64 *deadline)
{
    s64 sec, nsec;
    *deadline = U64_MAX;
    if (!addr)
        return 0;
    int err = timespec_from_user(addr, &sec, &nsec);
    if (!err)
        *deadline = deadline_after(timespec_to_ns(sec, nsec));
    return err;
}

u64 timer_advance(u64 *base, u64 every, u64 now, u64 *next)
{
    u64 n = now > *base ? (now - *base) / every + 1 : 1;
    *base += n * every;
    *next = max(*base, now + TIMER_MIN_NS);
    return n;
}

u64 process_cpu_ns(struct process *p)
{
    u64 u, s;
    process_times(p, &u, &s);
    return u + s;
}

/* CPU clocks of others: ~pid << 3 | kind, with bit 2 for threads. */
static int cpu_clock(s32 clock, s64 *ns)
{
    s32 id = ~(clock >> 3);
    u64 v = 0;
    if ((clock & 3) == 3)
        return -EINVAL;
    if (clock & 4) {
        struct task *t = id ? task_find(id) : task_get(current_task());
        if (!t || t->process != current_process()) {
            if (t)
                task_put(t);
            return -EINVAL;
        }
        v = sched_runtime(t);
        task_put(t);
    } else {
        struct process *p = id ? process_find(id) : process_get(current_process());
        if (!p)
            return -EINVAL;
        v = process_cpu_ns(p);
        process_put(p);
    }
    *ns = (s64)v;
    return 0;
}

int clock_read(s32 clock, s64 *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = realtime_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = (s64)clock_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = (s64)process_cpu_ns(current_process());
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = (s64)sched_runtime(current_task());
        return 0;
    default:
        return clock < 0 ? cpu_clock(clock, ns) : -EINVAL;
    }
}

bool clock_is_wall(s32 clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

SYSCALL(clock_gettime)
{
    s64 ns;
    int err = clock_read((s32)a0, &ns);
    return err ? err : timespec_to_user(a1, ns);
}

SYSCALL(clock_getres)
{
    s64 ns;
    int err = clock_read((s32)a0, &ns);
    if (err)
        return err;
    bool coarse = (s32)a0 == CLOCK_REALTIME_COARSE || (s32)a0 == CLOCK_MONOTONIC_COARSE;
    return a1 ? timespec_to_user(a1, coarse ? 4000000 : 1) : 0;
}

SYSCALL(clock_settime)
{
    s64 sec, nsec;
    if ((s32)a0 != CLOCK_REALTIME)
        return -EINVAL;
    if (!capable(25 /* CAP_SYS_TIME */))
        return -EPERM;
    int err = timespec_from_user(a1, &sec, &nsec);
    if (err)
        return err;
    if (sec > 8277292035) /* beyond the year 2232, as Linux */
        return -EINVAL;
    realtime_set((s64)timespec_to_ns(sec, nsec));
    return 0;
}

SYSCALL(gettimeofday)
{
    s64 ns = realtime_ns();
    s64 tv[2] = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000};
    u32 tz[2] = {0, 0};
    if (a0 && copy_to_user(a0, tv, sizeof(tv)))
        return -EFAULT;
    return a1 && copy_to_user(a1, tz, sizeof(tz)) ? -EFAULT : 0;
}

SYSCALL(settimeofday)
{
    s64 tv[2];
    if (!a0)
        return 0;
    if (copy_from_user(tv, a0, sizeof(tv)))
        return -EFAULT;
    if (tv[0] < 0 || tv[1] < 0 || tv[1] >= 1000000)
        return -EINVAL;
    if (!capable(25))
        return -EPERM;
    realtime_set((s64)timespec_to_ns(tv[0], tv[1] * 1000));
    return 0;
}

SYSCALL(time)
{
    s64 sec = realtime_ns() / NSEC_PER_SEC;
    return a0 && put_user(sec, a0) ? -EFAULT : sec;
}

/* Sleeps until the deadline: 0 or -ERESTARTSYS. */
static int sleep_until(u64 deadline)
{
    for (;;) {
        bool reached = false;
        sched_prepare(SCHED_INTERRUPTIBLE);
        if (!signal_pending())
            reached = sched_block_until(deadline);
        sched_cancel();
        if (reached || clock_ns() >= deadline)
            return 0;
        if (signal_pending())
            return -ERESTARTSYS;
    }
}

/* A relative sleep that a signal cuts short goes on through restart_syscall when no handler runs. */
static s64 sleep_relative(u64 deadline, u64 rem)
{
    struct task *t = current_task();
    int err = sleep_until(deadline);
    if (!err)
        return 0;
    if (rem) {
        u64 now = clock_ns();
        if (timespec_to_user(rem, deadline > now ? (s64)(deadline - now) : 0))
            return -EFAULT;
    }
    t->restart_deadline = deadline;
    t->restart_rem = rem;
    t->restart_fds = 0;
    return -ERESTART_RESTARTBLOCK;
}

SYSCALL(restart_syscall)
{
    struct task *t = current_task();
    u64 deadline = t->restart_deadline;
    t->restart_deadline = 0;
    if (deadline && t->restart_fds)
        return poll_until(t->restart_fds, t->restart_nfds, deadline);
    return deadline ? sleep_relative(deadline, t->restart_rem) : -EINTR;
}

SYSCALL(nanosleep)
{
    u64 deadline;
    if (!a0)
        return -EFAULT;
    int err = timeout_from_user(a0, &deadline);
    return err ? err : sleep_relative(deadline, a1);
}

SYSCALL(clock_nanosleep)
{
    s32 clock = (s32)a0;
    s64 sec, nsec, now;
    if (clock == CLOCK_THREAD_CPUTIME_ID)
        return -EINVAL;
    int err = clock_read(clock, &now);
    if (err || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ||
        clock == CLOCK_MONOTONIC_RAW)
        return err ? err : -EOPNOTSUPP;
    err = timespec_from_user(a2, &sec, &nsec);
    if (err)
        return err;
    u64 ns = timespec_to_ns(sec, nsec);
    if (!(a1 & 1 /* TIMER_ABSTIME */))
        return sleep_relative(deadline_after(ns), a3);
    for (;;) {
        clock_read(clock, &now);
        if ((s64)ns <= now)
            return 0;
        u64 deadline = deadline_after(ns - (u64)now);
        if (clock_is_wall(clock)) /* the clock may be set meanwhile */
            deadline = min(deadline, clock_ns() + 1000000000UL);
        if (sleep_until(deadline))
            return -ERESTARTNOHAND;
        if (!clock_is_wall(clock) && clock != CLOCK_PROCESS_CPUTIME_ID)
            return 0;
    }
}
