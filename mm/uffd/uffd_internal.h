/* SPDX-License-Identifier: MIT */
/* What the files of mm/uffd share. */
#ifndef MM_UFFD_INTERNAL_H
#define MM_UFFD_INTERNAL_H
#include <lib/errno.h>
#include <mm/uffd.h>
#include <port/log.h>

/* An area leaves its context whole and joins its neighbours if it can; returns the area that holds it now. mmap_lock held for
 * writing. (register.c) */
struct vma *uffd_free_area(struct vma *vma);
/* mmap_lock is held. Keeps events of layout changes out until uffd_fill_unlock(): 0, or -EAGAIN with nothing locked (U4). */
int uffd_fill_lock(struct uffd *u);
static inline void uffd_fill_unlock(struct uffd *u)
{
    up_read(&u->changing_lock);
}
static inline bool uffd_changing(const struct uffd *u)
{
    return READ_ONCE(u->mmap_changing) != 0;
}
#endif
