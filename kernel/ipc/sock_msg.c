/* SPDX-License-Identifier: MIT */
/* The system calls that move data over sockets: send, recv, sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg. */
#include "unix.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <kernel/time.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/clock.h>

#define FAST_IOV 8u
#define MAX_RW   0x7ffff000UL

struct user_msghdr {
    u64 name;
    u32 name_len, pad0;
    u64 iov, iov_len;
    u64 control, control_len;
    u32 flags, pad1;
};
BUILD_ASSERT(sizeof(struct user_msghdr) == 56);
#define MMSG_SIZE 64u /* msghdr and the length of the result */

struct call {
    struct umsghdr m;
    struct user_msghdr h;
    struct iovec_k fast[FAST_IOV], *slow;
};

/* The socket of fd and whether it is to block. 0, -EBADF, -ENOTSOCK. */
static int borrow(int fd, struct fdref *r, struct usock **s)
{
    *r = fd_borrow(fd);
    if (!r->file)
        return -EBADF;
    *s = usock_of(r->file);
    if (*s)
        return 0;
    fd_return(*r);
    return -ENOTSOCK;
}

static int load_name(struct umsghdr *m, u64 user, u32 len)
{
    m->name_len = 0;
    if (!user || !len)
        return 0;
    if (len > sizeof(m->name))
        return -EINVAL;
    memset(&m->name, 0, sizeof(m->name));
    if (copy_from_user(&m->name, user, len))
        return -EFAULT;
    m->name_len = len;
    return 0;
}

/* Loads header and vector. call_end() follows in any case. */
static int call_load(struct call *c, u64 user)
{
    c->slow = NULL;
    memset(&c->m, 0, sizeof(c->m));
    if (copy_from_user(&c->h, user, sizeof(c->h)))
        return -EFAULT;
    if (c->h.iov_len > IOV_MAX)
        return -EMSGSIZE;
    struct iovec_k *iov = c->fast;
    if (c->h.iov_len > FAST_IOV) {
        iov = c->slow = kmalloc(c->h.iov_len * sizeof(*iov), GFP_KERNEL);
        if (!iov)
            return -ENOMEM;
    }
    if (copy_from_user(iov, c->h.iov, c->h.iov_len * sizeof(*iov)))
        return -EFAULT;
    for (u64 i = 0; i < c->h.iov_len; i++) {
        if ((s64)iov[i].len < 0)
            return -EINVAL;
        iov[i].len = min(iov[i].len, MAX_RW - c->m.len);
        c->m.len += iov[i].len;
    }
    c->m.buf = (struct iobuf){.iov = iov, .nr_iov = (u32)c->h.iov_len};
    if (c->h.iov_len == 1)
        c->m.buf = (struct iobuf){.addr = iov[0].base};
    return 0;
}

static void call_end(struct call *c)
{
    kfree(c->slow);
}

