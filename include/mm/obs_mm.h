/* SPDX-License-Identifier: MIT */
/*
 * The texts of /proc/PID that concern one address space, as Linux 6.12 prints them. Bodies in mm/obs/{maps,smaps,mm_status}.c.
 * All take mmap_lock for reading themselves and may sleep.
 */
#ifndef MM_OBS_MM_H
#define MM_OBS_MM_H
#include <lib/fmt.h>

struct mm;
struct vma;

/* What the home knows of a file: its numbers, and its path with newlines escaped. Called with mmap_lock held. */
struct obs_files {
    void (*numbers)(const struct vma *vma, u32 *major, u32 *minor, u64 *ino);
    void (*name)(struct seq *s, const struct vma *vma);
};

void obs_maps(struct seq *s, struct mm *mm, const struct obs_files *files);
void obs_smaps(struct seq *s, struct mm *mm, const struct obs_files *files);
void obs_numa_maps(struct seq *s, struct mm *mm, const struct obs_files *files);
void obs_smaps_rollup(struct seq *s, struct mm *mm);
void obs_statm(struct seq *s, struct mm *mm);
/* The lines VmPeak to untag_mask of /proc/PID/status. */
void obs_status(struct seq *s, struct mm *mm);

/* pagemap's words for n pages from start on, into out. show_pfn: with frame numbers. */
void obs_pagemap(struct mm *mm, u64 start, u64 n, bool show_pfn, u64 *out);
/* clear_refs: what is 1..5, see the head of mm/obs/clear_refs.c. 0, -EINVAL, -EINTR, -ENOMEM (a part may be done). */
int mm_clear_refs(struct mm *mm, int what);

/* The file of the line before, in the same buffer: a library's areas follow each other, and its name is made once. */
struct obs_last {
    const void *file;
    u32 major, minor;
    u64 ino;
    size_t name, len; /* where its name lies in the buffer */
};
/* Where an area's pages come from; zeros without a file. */
struct obs_origin {
    u32 major, minor;
    u64 ino, offset;
};
void obs_vma_origin(const struct vma *vma, const struct obs_files *files, struct obs_last *last, struct obs_origin *o);
/* The name that maps shows; nothing for plain memory. */
void obs_vma_name(struct seq *s, const struct vma *vma, const struct obs_files *files, struct obs_last *last);
/* One area's line of maps without locks, shared by maps and smaps. *last begins as {0}. */
void obs_vma_line(struct seq *s, const struct vma *vma, const struct obs_files *files, struct obs_last *last);
#endif
