/* SPDX-License-Identifier: MIT */
/* What run-init's parts share. */
#ifndef USER_INIT_INIT_H
#define USER_INIT_INIT_H

#include <stdbool.h>

#include "../proto.h"

struct orders {
    char **args, **env, **modules;
    const char *cwd, *root, *host, *swap;
    unsigned tty, rows, cols;
    bool console;
};

extern struct orders orders;

/* Tells the host and the console why the guest cannot go on, and powers off. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *fmt, ...);

/* user/init/setup.c; each fails as a whole or returns. */
void read_orders(void);
void load_modules(void);
int open_port(void); /* -1: there is none */
void enter_root(void);
void loopback_up(void);
void swap_on(void); /* orders.swap */

#endif
