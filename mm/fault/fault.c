/* SPDX-License-Identifier: MIT */
/*
 * The way of a page fault.
 *
 *   mm_fault(mm, addr, flags)
 *     │  vma_lock_find: the area, by RCU and its own lock           (no lock of the address space)
 *     │    └ missing, or a writer is about ──► fault_under_mmap_lock: stack growth, MAPERR
 *     ▼
 *   fault_check_access ──► ACCERR
 *     ▼
 *   fault_handle: pt_alloc gives the entry's place; by what stands there:
 *        empty      anonymous area   read  ──► zero page                    anon.c
 *                                    write ──► cleared page                 anon.c
 *                   file             read  ──► page cache, fault-around     file.c
 *                                    write, private ──► copy                file.c
 *                                    write, shared  ──► page_mkwrite        file.c
 *        present, read-only, write   ──► reuse or copy                      cow.c
 *        present, allowed            ──► spurious: another CPU was faster
 *        a swap entry                ──> read back, mapped                        swap.c
 *        a marker                    ──► poisoned, or write-protected before its page came                       uffd.c
 *
 *   In an area registered with a userfaultfd the leaves may answer VM_FAULT_USER instead: then fault_under_mmap_lock comes to
 *   the same answer, sleeps until the monitor has filled the entry, and begins again.
 *
 * An entry is installed under its table's lock, after a second look that it is still what it was: whoever loses the race drops
 * what it made and is done.
 *
 * Locks: none on entry; nothing is held while a userfaultfd is waited for. vma read lock (or mmap_lock), then pt_lock. Sleeps for memory and devices only outside pt_lock.
 */
#include <lib/errno.h>
#include <mm/stat.h>
#include <mm/writeback.h>
#include <port/log.h>
#include "fault_internal.h"

/* The thread's own rights come before the area's. Key 0 is left to the MMU, which reports it with FAULT_PKEY (fault_handle). */
static __noinline_fn u32 check_pkey(const struct vma *vma, u32 flags)
{
    u32 key = vma_pkey(vma), rights = mmu_pkru() >> 2 * key;
    if (!(flags & FAULT_PKEY) && (flags & (FAULT_EXEC | FAULT_REMOTE) ||
                                  !(rights & (flags & FAULT_WRITE ? PKRU_AD | PKRU_WD : PKRU_AD))))
        return 0;
    return VM_FAULT_PKUERR | key << VM_FAULT_KEY_SHIFT;
}

