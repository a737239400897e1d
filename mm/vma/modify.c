/* SPDX-License-Identifier: MIT */
/*
 * Changes of protection and flags over a range: cut at the edges, change, join again.
 *
 *   AAAAAAAA  mprotect of the middle   AA|BBBB|AA  and back   AAAAAAAA
 *
 * Locks: mmap_lock for writing; each changed area is write-locked.
 */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/mlock.h>
#include <mm/pkey.h>
#include <mm/pt.h>
#include <mm/rmap.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <port/task.h>
#include <mm/uffd.h>
#include "vma_internal.h"

/* Undoes the cuts at the edges of an area that stays as it was. */
static void uncut(struct vma *vma, bool front, bool back)
{
    struct vma *prev = front ? vma_prev(vma) : NULL, *next = back ? vma_next(vma) : NULL;
    vma_write_lock(vma);
    if (next) {
        vma_write_lock(next);
        vma_absorb_next(vma, next);
    }
    if (prev) {
        vma_write_lock(prev);
        vma_absorb_next(prev, vma);
    }
}

/*
 * Calls change() for each area of [start,end), cut to size, merging behind it. wanted() says before the cut whether the area
 * would change (1, 0) or refuses (-errno). -ENOMEM on a hole, after the areas before it.
 */
static int for_range(struct mm *mm, u64 start, u64 end, int (*change)(struct vma *vma, void *arg),
                     int (*wanted)(struct vma *vma, void *arg), void *arg, bool holes_fine)
{
    struct vma *vma = vma_find(mm, start);
    int result = 0;
    if (!vma || vma_start(vma) >= end)
        return -ENOMEM;
    if (vma_start(vma) > start) {
        if (!holes_fine)
            return -ENOMEM;
        result = -ENOMEM;
    }
    u64 pos = max(start, vma_start(vma));
    while (vma) {
        u64 stop = min(end, vma_end(vma));
        int err = wanted(vma, arg);
        if (err < 0)
            return err;
        if (err) {
            bool front = vma_start(vma) < pos, back = vma_end(vma) > stop;
            err = 0;
            if (front) {
                if (mm->map_count >= sysctl_max_map_count)
                    return -ENOMEM;
                err = vma_split(mm, vma, pos);
                if (err)
                    return err;
                vma = vma_next(vma);
            }
            if (back) {
                err = mm->map_count >= sysctl_max_map_count ? -ENOMEM : vma_split(mm, vma, stop);
                if (err) {
                    uncut(vma, front, false);
                    return err;
                }
            }
            err = change(vma, arg);
            if (err) {
                uncut(vma, front, back);
                return err;
            }
            vma = vma_merge_part(vma, front, back);
        }
        if (stop >= end)
            return result;
        pos = stop;
        vma = vma_find(mm, pos);
        if (!vma || vma_start(vma) >= end)
            return -ENOMEM;
        if (vma_start(vma) > pos) {
            if (!holes_fine)
                return -ENOMEM;
            result = -ENOMEM;
            pos = vma_start(vma);
        }
    }
    return result;
}

struct protect_arg {
    u64 prot; /* as given to mprotect */
    int pkey;
    bool read_exec; /* personality READ_IMPLIES_EXEC */
    struct vma_fill *fill;
};

static u64 protected_flags(const struct vma *vma, const struct protect_arg *a)
{
    u64 prot = a->prot;
    if (a->read_exec && vma->flags & VM_MAYEXEC)
        prot |= VM_EXEC;
    u64 key = pkey_for_protect(vma, prot, a->pkey);
    return (vma->flags & ~(VM_ACCESS | VM_PKEY)) | (prot & VM_ACCESS) | key << VM_PKEY_SHIFT;
}

static int protect_wanted(struct vma *vma, void *arg)
{
    u64 flags = protected_flags(vma, arg);
    if ((flags & ~(flags >> 4)) & VM_ACCESS) /* VM_MAY* sit four bits above what they allow */
        return -EACCES;
    if (vma->mm->flags & MMF_MDWE && flags & VM_EXEC && (flags & VM_WRITE || !(vma->flags & VM_EXEC)))
        return -EACCES;
    if (vma->flags & VM_SEALED)
        return -EPERM;
    return flags != vma->flags;
}

static u64 filled_up_to(const struct vma_fill *fill)
{
    return fill->n ? fill->part[fill->n - 1].to : 0;
}

static void note_fill(struct protect_arg *a, const struct vma *vma)
{
    struct vma_fill *fill = a->fill;
    if (fill->n && (filled_up_to(fill) == vma_start(vma) || fill->n == ARRAY_SIZE(fill->part))) {
        fill->part[fill->n - 1].to = vma_end(vma);
        return;
    }
    fill->part[fill->n].from = vma_start(vma);
    fill->part[fill->n++].to = vma_end(vma);
}

/*
 * Linux fills each area before it comes to the next, which by then finds a neighbour with an anon_vma and may become one with
 * it. Here all is filled at the end. Without memory for it they stay two.
 */
static void prepare_filled(const struct protect_arg *a, struct vma *vma)
{
    struct vma *prev = vma_prev(vma);
    if (prev && filled_up_to(a->fill) == vma_start(vma) && !prev->anon_vma && !(prev->flags & VM_LOCKONFAULT))
        (void)anon_vma_prepare(prev);
}

