/* SPDX-License-Identifier: MIT */
/* Inside of core dumps: one dump on its way to a file. */
#ifndef KERNEL_EXEC_COREDUMP_H
#define KERNEL_EXEC_COREDUMP_H
#include "../proc/proc.h"
#include <kernel/file.h>

struct core_vma {
    u64 start, end, flags, pgoff;
    u64 dump;          /* bytes of it that go into the file */
    struct file *file; /* referenced, or NULL */
    const char *name;  /* of a file that only the kernel has: shared memory; or NULL */
};

struct core_dump {
    const struct siginfo_k *info;
    s32 sig;
    struct file *file;
    u64 limit, pos, end, written; /* bytes; limit: RLIMIT_CORE; end: after the last that was written */
    bool stream;             /* a pipe: holes are written as zeros */
    struct task **threads;   /* referenced; the one that got the signal first */
    u32 nr_threads;
    struct core_vma *vma;
    u32 nr_vmas;
    char *name; /* PATH_MAX bytes for paths */
};

/* coredump.c */
/* Appends n bytes; false: the limit, the disk, or SIGKILL ended it. */
bool core_emit(struct core_dump *d, const void *data, size_t n);
/* Leaves a hole of n bytes. */
bool core_skip(struct core_dump *d, u64 n);
/* After the last byte: a hole at the end becomes part of the file. */
bool core_end(struct core_dump *d);
/* coredump_name.c: expands core_pattern into out (size bytes). 0 or -ENAMETOOLONG. */
int core_name(const struct core_dump *d, const char *pattern, char *out, size_t size);
/* coredump_elf.c: the whole file, or as much as there is room for. false: no memory, nothing was written. */
bool core_write_elf(struct core_dump *d);
/* coredump_notes.c: *out (kvmalloc'd) gets the notes. 0 or -ENOMEM. */
int core_notes(struct core_dump *d, void **out, size_t *size);
#endif
