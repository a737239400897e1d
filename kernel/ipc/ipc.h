/* SPDX-License-Identifier: MIT */
/* What the files of kernel/ipc/ share with each other and with nobody else. */
#ifndef KERNEL_IPC_IPC_H
#define KERNEL_IPC_IPC_H
#include <kernel/file.h>
#include <port/uaccess.h>

#define FIONREAD         0x541bu
#define RLIMIT_NOFILE    7
#define CAP_SETGID       6
#define CAP_SETUID       7
#define CAP_IPC_LOCK     14
#define CAP_IPC_OWNER    15
#define CAP_SYS_ADMIN    21
#define CAP_SYS_RESOURCE 24

/* iobuf_put and iobuf_get with the plain user buffer in line. 0 or -EFAULT. */
static inline int buf_put(const struct iobuf *b, size_t off, const void *src, size_t n)
{
    if (likely(!b->iov && !b->kernel))
        return copy_to_user(b->addr + off, src, n) ? -EFAULT : 0;
    return iobuf_put(b, off, src, n);
}
static inline int buf_get(const struct iobuf *b, size_t off, void *dst, size_t n)
{
    if (likely(!b->iov && !b->kernel))
        return copy_from_user(dst, b->addr + off, n) ? -EFAULT : 0;
    return iobuf_get(b, off, dst, n);
}

/* Installs a file that was just made: the descriptor, or -errno with the file put. f may be an ERR_PTR. */
s64 fd_publish(struct file *f, u32 fd_flags);

/* pipe.c */
struct pipe;
/* -ENFILE: its user has too many, or no memory. */
struct pipe *pipe_alloc(void);
/* p is to have that many slots; false: its user may not have so many. p->lock held. */
bool pipe_charge(struct pipe *p, u32 slots);
void pipe_free(struct pipe *p);
extern const struct file_ops pipe_ops;
struct page;
struct pipe_buf;
struct page *pipe_page_alloc(struct pipe *p);
void pipe_page_put(struct pipe *p, struct page *page);
s64 pipe_wait_readable(
    struct pipe *p, bool nonblock); /* lock held on entry and exit; 1 data, 0 end of file, -errno */
s64 pipe_wait_room(struct pipe *p, bool nonblock); /* 1 room, -EPIPE (signal sent), -errno */
#endif
