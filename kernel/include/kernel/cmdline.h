/* SPDX-License-Identifier: MIT */
/* What the command line leaves for the first program. Pure; hosted test: tests/kernel/test_cmdline.c. */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H
#include <lib/types.h>

#define INIT_MAX 32
struct init_args {
    const char *init, *rdinit;      /* NULL: not given */
    const char *argv[INIT_MAX + 2]; /* argv[0] is for the caller to fill in */
    const char *envp[INIT_MAX + 2]; /* begins with HOME=/ and TERM=linux */
    u32 argc, envc;
};
/*
 * Cuts line (changed in place, must stay) into words. As on Linux: words that the kernel knows are its own, so are words with a dot
 * before '='; other NAME=VALUE words go to the environment, plain words and everything behind "--" to the arguments.
 */
void cmdline_split(char *line, struct init_args *out);
#endif
