/* SPDX-License-Identifier: MIT */
/* Record locks (fcntl) and whole-file locks (flock): locks.c. Seals of memfd: memfd.c. */
#ifndef KERNEL_FS_LOCKS_H
#define KERNEL_FS_LOCKS_H
#include <kernel/file.h>
#include <kernel/lock_range.h>
s64 locks_fcntl(struct file *f, u32 cmd, u64 user_flock, int fd);
/* The text of /proc/locks. */
struct seq;
void locks_show(struct seq *s, void *arg);
s64 memfd_fcntl(struct file *f, u32 cmd, u32 seals);

#endif
