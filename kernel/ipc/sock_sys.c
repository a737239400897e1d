/* SPDX-License-Identifier: MIT */
/* The system calls of sockets, but for those that move data (sock_msg.c). Families other than AF_UNIX: -EAFNOSUPPORT. */
#include "unix.h"
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <lib/string.h>

struct sockref {
    struct fdref fd;
    struct usock *s;
};

/* 0, -EBADF, -ENOTSOCK. */
static int sock_borrow(int fd, struct sockref *r)
{
    r->fd = fd_borrow(fd);
    if (!r->fd.file)
        return -EBADF;
    r->s = usock_of(r->fd.file);
    if (r->s)
        return 0;
    fd_return(r->fd);
    return -ENOTSOCK;
}

static int get_name(struct sockaddr_un_k *name, u64 user, u32 len)
{
    memset(name, 0, sizeof(*name));
    if (len > 128)
        return -EINVAL;
    if (len > sizeof(*name)) /* bytes beyond a sockaddr_un must be refused by the call itself */
        return -EINVAL;
    return len && copy_from_user(name, user, len) ? -EFAULT : 0;
}

/* Copies as much of the name as fits and writes its whole length. */
int sock_put_name(const struct sockaddr_un_k *name, u32 name_len, u64 user, u64 user_len)
{
    s32 room;
    if (get_user(room, user_len))
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    u32 n = min((u32)room, name_len);
    if (n && copy_to_user(user, name, min(n, (u32)sizeof(*name))))
        return -EFAULT;
    return put_user(name_len, user_len);
}

static int put_sock_name(struct usock *s, u64 user, u64 user_len)
{
    struct sockaddr_un_k none = {.family = AF_UNIX};
    struct uaddr *a = s ? load_acquire(&s->addr) : NULL;
    return a ? sock_put_name(&a->name, a->len, user, user_len)
             : sock_put_name(&none, sizeof(u16), user, user_len);
}

/* 0 with the base type, or the errno of socket(2). */
static int check_kind(u64 family, u64 type, u64 protocol, int *base)
{
    if (type & ~0xfUL & ~(u64)(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    *base = (int)(type & 0xf);
    if ((u32)family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (*base > 10 || *base == 0)
        return -EINVAL;
    if ((u32)protocol && (u32)protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (*base == SOCK_RAW)
        *base = SOCK_DGRAM;
    return *base == SOCK_STREAM || *base == SOCK_DGRAM || *base == SOCK_SEQPACKET
               ? 0
               : -ESOCKTNOSUPPORT;
}

static u32 fd_flags_of(u64 type)
{
    return type & SOCK_CLOEXEC ? FD_CLOEXEC : 0;
}

SYSCALL(socket)
{
    int base, err = check_kind(a0, (u32)a1, a2, &base);
    if (err)
        return err;
    struct usock *s = usock_alloc(base);
    return s ? fd_publish(usock_file(s, a1 & SOCK_NONBLOCK), fd_flags_of(a1)) : -ENOMEM;
}

SYSCALL(socketpair)
{
    int base, fds[2] = {-1, -1}, err = check_kind(a0, (u32)a1, a2, &base);
    if (err)
        return err;
    struct usock *a = usock_alloc(base), *b = usock_alloc(base);
    if (!a || !b) {
        if (a)
            usock_put(a);
        if (b)
            usock_put(b);
        return -ENOMEM;
    }
    unix_pair(a, b);
    struct file *fa = usock_file(a, a1 & SOCK_NONBLOCK), *fb = usock_file(b, a1 & SOCK_NONBLOCK);
    err = IS_ERR(fa) ? (int)PTR_ERR(fa) : IS_ERR(fb) ? (int)PTR_ERR(fb) : 0;
    for (int i = 0; i < 2 && !err; i++) {
        fds[i] = fd_reserve(fd_flags_of(a1), 0);
        if (fds[i] < 0)
            err = fds[i];
    }
    if (!err && copy_to_user(a3, fds, sizeof(fds)))
        err = -EFAULT;
    if (!err) {
        fd_install(fds[0], fa);
        fd_install(fds[1], fb);
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            fd_unreserve(fds[i]);
    if (!IS_ERR(fa))
        file_put(fa);
    if (!IS_ERR(fb))
        file_put(fb);
    return err;
}

SYSCALL(bind)
{
    struct sockref r;
    struct sockaddr_un_k name;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = get_name(&name, a1, (u32)a2);
    if (!err)
        err = unix_bind(r.s, &name, (u32)a2);
    fd_return(r.fd);
    return err;
}

SYSCALL(listen)
{
    struct sockref r;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = unix_listen(r.s, (int)a1);
    fd_return(r.fd);
    return err;
}

SYSCALL(connect)
{
    struct sockref r;
    struct sockaddr_un_k name;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = get_name(&name, a1, (u32)a2);
    if (!err)
        err = unix_connect(r.s, &name, (u32)a2, r.fd.file->flags & O_NONBLOCK);
    fd_return(r.fd);
    return err;
}

static s64 do_accept(int fd, u64 user_name, u64 user_len, u32 flags)
{
    struct sockref r;
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    int err = sock_borrow(fd, &r);
    if (err)
        return err;
    struct usock *c = unix_accept(r.s, r.fd.file->flags & O_NONBLOCK);
    fd_return(r.fd);
    if (IS_ERR(c))
        return PTR_ERR(c);
    struct file *f = usock_file(c, flags & SOCK_NONBLOCK);
    if (!IS_ERR(f) && user_name) {
        err = put_sock_name(c->peer, user_name, user_len);
        if (err) {
            file_put(f);
            return err;
        }
    }
    return fd_publish(f, fd_flags_of(flags));
}

SYSCALL(accept)
{
    return do_accept((int)a0, a1, a2, 0);
}
SYSCALL(accept4)
{
    return do_accept((int)a0, a1, a2, (u32)a3);
}

SYSCALL(shutdown)
{
    struct sockref r;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    if ((u32)a1 > 2)
        err = -EINVAL;
    else
        err = usock_shutdown(r.s, (u32)a1 + 1);
    fd_return(r.fd);
    return err;
}

SYSCALL(getsockname)
{
    struct sockref r;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = put_sock_name(r.s, a1, a2);
    fd_return(r.fd);
    return err;
}

SYSCALL(getpeername)
{
    struct sockref r;
    int err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    mutex_lock(&unix_mutex);
    struct usock *peer = r.s->peer ? usock_get(r.s->peer) : NULL;
    mutex_unlock(&unix_mutex);
    err = -ENOTCONN;
    if (peer) {
        err = put_sock_name(peer, a1, a2);
        usock_put(peer);
    }
    fd_return(r.fd);
    return err;
}

SYSCALL(setsockopt)
{
    struct sockref r;
    s64 err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = (s32)a4 < 0 ? -EINVAL : unix_setsockopt(r.s, (int)a1, (int)a2, a3, (u32)a4);
    fd_return(r.fd);
    return err;
}

SYSCALL(getsockopt)
{
    struct sockref r;
    s64 err = sock_borrow((int)a0, &r);
    if (err)
        return err;
    err = unix_getsockopt(r.s, (int)a1, (int)a2, a3, a4);
    fd_return(r.fd);
    return err;
}