static int protect_change(struct vma *vma, void *arg)
{
    struct mm *mm = vma->mm;
    prepare_filled(arg, vma);
    u64 flags = protected_flags(vma, arg), pages = vma_pages(vma);
    /* Only becoming data can be too much: a space that is over RLIMIT_AS already may still change its rights. */
    if (flags & VM_WRITE && !vma_may_expand(mm, flags, pages) && vma_may_expand(mm, vma->flags, pages))
        return -ENOMEM;
    if (pt_own_range(mm, vma_start(vma), vma_end(vma)))
        return -ENOMEM;
    if (!(vma->flags & VM_ACCOUNT) && vma_is_accountable(flags)) {
        if (commit_charge(mm, pages))
            return -ENOMEM;
        flags |= VM_ACCOUNT;
    }
    /* What can no longer be written and holds no page of its own promises nothing: Linux takes it off the account. */
    bool uncharge = vma->flags & VM_ACCOUNT && !(flags & VM_WRITE) && vma_is_anon(vma) && !vma->anon_vma;
    if (uncharge) {
        flags &= ~VM_ACCOUNT;
        commit_uncharge(pages);
    }
    if ((vma->flags & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && flags & VM_WRITE)
        note_fill(arg, vma);
    vma_write_lock(vma);
    vma_account(mm, vma->flags, -(s64)pages);
    WRITE_ONCE(vma->flags, flags); /* write-back looks at VM_SHARED without the lock of the area */
    vma->prot = vma_page_prot(flags, vma->mapping);
    vma_account(mm, flags, (s64)pages);
    pt_protect_range(vma, vma_start(vma), vma_end(vma));
    return 0;
}

int vma_protect(struct mm *mm, u64 start, u64 end, u64 prot, int pkey, struct vma_fill *fill)
{
    struct protect_arg arg = {
        .prot = prot,
        .pkey = pkey,
        .read_exec = prot & VM_READ && task_read_implies_exec(),
        .fill = fill,
    };
    fill->n = 0;
    /* Refused before the area that refuses is cut; earlier areas stay changed. */
    return for_range(mm, start, end, protect_change, protect_wanted, &arg, false);
}

struct flags_arg {
    u64 set, clear;
};

static int flags_wanted(struct vma *vma, void *arg)
{
    struct flags_arg *a = arg;
    return ((vma->flags | a->set) & ~a->clear) != vma->flags;
}

static int flags_change(struct vma *vma, void *arg)
{
    struct flags_arg *a = arg;
    struct mm *mm = vma->mm;
    u64 flags = (vma->flags | a->set) & ~a->clear, changed = flags ^ vma->flags;
    vma_write_lock(vma);
    if (changed & VM_LOCKED)
        mm->locked_vm += flags & VM_LOCKED ? vma_pages(vma) : -vma_pages(vma);
    WRITE_ONCE(vma->flags, flags); /* write-back looks at VM_SHARED without the lock of the area */
    if (changed & flags & VM_LOCKED)
        mlock_range(vma, vma_start(vma), vma_end(vma));
    else if (changed & VM_LOCKED)
        munlock_range(vma, vma_start(vma), vma_end(vma));
    return 0;
}

int vma_set_flags(struct mm *mm, u64 start, u64 end, u64 set, u64 clear)
{
    struct flags_arg arg = {set, clear};
    return for_range(mm, start, end, flags_change, flags_wanted, &arg, true);
}

struct uffd_arg {
    struct uffd *uffd;
    u64 modes;
};

static int uffd_wanted(struct vma *vma, void *arg)
{
    struct uffd_arg *a = arg;
    return vma->uffd != a->uffd || (vma->flags & VM_UFFD) != a->modes;
}

static int uffd_change(struct vma *vma, void *arg)
{
    struct uffd_arg *a = arg;
    if (!(a->modes & VM_UFFD_WP))
        uffd_forget_area(vma);
    vma_write_lock(vma);
    WRITE_ONCE(vma->flags, (vma->flags & ~VM_UFFD) | a->modes);
    vma->prot = vma_page_prot(vma->flags, vma->mapping);
    vma->uffd = a->uffd;
    return 0;
}

int vma_set_uffd(struct mm *mm, u64 start, u64 end, struct uffd *uffd, u64 modes)
{
    struct uffd_arg arg = {uffd, modes};
    return for_range(mm, start, end, uffd_change, uffd_wanted, &arg, false);
}

static int name_wanted(struct vma *vma, void *arg)
{
    const char *name = arg;
    if (vma->mapping ? vma->ops != &shmem_anon_vma_ops : vma->file != NULL)
        return -EBADF;
    return name && vma->name ? str_cmp(name, vma->name) != 0 : name != vma->name;
}

static int name_change(struct vma *vma, void *arg)
{
    char *name = NULL;
    if (arg) {
        name = kstrdup(arg, GFP_KERNEL);
        if (!name)
            return -EAGAIN;
    }
    vma_write_lock(vma);
    kfree(vma->name);
    vma->name = name;
    return 0;
}

int vma_set_name(struct mm *mm, u64 start, u64 end, const char *name)
{
    return for_range(mm, start, end, name_change, name_wanted, (void *)name, true);
}
