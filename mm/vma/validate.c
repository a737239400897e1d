/* SPDX-License-Identifier: MIT */
/* Checks the invariants of mm/mm.h and mm/vma.h for one address space. mmap_lock held. */
#include <mm/rmap.h>
#include "vma_internal.h"

const char *vma_validate(struct mm *mm)
{
    const char *why = rt_validate(&mm->vmas);
    if (why)
        return why;
    u64 total = 0, data = 0, exec = 0, stack = 0, locked = 0;
    for (struct vma *v = vma_first(mm); v; v = vma_next(v)) {
        u64 pages = vma_pages(v);
        if (v->mm != mm)
            return "V1: an area belongs to another mm";
        if (!IS_ALIGNED(vma_start(v) | vma_end(v), PAGE_SIZE) || vma_end(v) > mm->task_size)
            return "V1: bounds not aligned or beyond user space";
        if (v->detached)
            return "V1: a detached area is in the tree";
        if (v->prot != vma_page_prot(v->flags, v->mapping))
            return "V2: prot does not follow from flags";
        if (v->mapping ? list_empty(&v->mapping_link) : !list_empty(&v->mapping_link))
            return "V4: i_mmap link without mapping, or the reverse";
        if (v->anon_vma ? list_empty(&v->anon_link) : !list_empty(&v->anon_link))
            return "V4: anon_vma link without anon_vma, or the reverse";
        if (v->flags & VM_UFFD ? !v->uffd : v->uffd != NULL)
            return "U1: an area of a userfaultfd without one, or the reverse";
        total += pages;
        if (v->flags & VM_GROWSDOWN)
            stack += pages;
        else if ((v->flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
            exec += pages;
        else if ((v->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
            data += pages;
        if (v->flags & VM_LOCKED)
            locked += pages;
    }
    if (mm->map_count != mm->vmas.nr || mm->total_vm != total)
        return "M1: map_count or total_vm";
    if (mm->data_vm != data || mm->exec_vm != exec || mm->stack_vm != stack)
        return "M1: data_vm, exec_vm or stack_vm";
    if (mm->locked_vm != locked)
        return "M1: locked_vm";
    return NULL;
}
