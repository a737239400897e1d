/* SPDX-License-Identifier: MIT */
/* Page faults. Bodies in mm/fault/; the file head of mm/fault/fault.c draws the way. */
#ifndef MM_FAULT_H
#define MM_FAULT_H
#include <mm/vma.h>

/* The bits up to FAULT_PKEY are those of the CPU's error code. */
#define FAULT_PRESENT  1u /* the entry was present: a protection fault */
#define FAULT_WRITE    2u
#define FAULT_USER     4u /* the access came from user mode: stack growth, signals */
#define FAULT_EXEC     16u
#define FAULT_PKEY     32u /* the thread's PKRU forbids the key of the entry */
#define FAULT_REMOTE   256u /* another process's memory (get_user_pages): protection keys don't count */
#define FAULT_FORCE    512u /* ptrace-like: ignore missing VM_WRITE on private areas */
#define FAULT_NO_WAIT  1024u /* what a userfaultfd would have to answer fails with SIGBUS */

/* 1024: PIN_LONGTERM of mm/pin.h */
#define FAULT_PIN      2048u /* internal: a pin is wanted, not a reference */
#define FAULT_UNSHARE  4096u /* a read that wants an anonymous page of the program's own */

#define VM_FAULT_OOM     1u
#define VM_FAULT_SIGBUS  2u  /* BUS_ADRERR */
#define VM_FAULT_MAPERR  4u  /* SIGSEGV, nothing mapped */
#define VM_FAULT_ACCERR  8u  /* SIGSEGV, not allowed */
#define VM_FAULT_MAJOR   16u /* a device was waited for */
#define VM_FAULT_RETRY   32u /* internal: begin again under mmap_lock */
#define VM_FAULT_KILLED  64u /* a fatal signal arrived while waiting */
#define VM_FAULT_PKUERR  128u /* SIGSEGV, forbidden by the protection key VM_FAULT_KEY() */
#define VM_FAULT_POISON  256u /* BUS_MCEERR_AR */
#define VM_FAULT_USER    512u /* internal: a userfaultfd has to answer (fault_ask_user) */
#define VM_FAULT_DIRTIED 1024u /* internal: made a page of a file on a device dirty */
#define VM_FAULT_KEY_SHIFT 28
#define VM_FAULT_KEY(r)  ((r) >> VM_FAULT_KEY_SHIFT)
#define VM_FAULT_ERROR   (VM_FAULT_PKUERR | VM_FAULT_POISON | VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_MAPERR | VM_FAULT_ACCERR | VM_FAULT_KILLED)

struct fault {
    struct mm *mm;
    struct vma *vma;
    u64 addr;  /* page aligned */
    u64 pgoff; /* of addr in the area's file, if it has one: set by fault_file() */
    u32 flags; /* FAULT_* */
    pte_t *pte;      /* entry, table not locked */
    pte_t orig;      /* its value when looked at */
    struct page *page; /* from the backing, referenced */
    u64 reason;        /* with VM_FAULT_USER: a VM_UFFD_* */
};

/*
 * Makes addr accessible as asked, or says why not. Returns 0 or VM_FAULT_*. No lock held on entry or exit; may sleep.
 * Counts PGFAULT and PGMAJFAULT; the home counts the thread's from the MAJOR bit. 0 also when a signal came while a userfaultfd was
 * to answer an access from user mode: the signal first, then the access again.
 */
u32 mm_fault(struct mm *mm, u64 addr, u32 flags);

/* Do the area and, but for FAULT_REMOTE, the running thread's protection keys allow the access? 0, VM_FAULT_ACCERR, VM_FAULT_PKUERR. mmap_lock held. */
u32 fault_check_access(const struct vma *vma, u32 flags);
/*
 * Pins down pages of [addr, ...): out[i] referenced, fault as needed. Returns how many, or -EFAULT, -EHWPOISON, -ENOMEM, -EINTR when none. May sleep.
 * gup_flags: FAULT_WRITE, FAULT_FORCE, FAULT_NO_WAIT.
 */
s64 gup(struct mm *mm, u64 addr, u64 n, u32 gup_flags, struct page **out);
/*
 * The page at addr for a core dump, referenced in *out; NULL: no memory was ever used there, or none that may be read, and none
 * is used now. 0 or -ENOMEM, -EINTR. May sleep.
 */
s64 gup_touched(struct mm *mm, u64 addr, struct page **out);
/* Copies to or from another address space; returns bytes copied. */
size_t access_remote(struct mm *mm, u64 addr, void *buf, size_t n, u32 gup_flags);
/*
 * For userfaultfd: gives the empty entry at addr a page, the page of zeros or poison. Markers give way to pages. page: ANON: nobody
 * else's; CACHED: of vma->mapping; consumed, also on failure. wp: write-protected. mmap_lock held. 0, -EEXIST, -ENOMEM, -EFAULT
 * (the file does not reach so far).
 */
enum fault_fill_kind {
    FILL_ANON,
    FILL_CACHED,
    FILL_ZERO,
    FILL_POISON,
};
int fault_fill(struct vma *vma, u64 addr, struct page *page, enum fault_fill_kind kind, bool wp);
/* Brings back what is swapped out at addr, whatever the area allows. mmap_lock held, or the area. 0 or VM_FAULT_*. May sleep. */
u32 fault_swap_in(struct vma *vma, u64 addr);
/* Faults in every page of [start,end) as MAP_POPULATE and mlock do. 0, -ENOMEM, -EFAULT, -EINTR. mmap_lock NOT held. */
int mm_populate(struct mm *mm, u64 start, u64 len, bool ignore_errors);
#endif
