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

/* An entry that is no mapping: a marker; a swap entry. */
u32 fault_marker(struct fault *f);
u32 fault_swap(struct fault *f);
/* PTE_MARKER_WP in an area over a page cache or with ops->fault: the page as a read finds it, write-protected. */
u32 fault_file_marker(struct fault *f);
/* A userfaultfd may have to say what comes here: 0 to go on, else as fault_handle(). Area over a page cache, empty entry. */
u32 fault_file_uffd(struct fault *f);
/* A write to an entry with PTE_UFFD_WP: 0 to go on, with f->orig of now and without it; or as fault_handle(). */
u32 fault_uffd_wp(struct fault *f);
/*
 * A userfaultfd has to answer: VM_FAULT_USER | VM_FAULT_RETRY, with f->reason; or VM_FAULT_SIGBUS where nobody may wait for it.
 * The area stays locked.
 */
u32 fault_ask_user(struct fault *f, u64 reason);
/*
 * What follows VM_FAULT_USER, under mmap_lock, which is released (write: it is held for writing): asks and sleeps. 0: try again;
 * FAULT_INTERRUPTED: a signal for the user-mode access; VM_FAULT_KILLED. addr: as the CPU gave it.
 */
#define FAULT_INTERRUPTED (1u << 31)
u32 fault_wait_user(struct fault *f, u64 addr, bool write);

/* As fault_install_anon() with the bits of the entry. */
void fault_install_anon_bits(struct fault *f, struct page *page, u64 bits);
/* A zero-filled or copied page becomes the anonymous page at f->addr, replacing f->orig (an empty entry here). */
void fault_install_anon(struct fault *f, struct page *page);
#endif
