/* SPDX-License-Identifier: MIT */
/*
 * The vDSO's two areas in a program: "[vvar]" (as many pages as on Linux; the first is data, the others are SIGBUS, as there
 * without a hypervisor's clock and a time namespace) and behind it "[vdso]" (code). The pages exist once (arch/vdso.h). Those of
 * the code are mapped by reference and counted; [vvar] is a map of frames (VM_PFNMAP), which nobody counts.
 */
#include "exec.h"
#include <arch/vdso.h>
#include <lib/errno.h>
#include <mm/fault.h>
#include <mm/page.h>
#include <mm/vma.h>
#include <port/random.h>

static u32 vdso_fault(struct fault *f)
{
    f->page = vdso_page(f->pgoff);
    if (!f->page)
        return VM_FAULT_SIGBUS;
    page_get(f->page);
    return 0;
}

static const char *vdso_name(struct vma *vma)
{
    return vma->pgoff < VVAR_PAGES ? "[vvar]" : "[vdso]";
}

static const struct vma_ops vdso_ops = {
    .fault = vdso_fault,
    .name = vdso_name,
};

#define VVAR_FLAGS (VM_READ | VM_MAYREAD | VM_IO | VM_PFNMAP | VM_DONTDUMP | VM_DONTEXPAND)
#define AREA_PAGES (VVAR_PAGES + VDSO_PAGES)
#define VDSO_FLAGS (VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND)

static s64 map_pages(struct mm *mm, u64 addr, u64 pages, u64 pgoff, u64 flags)
{
    struct vma_request req = {
        .addr = addr,
        .len = pages * PAGE_SIZE,
        .flags = flags,
        .pgoff = pgoff,
        .ops = &vdso_ops,
        .fixed = true,
        .noreplace = true,
    };
    return vma_map(mm, &req);
}

/* Where Linux wants it: at random in what is left above the stack of its 2 MiB, or right behind the stack. */
static u64 wanted_address(const struct mm *mm)
{
    const u64 len = AREA_PAGES * PAGE_SIZE;
    u64 start = page_align_up(mm->start_stack), end = min(ALIGN_UP(start, PMD_SIZE), mm->map_limit);
    if (end < start + len + PAGE_SIZE)
        return start;
    return start + random_u64() % (((end - len - start) >> PAGE_SHIFT) + 1) * PAGE_SIZE;
}

int exec_map_vdso(struct mm *mm, bool randomize)
{
    mm->vdso = 0;
    if (!vdso_page(0))
        return 0;
    mmap_write_lock(mm);
    s64 at = vma_find_gap(mm, randomize ? wanted_address(mm) : 0, AREA_PAGES * PAGE_SIZE, VVAR_FLAGS, 0);
    s64 err = at < 0 ? at : map_pages(mm, (u64)at, VVAR_PAGES, 0, VVAR_FLAGS);
    u64 code = (u64)at + VVAR_PAGES * PAGE_SIZE;
    if (err >= 0)
        err = map_pages(mm, code, VDSO_PAGES, VVAR_PAGES, VDSO_FLAGS);
    mmap_write_unlock(mm);
    if (err < 0)
        return (int)err;
    mm->vdso = code;
    return 0;
}
