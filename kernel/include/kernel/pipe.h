/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs. Bodies in kernel/ipc/{pipe,pipe_sys,fifo,splice}.c.
 *
 *   tail ─> [page off len][page off len] ... <─ head      a ring of 2^n slots, each a page or a part of one
 *
 * Locks: pipe->lock (mutex) guards everything; it is held across copies from and to user memory.
 */
#ifndef KERNEL_PIPE_H
#define KERNEL_PIPE_H
#include <kernel/file.h>

struct page;
#define PIPE_BUF       4096u
#define PIPE_DEF_SLOTS 16u
#define PIPE_SPARE     2u

struct pipe_buf {
    struct page *page; /* referenced */
    u32 off,
        len;   /* bytes of it that are in the pipe; len > 0 in every slot between tail and head */
    u32 flags; /* PIPE_BUF_* */
};
#define PIPE_BUF_PACKET 1u /* O_DIRECT: a read ends here and drops the rest */
#define PIPE_BUF_SHARED                                                                            \
    2u /* the page is somebody else's too (tee, splice): nothing may be appended to it */

struct pipe {
    struct mutex lock;
    u32 head, tail;       /* slots are numbered modulo 2^32; head - tail are in use */
    u32 nr_slots;         /* power of two */
    u32 charged;          /* slots that user pays for */
    struct user *user;    /* who made it, referenced */
    u32 readers, writers; /* open files */
    u32 r_count, w_count; /* ever opened: FIFO opens wait for a change */
    u32 nr_files;         /* files and openers: at 0 the pipe goes */
    struct pipe_buf *slots;
    struct page *spare[PIPE_SPARE]; /* kept for the next write */
    struct waitq rd_wait,
        wr_wait; /* readers wait for data, writers for room; both for pollers and openers */
    struct pipe_buf inline_slots[PIPE_DEF_SLOTS];
};

/* The pipe behind a file, or NULL. */
struct pipe *file_pipe(const struct file *f);
/* fcntl F_SETPIPE_SZ, F_GETPIPE_SZ: bytes, or -EBADF (no pipe), -EINVAL, -EBUSY, -EPERM, -ENOMEM. */
s64 pipe_fcntl(struct file *f, u32 cmd, u64 arg);
void pipe_boot(void);
#endif
