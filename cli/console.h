/* SPDX-License-Identifier: MIT */
/* A guest whose whole conversation is its serial console: benchmarks and boot tests. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <stdbool.h>

#include "util.h"

struct console_run {
    const struct words *command; /* QEMU's words */
    int timeout_ms;
    const char *until; /* a line that begins so is the last one wanted; NULL: run until QEMU ends */
    bool echo;         /* to standard error as it comes */
    int64_t found_ms;  /* out: when `until` was seen, by now_ms() */
};

/* Collects the console, carriage returns removed, and QEMU's own messages in *out, which the caller
 * frees. Returns QEMU's exit status, 0 when `until` was seen, or EXIT_TIMEOUT; QEMU is gone on
 * return. */
int console_run(struct console_run *c, char **out);

#endif
