/* SPDX-License-Identifier: MIT */
/* signalfd: pending signals of the reader are read as records of 128 bytes. */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>

#define SFD_NONBLOCK 04000u
#define SFD_CLOEXEC  02000000u

struct signalfd {
    u64 mask;
    struct process *process; /* whose queue pollers wait on; referenced, because they outlive it */
};
struct record { /* struct signalfd_siginfo */
    u32 signo;
    s32 err, code;
    u32 pid, uid;
    s32 fd;
    u32 tid, band, overrun, trapno;
    s32 status, value;
    u64 ptr, utime, stime, addr;
    u16 addr_lsb;
    u8 pad[46];
};
BUILD_ASSERT(sizeof(struct record) == 128);

static void fill(struct record *r, const struct siginfo_k *i)
{
    *r = (struct record){.signo = (u32)i->signo, .err = i->err, .code = i->code};
    if (i->code == SI_TIMER) {
        r->tid = (u32)i->timer.tid;
        r->overrun = (u32)i->timer.overrun;
        r->ptr = i->timer.value;
        r->value = (s32)i->timer.value;
    } else if (i->signo == SIGCHLD) {
        r->pid = (u32)i->chld.pid;
        r->uid = i->chld.uid;
        r->status = i->chld.status;
        r->utime = (u64)i->chld.utime;
        r->stime = (u64)i->chld.stime;
    } else if (i->code > 0 && i->code != SI_KERNEL) {
        r->addr = i->fault.addr;
    } else {
        r->pid = (u32)i->kill.pid;
        r->uid = i->kill.uid;
        r->ptr = i->kill.value;
        r->value = (s32)i->kill.value;
    }
}

static ssize_t sfd_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct signalfd *s = f->priv;
    struct process *p = current_process();
    size_t done = 0;
    if (n < sizeof(struct record))
        return -EINVAL;
    while (n - done >= sizeof(struct record)) {
        struct siginfo_k info;
        int sig = signal_dequeue(s->mask, &info);
        if (sig) {
            struct record r;
            fill(&r, &info);
            if (iobuf_put(buf, done, &r, sizeof(r)))
                return done ? (ssize_t)done : -EFAULT;
            done += sizeof(r);
            continue;
        }
        if (done)
            break;
        if (f->flags & SFD_NONBLOCK)
            return -EAGAIN;
        s64 err = waitq_wait_interruptible(&p->signal.signalfd_wait, signal_any_pending(s->mask));
        if (err)
            return err;
    }
    return (ssize_t)done;
}

static u32 sfd_poll(struct file *f, struct poll_table *pt)
{
    struct signalfd *s = f->priv;
    poll_wait(pt, &s->process->signal.signalfd_wait);
    return signal_any_pending(s->mask) ? 1 /* EPOLLIN */ : 0;
}

static void sfd_release(struct file *f)
{
    struct signalfd *s = f->priv;
    process_put(s->process);
    kfree(s);
}

static const struct file_ops sfd_ops = {.lseek = noop_lseek, .read = sfd_read, .poll = sfd_poll, .release = sfd_release};

static s64 do_signalfd(int fd, u64 umask, u64 size, u64 flags)
{
    u64 mask;
    if (size != 8 || (flags & ~(u64)(SFD_NONBLOCK | SFD_CLOEXEC)))
        return -EINVAL;
    if (get_user(mask, umask))
        return -EFAULT;
    mask &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
    if (fd != -1) {
        struct file *f = fd_get(fd);
        if (!f)
            return -EBADF;
        bool ours = f->ops == &sfd_ops;
        if (ours)
            WRITE_ONCE(((struct signalfd *)f->priv)->mask, mask);
        file_put(f);
        return ours ? fd : -EINVAL;
    }
    struct signalfd *s = kmalloc(sizeof(*s), GFP_KERNEL);
    if (!s)
        return -ENOMEM;
    s->mask = mask;
    s->process = process_get(current_process());
    struct file *f =
        file_anon("anon_inode:[signalfd]", &sfd_ops, s, 2u | (u32)(flags & SFD_NONBLOCK));
    if (IS_ERR(f)) {
        process_put(s->process);
        kfree(s);
        return PTR_ERR(f);
    }
    fd = fd_alloc(f, flags & SFD_CLOEXEC ? 1 : 0, 0);
    if (fd < 0)
        file_put(f);
    return fd;
}

SYSCALL(signalfd)
{
    return do_signalfd((int)a0, a1, a2, 0);
}
SYSCALL(signalfd4)
{
    return do_signalfd((int)a0, a1, a2, a3);
}
