/* SPDX-License-Identifier: MIT */
/*
 * The descriptor of a userfaultfd: userfaultfd(2), /dev/userfaultfd, read, poll, ioctl, fdinfo. What it does is mm/uffd/.
 *
 *   read  ─ messages, as many as fit and are there; only the first is waited for
 *           FORK: the child's context becomes a descriptor of the reader before the forking thread goes on
 *   close ─ uffd_release
 *
 * Locks: none of its own.
 */
#include "ipc.h"
#include <kernel/poll.h>
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <mm/uffd.h>
#include <port/log.h>

#define CAP_SYS_PTRACE 19
#define FD_FLAGS       (O_CLOEXEC | O_NONBLOCK)
#define MISC_MAJOR     10
#define UFFD_MINOR     123 /* Linux gives it the next free one */

u64 sysctl_unprivileged_userfaultfd;

static const struct file_ops uffd_ops;

/* A descriptor for u, whose reference it takes over; the number or -errno (then u is as before). */
static s64 make_fd(struct uffd *u)
{
    struct file *f = file_anon("anon_inode:[userfaultfd]", &uffd_ops, u, O_RDONLY | (u->flags & O_NONBLOCK));
    if (IS_ERR(f))
        return PTR_ERR(f);
    int fd = fd_reserve(u->flags & O_CLOEXEC ? FD_CLOEXEC : 0, 0);
    if (fd < 0) {
        f->priv = NULL;
        file_put(f);
        return fd;
    }
    fd_install(fd, f);
    return fd;
}

static int resolve_fork(struct uffd *u, struct uapi_uffd_msg *msg, struct uffd_wait *event)
{
    s64 fd = make_fd(event->forked);
    uffd_read_done(u, event, fd >= 0);
    if (fd < 0)
        return (int)fd;
    msg->fork.ufd = (u32)fd;
    return 0;
}

static int read_one(struct uffd *u, bool wait, struct uapi_uffd_msg *msg)
{
    struct uffd_wait *event;
    int err;
    while ((err = uffd_read(u, msg, &event)) == -EAGAIN && wait) {
        err = waitq_wait_interruptible(&u->readers, uffd_readable(u));
        if (err)
            return err;
    }
    return err || !event ? err : resolve_fork(u, msg, event);
}

static ssize_t uffd_file_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos)
{
    struct uffd *u = f->priv;
    struct uapi_uffd_msg msg;
    size_t done = 0;
    if (!READ_ONCE(u->features))
        return -EINVAL;
    while (n - done >= sizeof(msg)) {
        int err = read_one(u, !done && !(f->flags & O_NONBLOCK), &msg);
        if (!err && buf_put(buf, done, &msg, sizeof(msg)))
            err = -EFAULT;
        if (err)
            return done ? (ssize_t)done : err;
        done += sizeof(msg);
    }
    return done ? (ssize_t)done : -EINVAL;
}

/* Only where read() may not block: a message that poll() saw may be gone when read() comes. */
static u32 uffd_poll(struct file *f, struct poll_table *pt)
{
    struct uffd *u = f->priv;
    poll_wait(pt, &u->readers);
    if (!READ_ONCE(u->features) || !(f->flags & O_NONBLOCK))
        return EPOLLERR;
    return uffd_readable(u) ? EPOLLIN : 0;
}

static s64 uffd_file_ioctl(struct file *f, u32 cmd, u64 arg)
{
    return uffd_ioctl(f->priv, cmd, arg, capable(CAP_SYS_PTRACE));
}

static void uffd_file_release(struct file *f)
{
    if (f->priv)
        uffd_release(f->priv);
}

static void uffd_show(struct file *f, struct seq *s)
{
    struct uffd *u = f->priv;
    u64 pending, total;
    uffd_counts(u, &pending, &total);
    seq_printf(s, "pending:\t%lu\ntotal:\t%lu\nAPI:\t%lx:%x:%lx\n", pending, total, UAPI_UFFD_API, READ_ONCE(u->features),
               UAPI_UFFD_API_IOCTLS | UAPI_UFFD_RANGE_IOCTLS);
}

static const struct file_ops uffd_ops = {
    .read = uffd_file_read,
    .lseek = noop_lseek, /* a stream: several threads read at once */
    .poll = uffd_poll,
    .ioctl = uffd_file_ioctl,
    .release = uffd_file_release,
    .show_fdinfo = uffd_show,
};

static s64 uffd_new(u32 flags)
{
    if (flags & ~(FD_FLAGS | UAPI_UFFD_USER_MODE_ONLY))
        return -EINVAL;
    struct uffd *u = uffd_alloc(current_task()->mm, flags);
    if (!u)
        return -ENOMEM;
    s64 fd = make_fd(u);
    if (fd < 0)
        uffd_put(u);
    return fd;
}

/* Who may stop the kernel in its own accesses: the privileged; others only their user mode. */
SYSCALL(userfaultfd)
{
    u32 flags = (u32)a0;
    if (!(flags & UAPI_UFFD_USER_MODE_ONLY) && !READ_ONCE(sysctl_unprivileged_userfaultfd) && !capable(CAP_SYS_PTRACE))
        return -EPERM;
    return uffd_new(flags);
}

static s64 dev_ioctl(struct file *f, u32 cmd, u64 arg)
{
    return cmd == UAPI_USERFAULTFD_IOC_NEW ? uffd_new((u32)arg) : -EINVAL;
}

static const struct file_ops dev_ops = {.lseek = no_lseek, .ioctl = dev_ioctl};

void userfaultfd_register(void)
{
    int err = dev_register("userfaultfd", S_IFCHR | 0600, MISC_MAJOR, UFFD_MINOR, &dev_ops, NULL);
    if (err)
        log_print(LOG_ERR, "userfaultfd: no device node: error %d", err);
}
