/* SPDX-License-Identifier: MIT */
/* What the files of mm/fault share. The vma is read-locked, or mmap_lock is held. */
#ifndef MM_FAULT_INTERNAL_H
#define MM_FAULT_INTERNAL_H
#include <mm/fault.h>
#include <mm/pt.h>

/* Makes f->addr accessible in f->vma; f->mm, vma, addr, flags are set. 0 or VM_FAULT_*. */
u32 fault_handle(struct fault *f);

/* No entry yet, anonymous area. */
u32 fault_anon(struct fault *f);
/* No entry yet, area over a page cache or with ops->fault. */
u32 fault_file(struct fault *f);
/* A present entry without write permission, and a write. */
u32 fault_write_protected(struct fault *f);

/* A zero-filled or copied page becomes the anonymous page at f->addr, replacing f->orig (an empty entry here). */
void fault_install_anon(struct fault *f, struct page *page);
#endif
