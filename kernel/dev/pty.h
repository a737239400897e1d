/* SPDX-License-Identifier: MIT */
/* Pseudo terminals: pty.c, and their names: devpts.c. */
#ifndef KERNEL_DEV_PTY_H
#define KERNEL_DEV_PTY_H
#include <kernel/tty.h>

#define PTY_MAX 1024u
#define PTY_OUT 8192u

struct pty {
    struct tty tty; /* the slave */
    bool used, master_open, slave_gone, locked, packet, flow;
    u8 status;                /* TIOCPKT_* not yet told to the master; atomic */
    u32 head, tail;           /* of out: tty.out_lock */
    struct waitq master_wait; /* the master: data to read, room to write */
    u8 out[PTY_OUT];
};

/* Opens a new pair: f becomes its master. 0, -ENOSPC, -ENOMEM. */
int ptmx_open(struct file *f);
extern const struct file_ops ptmx_ops;

/* Shows and hides /dev/pts/N, owned by the current thread's user. 0 or -ENOMEM. */
int devpts_add(u32 index, struct tty *tty);
void devpts_remove(u32 index);
#endif
