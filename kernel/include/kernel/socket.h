/* SPDX-License-Identifier: MIT */
/*
 * Sockets: the UNIX domain. Bodies in kernel/ipc/{sock_sys,sock_msg,unix,unix_bind,unix_stream,unix_dgram,scm,sockopt}.c. Other families
 * answer -EAFNOSUPPORT, as a Linux without network does.
 */
#ifndef KERNEL_SOCKET_H
#define KERNEL_SOCKET_H
#include <kernel/file.h>

/* Is this an open socket? */
bool file_is_socket(const struct file *f);
/* Registers /proc/net/unix and the socket's knobs; after procfs. */
void socket_boot(void);

/* System V objects. fork and exit need nothing but these: exit applies the semaphore adjustments of the last thread's process. */
void sysv_exit(struct process *p);
/* What stands for the semaphore adjustments that p would undo at its end; NULL: there are none. */
const void *sysv_undo_list(struct process *p);
void sysv_boot(void);
#endif
