/* SPDX-License-Identifier: MIT */
/* Brings kernel/ipc up: caches, /proc files. */
#include <kernel/pipe.h>
#include <kernel/poll.h>
#include <kernel/socket.h>

void ipc_boot(void)
{
    pipe_boot();
    poll_boot();
    socket_boot();
    sysv_boot();
}
