/* SPDX-License-Identifier: MIT */
/* Further operations on the current thread's descriptor table (fd.c). */
#ifndef KERNEL_FS_FD_H
#define KERNEL_FS_FD_H
#include <kernel/file.h>
/* fd becomes f (reference taken over on success); what was there is closed. fd, -EBADF, -ENOMEM, -EBUSY. */
int fd_replace(int fd, struct file *f, u32 fd_flags);
/* FD_CLOEXEC or 0 of an open descriptor, or -EBADF; set >= 0: new flags. */
int fd_flags(int fd, int set);
bool fd_table_cloexec(struct task *task, int fd);
/* Closes [first,last], or marks them close-on-exec. */
void fd_range(u32 first, u32 last, bool mark_cloexec);
#endif