u32 fault_check_access(const struct vma *vma, u32 flags)
{
    u64 f = vma->flags;
    if (unlikely(f & VM_PKEY)) {
        u32 denied = check_pkey(vma, flags);
        if (denied)
            return denied;
    }
    if (flags & FAULT_WRITE) {
        if (f & VM_WRITE)
            return 0;
        return flags & FAULT_FORCE && (f & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE ? 0 : VM_FAULT_ACCERR;
    }
    if (flags & FAULT_EXEC)
        return f & VM_EXEC ? 0 : VM_FAULT_ACCERR;
    if (f & VM_ACCESS)
        return 0; /* x86 has no write-only or execute-only pages */
    return flags & FAULT_FORCE && f & VM_MAYREAD ? 0 : VM_FAULT_ACCERR;
}

static __noinline_fn u32 fault_unmapped(struct fault *f)
{
    return pte_swap(f->orig) ? fault_swap(f) : fault_marker(f);
}

u32 fault_handle(struct fault *f)
{
    f->pte = pt_alloc(f->mm, f->addr);
    if (unlikely(!f->pte))
        return VM_FAULT_OOM;
    f->orig = pte_load(f->pte);
    if (pte_none(f->orig))
        return vma_is_anon(f->vma) ? fault_anon(f) : fault_file(f);
    if (unlikely(!pte_mapped(f->orig)))
        return fault_unmapped(f);
    if (f->flags & (FAULT_WRITE | FAULT_UNSHARE) && !pte_write(f->orig))
        return fault_write_protected(f);
    mmu_flush_page_local(f->addr);
    return f->flags & FAULT_PKEY ? VM_FAULT_PKUERR : 0;
}

/* The area that holds addr, growing a stack if it is just above. *write: mmap_lock is held for writing on return. NULL: *why. */
static struct vma *find_or_grow(struct mm *mm, u64 addr, bool *write, u32 *why)
{
    *write = false;
    mmap_read_lock(mm);
    struct vma *vma = vma_find(mm, addr);
    if (!vma || vma_start(vma) <= addr || !(vma->flags & VM_GROWSDOWN))
        return vma && vma_start(vma) <= addr ? vma : NULL;
    mmap_read_unlock(mm);
    mmap_write_lock(mm);
    *write = true;
    vma = vma_find(mm, addr);
    if (!vma || vma_start(vma) <= addr)
        return vma;
    int err = vma->flags & VM_GROWSDOWN ? vma_grow_stack(vma, addr) : -ENOMEM;
    if (err == -EAGAIN)
        *why = VM_FAULT_OOM;
    return err ? NULL : vma;
}

/* One try. *again: a userfaultfd was asked. exact: the address as the CPU gave it. */
static u32 try_under_mmap_lock(struct mm *mm, u64 exact, u32 flags, bool *again)
{
    bool write;
    u64 addr = page_align_down(exact);
    u32 r = VM_FAULT_MAPERR;
    struct vma *vma = addr < mm->task_size ? find_or_grow(mm, addr, &write, &r) : (mmap_read_lock(mm), write = false, NULL);
    struct backing_dev *brake = NULL;
    *again = false;
    if (vma) {
        r = fault_check_access(vma, flags);
        if (!r) {
            struct fault f = {.mm = mm, .vma = vma, .addr = addr, .flags = flags};
            r = fault_handle(&f);
            if (unlikely(r & VM_FAULT_DIRTIED))
                brake = writeback_hold_dirtied(vma->mapping);
            if (unlikely(r & VM_FAULT_USER)) {
                r = fault_wait_user(&f, exact, write);
                *again = !r;
                return r == FAULT_INTERRUPTED ? 0 : r;
            }
        }
    }
    if (write)
        mmap_write_unlock(mm);
    else
        mmap_read_unlock(mm);
    if (unlikely(brake))
        writeback_brake_held(brake);
    return r & ~VM_FAULT_DIRTIED;
}

static __noinline_fn u32 fault_under_mmap_lock(struct mm *mm, u64 addr, u32 flags)
{
    bool again;
    u32 r = try_under_mmap_lock(mm, addr, flags, &again);
    if (likely(!again))
        return r;
    do
        r = try_under_mmap_lock(mm, addr, flags, &again);
    while (again);
    return r | VM_FAULT_MAJOR; /* the monitor was waited for */
}

u32 mm_fault(struct mm *mm, u64 addr, u32 flags)
{
    stat_event(PGFAULT);
    struct vma *vma = vma_lock_find(mm, addr);
    struct backing_dev *brake = NULL;
    u32 r = VM_FAULT_RETRY;
    if (likely(vma)) {
        r = fault_check_access(vma, flags);
        if (likely(!r)) {
            struct fault f;
            f.mm = mm;
            f.vma = vma;
            f.addr = page_align_down(addr);
            f.flags = flags;
            r = fault_handle(&f);
            if (unlikely(r & VM_FAULT_DIRTIED))
                brake = writeback_hold_dirtied(vma->mapping);
        }
        vma_read_unlock(vma);
        if (unlikely(brake)) /* with no lock held */
            writeback_brake_held(brake);
        r &= ~VM_FAULT_DIRTIED;
    }
    if (unlikely(r & VM_FAULT_RETRY))
        r = fault_under_mmap_lock(mm, addr, flags);
    if (unlikely(r & VM_FAULT_MAJOR))
        stat_event(PGMAJFAULT);
    return r;
}
