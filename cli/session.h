/* SPDX-License-Identifier: MIT */
/* One QEMU with a program in it: the standard streams on this side, the port's frames on the other.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "util.h"

struct session {
    const struct words *command; /* QEMU's words */
    int port_fd,
        guest_fd; /* the two ends of a socket pair; the session closes guest_fd in this process */
    unsigned tty; /* bit n set: stream n is a terminal here */
    bool verbose; /* the console goes to standard error as it comes */
    bool quiet_failure;    /* no console lines after a failure */
    int boot_ms, limit_ms; /* until CMD starts; until it ends, 0: no limit */
};

/* Runs to the end; returns CMD's exit status, or EXIT_TIMEOUT, or EXIT_PAGODA after a message. */
int session_run(struct session *s);

/* Terminal size of a descriptor; false when it is no terminal. */
bool term_size(int fd, unsigned short *rows, unsigned short *cols);

#endif
