/* SPDX-License-Identifier: MIT */
/* Debian's Linux kernels, the reference: fetched as packages into the cache on first use; the
 * system is not touched. */
#ifndef CLI_REFKERNEL_H
#define CLI_REFKERNEL_H

#include <stdbool.h>

#include "util.h"

struct kernel_image {
    char *path;           /* what QEMU's -kernel gets */
    char *label;          /* "Pagoda", "Linux 6.12.117" */
    struct words modules; /* files that run-init loads, in order; empty for Pagoda */
    bool is_pagoda;
};

/* What a kernel is wanted for decides the flavour of a reference kernel. */
enum kernel_use {
    USE_BENCH, /* Debian's cloud flavour: no 9p, nothing needless */
    USE_RUN,   /* Debian's generic flavour with its 9p and overlay modules */
};

/* Resolves "pagoda", "linux", "linux-6.12", "linux-6.1" or a path; exits with a message when there
 * is none. */
void kernel_find(const char *spec, enum kernel_use use, struct kernel_image *out);
/* Whether kernel_find() would have to fetch something. */
bool refkernel_cached(const char *series, enum kernel_use use);

#endif