/* ---- sending ---- */
static s64 send_call(struct fdref r, struct usock *s, u64 user, u32 flags)
{
    struct call c;
    s64 n = call_load(&c, user);
    if (!n)
        n = load_name(&c.m, c.h.name, c.h.name_len);
    if (!n && s->type == SOCK_SEQPACKET && s->state != U_CONNECTED)
        n = -ENOTCONN; /* before the control data is looked at */
    if (!n)
        n = scm_parse(&c.m.scm, c.h.control, c.h.control_len);
    if (!n) {
        c.m.flags = flags | (r.file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
        n = unix_sendmsg(s, &c.m);
    }
    call_end(&c);
    return n;
}

SYSCALL(sendto)
{
    struct fdref r;
    struct usock *s;
    int err = borrow((int)a0, &r, &s);
    if (err)
        return err;
    struct umsghdr m = {.buf.addr = a1,
                        .len = min(a2, MAX_RW),
                        .flags = (u32)a3 | (r.file->flags & O_NONBLOCK ? MSG_DONTWAIT : 0)};
    s64 n = load_name(&m, a4, (u32)a5);
    if (!n)
        n = unix_sendmsg(s, &m);
    fd_return(r);
    return n;
}

SYSCALL(sendmsg)
{
    struct fdref r;
    struct usock *s;
    s64 n = borrow((int)a0, &r, &s);
    if (n)
        return n;
    n = send_call(r, s, a1, (u32)a2);
    fd_return(r);
    return n;
}

SYSCALL(sendmmsg)
{
    struct fdref r;
    struct usock *s;
    s64 n = borrow((int)a0, &r, &s);
    if (n)
        return n;
    u32 done = 0, count = min((u32)a2, (u32)IOV_MAX);
    for (; done < count; done++) {
        u64 at = a1 + done * MMSG_SIZE;
        n = send_call(r, s, at, (u32)a3);
        if (n >= 0) {
            u32 len = (u32)n;
            n = put_user(len, at + sizeof(struct user_msghdr));
        }
        if (n < 0)
            break;
    }
    fd_return(r);
    return done ? done : n;
}

/* ---- receiving ---- */
static s64 recv_call(struct fdref r, struct usock *s, u64 user, u32 flags)
{
    struct call c;
    s64 n = call_load(&c, user);
    if (!n) {
        c.m.flags = flags;
        n = unix_recvmsg(s, &c.m, r.file->flags & O_NONBLOCK);
    }
    if (n >= 0) {
        u64 control_len = c.h.control_len;
        u32 out = c.m.flags & (MSG_TRUNC | MSG_CTRUNC | MSG_CMSG_CLOEXEC);
        if (s->type == SOCK_STREAM)
            out &= ~MSG_TRUNC;
        scm_deliver(&c.m.scm, c.h.control, &control_len, &out);
        int err = 0;
        if (c.h.name)
            err = sock_put_name(&c.m.name, c.m.name_len, c.h.name,
                                user + offsetof(struct user_msghdr, name_len));
        if (!err)
            err = put_user(out, user + offsetof(struct user_msghdr, flags));
        if (!err)
            err = put_user(control_len, user + offsetof(struct user_msghdr, control_len));
        if (err)
            n = err;
    }
    call_end(&c);
    return n;
}

SYSCALL(recvfrom)
{
    struct fdref r;
    struct usock *s;
    s64 n = borrow((int)a0, &r, &s);
    if (n)
        return n;
    struct umsghdr m = {.buf.addr = a1, .len = min(a2, MAX_RW), .flags = (u32)a3};
    n = unix_recvmsg(s, &m, r.file->flags & O_NONBLOCK);
    fd_return(r);
    if (m.scm.files)
        scm_files_put(m.scm.files);
    if (n >= 0 && a4) {
        int err = sock_put_name(&m.name, m.name_len, a4, a5);
        if (err)
            n = err;
    }
    return n;
}

SYSCALL(recvmsg)
{
    struct fdref r;
    struct usock *s;
    s64 n = borrow((int)a0, &r, &s);
    if (n)
        return n;
    n = recv_call(r, s, a1, (u32)a2);
    fd_return(r);
    return n;
}

SYSCALL(recvmmsg)
{
    struct fdref r;
    struct usock *s;
    u64 deadline;
    s64 n = timeout_from_user(a4, &deadline);
    if (!n)
        n = borrow((int)a0, &r, &s);
    if (n)
        return n;
    u32 done = 0, flags = (u32)a3 & ~MSG_WAITFORONE, count = min((u32)a2, (u32)IOV_MAX);
    for (; done < count; done++) {
        u64 at = a1 + done * MMSG_SIZE;
        n = recv_call(r, s, at, flags);
        if (n >= 0) {
            u32 len = (u32)n;
            n = put_user(len, at + sizeof(struct user_msghdr));
        }
        if (n < 0)
            break;
        if (a3 & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (deadline != U64_MAX && clock_ns() >= deadline) {
            done++;
            break;
        }
    }
    fd_return(r);
    return done ? done : n;
}
