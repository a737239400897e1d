/* SPDX-License-Identifier: MIT */
/* timerfd: a timer that is read as a count of expirations and polled. */
#include "../proc/proc.h"
#include "clock.h"
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <port/clock.h>
#include <port/uaccess.h>

#define TFD_ABSTIME       1u
#define TFD_CANCEL_ON_SET 2u
#define TFD_NONBLOCK      04000u
#define TFD_CLOEXEC       02000000u

struct timerfd {
    struct waitq wait;
    spinlock_t lock; /* irqsave: ticks, cancelled */
    struct timer timer;
    struct list_head link; /* all, for settimeofday */
    s32 clock;
    u64 interval, ticks;
    u64 base; /* the expiry that the timer stands for */
    bool cancel_on_set, cancelled;
};

static LIST_HEAD(all);
static spinlock_t all_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

static void fired(struct timer *timer)
{
    struct timerfd *t = container_of(timer, struct timerfd, timer);
    u64 flags = spin_lock_irqsave(&t->lock);
    t->ticks = 1;
    spin_unlock_irqrestore(&t->lock, flags);
    waitq_wake_all(&t->wait);
}

/* Lock held. Takes the count; a periodic timer goes on from here, so that one nobody reads costs nothing. */
static u64 take_ticks(struct timerfd *t)
{
    u64 n = t->ticks, next;
    t->ticks = 0;
    if (n && t->interval) {
        n = timer_advance(&t->base, t->interval, clock_ns(), &next);
        timer_start(&t->timer, next);
    }
    return n;
}

void timerfd_clock_was_set(void)
{
    struct timerfd *t;
    u64 flags = spin_lock_irqsave(&all_lock);
    list_for_each_entry (t, &all, link) {
        if (t->cancel_on_set) {
            t->cancelled = true;
            waitq_wake_all(&t->wait);
        }
    }
    spin_unlock_irqrestore(&all_lock, flags);
}

static ssize_t tfd_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct timerfd *t = f->priv;
    if (n < 8)
        return -EINVAL;
    for (;;) {
        u64 flags = spin_lock_irqsave(&t->lock);
        u64 ticks = take_ticks(t);
        bool cancelled = t->cancelled;
        t->cancelled = false;
        spin_unlock_irqrestore(&t->lock, flags);
        if (cancelled)
            return -ECANCELED;
        if (ticks)
            return iobuf_put(buf, 0, &ticks, 8) ? -EFAULT : 8;
        if (f->flags & TFD_NONBLOCK)
            return -EAGAIN;
        s64 err =
            waitq_wait_interruptible(&t->wait, READ_ONCE(t->ticks) || READ_ONCE(t->cancelled));
        if (err)
            return err;
    }
}

static u32 tfd_poll(struct file *f, struct poll_table *pt)
{
    struct timerfd *t = f->priv;
    poll_wait(pt, &t->wait);
    return READ_ONCE(t->ticks) || READ_ONCE(t->cancelled) ? 1 /* EPOLLIN */ : 0;
}

static void tfd_release(struct file *f)
{
    struct timerfd *t = f->priv;
    WRITE_ONCE(t->interval, 0);
    timer_cancel(&t->timer);
    u64 flags = spin_lock_irqsave(&all_lock);
    list_unlink(&t->link);
    spin_unlock_irqrestore(&all_lock, flags);
    kfree(t);
}

static const struct file_ops tfd_ops = {.lseek = noop_lseek, .read = tfd_read, .poll = tfd_poll, .release = tfd_release};

SYSCALL(timerfd_create)
{
    s32 clock = (s32)a0;
    if (a1 & ~(u64)(TFD_NONBLOCK | TFD_CLOEXEC))
        return -EINVAL;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
        clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
        return -EINVAL;
    struct timerfd *t = kzalloc(sizeof(*t), GFP_KERNEL);
    if (!t)
        return -ENOMEM;
    t->clock = clock;
    waitq_init(&t->wait);
    timer_init(&t->timer, fired);
    u64 flags = spin_lock_irqsave(&all_lock);
    list_add_tail(&t->link, &all);
    spin_unlock_irqrestore(&all_lock, flags);
    struct file *f = file_anon("anon_inode:[timerfd]", &tfd_ops, t, 2u | (u32)(a1 & TFD_NONBLOCK));
    if (IS_ERR(f)) {
        flags = spin_lock_irqsave(&all_lock);
        list_unlink(&t->link);
        spin_unlock_irqrestore(&all_lock, flags);
        kfree(t);
        return PTR_ERR(f);
    }
    int fd = fd_alloc(f, a1 & TFD_CLOEXEC ? 1 : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

static struct timerfd *get(int fd, struct file **f)
{
    *f = fd_get(fd);
    if (*f && (*f)->ops == &tfd_ops)
        return (*f)->priv;
    return NULL;
}

static void left(struct timerfd *t, s64 spec[4])
{
    u64 now = clock_ns();
    u64 ns = t->timer.queued           ? (t->base > now ? t->base - now : 1)
             : t->interval && t->ticks ? t->interval - (now - t->base) % t->interval
                                       : 0;
    spec[0] = (s64)(t->interval / NSEC_PER_SEC);
    spec[1] = (s64)(t->interval % NSEC_PER_SEC);
    spec[2] = (s64)(ns / NSEC_PER_SEC);
    spec[3] = (s64)(ns % NSEC_PER_SEC);
}

static void arm(struct timerfd *t, u64 value, u64 every, u32 flags)
{
    WRITE_ONCE(t->interval, 0);
    timer_cancel(&t->timer);
    u64 irq = spin_lock_irqsave(&t->lock);
    t->ticks = 0;
    t->cancelled = false;
    t->cancel_on_set =
        (flags & TFD_ABSTIME) && (flags & TFD_CANCEL_ON_SET) && clock_is_wall(t->clock);
    t->interval = every;
    spin_unlock_irqrestore(&t->lock, irq);
    if (!value)
        return;
    u64 deadline = deadline_after(value);
    if (flags & TFD_ABSTIME) {
        s64 now;
        clock_read(t->clock, &now);
        deadline =
            (s64)value <= now
                ? clock_ns() - ((u64)now - value < clock_ns() ? (u64)now - value : clock_ns())
                : deadline_after(value - (u64)now);
    }
    t->base = deadline;
    timer_start(&t->timer, deadline);
}

SYSCALL(timerfd_settime)
{
    s64 spec[4], old[4];
    struct file *f;
    if (a1 & ~(u64)(TFD_ABSTIME | TFD_CANCEL_ON_SET))
        return -EINVAL;
    if (copy_from_user(spec, a2, sizeof(spec)))
        return -EFAULT;
    if (spec[0] < 0 || spec[1] < 0 || spec[1] >= NSEC_PER_SEC || spec[2] < 0 || spec[3] < 0 ||
        spec[3] >= NSEC_PER_SEC)
        return -EINVAL;
    struct timerfd *t = get((int)a0, &f);
    if (t) {
        left(t, old);
        arm(t, timespec_to_ns(spec[2], spec[3]), timespec_to_ns(spec[0], spec[1]), (u32)a1);
    }
    if (!f)
        return -EBADF;
    file_put(f);
    if (!t)
        return -EINVAL;
    return a3 && copy_to_user(a3, old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL(timerfd_gettime)
{
    s64 spec[4];
    struct file *f;
    struct timerfd *t = get((int)a0, &f);
    if (t)
        left(t, spec);
    if (!f)
        return -EBADF;
    file_put(f);
    if (!t)
        return -EINVAL;
    return copy_to_user(a1, spec, sizeof(spec)) ? -EFAULT : 0;
}
