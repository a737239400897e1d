/* SPDX-License-Identifier: MIT */
/* The table of guest tests, tests/guest/cases; its head explains the form. */
#ifndef CLI_CASES_H
#define CLI_CASES_H

#include <stdbool.h>

#include "util.h"

enum case_kind {
    CASE_RUN,     /* `pagoda run -- sh -c SCRIPT` */
    CASE_HOST,    /* `sh -c SCRIPT` on the host, which starts guests itself */
    CASE_BOOT,    /* busybox initramfs on QEMU's serial console */
    CASE_PROGRAM, /* a program of build/tests/guest: ends with status 0 */
    CASE_SAME,    /* a program of build/tests/linux: says the same as under Linux */
    CASE_FUZZ,    /* games of tests/linux/mmfuzz, the same as under Linux */
};

struct guest_case {
    enum case_kind kind;
    char *name, *script; /* script lines joined by newlines; a program's path */
    struct words opts;   /* of pagoda run, or QEMU's */
    char *append;        /* boot only: more kernel command line */
    char *initrd;        /* boot only: a shell command that spoils the archive between stdin and stdout; "none" */
    struct words disks;  /* MiB of each empty disk, with ",ro" behind a read-only one: vda, vdb, ... */
    struct words needs;  /* programs the host must have */
    struct words match;  /* extended regular expressions, each found in the output */
    char *input;         /* standard input, or NULL */
    char *expect;        /* exact output, or NULL */
    bool as_host;        /* same output and status as `sh -c SCRIPT` on the host */
    bool as_linux;       /* ... as under Linux */
    int status, timeout; /* expected exit status; seconds */
};

/* Expected status of a case about a guest that must live on, whatever becomes of its programs. */
#define STATUS_LIVES (-1)

struct case_list {
    struct guest_case *v;
    size_t n;
};

/* Appends the cases of a file; exits with file and line after an error of form. */
void cases_read(struct case_list *list, const char *path);
/* Appends a case for each program in a folder, in order of name; an absent folder is empty. */
void cases_add_programs(struct case_list *list, enum case_kind kind, const char *dir,
                        const char *prefix);
void cases_add_fuzz(struct case_list *list);

#endif
