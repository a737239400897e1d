/* SPDX-License-Identifier: MIT */
/* Inside of tracefs: its names (tracefs.c) and its streams (stream.c). */
#ifndef KERNEL_FS_TRACE_TRACEFS_H
#define KERNEL_FS_TRACE_TRACEFS_H
#include "../proc/pfs.h"
#include <mm/trace_read.h>

extern const struct file_ops trace_file_ops, trace_pipe_ops;
/* Takes a word of a text off its front: length, 0 at the end. *p goes behind it. */
size_t trace_word(const char **p, const char **word);
#endif
