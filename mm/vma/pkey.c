/* SPDX-License-Identifier: MIT */
/*
 * Protection keys of an address space: which of the 16 are in use, and which one makes memory execute-only.
 *
 *   key 0      every area's unless it got another; in use from the start
 *   exec_pkey  taken by the first PROT_EXEC-only mapping; closed for data in PKRU; no program may name it
 *   others     pkey_alloc ── in use ── pkey_free. Areas that still have a freed key keep it.
 *
 * A key is four bits in an area's flags (VM_PKEY) and in each of its entries (PTE_PKEY); what it allows is the thread's own affair (PKRU).
 * Without keys in the CPU no bit of mm->pkeys is set, and pkey_take() has nothing to give.
 * Source: pkeys(7), Documentation/core-api/protection-keys.rst. Locks: mmap_lock for writing.
 */
#include <mm/pkey.h>
#include "vma_internal.h"

#define NR_PKEYS 16

bool pkey_in_use(const struct mm *mm, int key)
{
    return key >= 0 && key < NR_PKEYS && key != mm->exec_pkey && mm->pkeys >> key & 1;
}

int pkey_take(struct mm *mm)
{
    if (!pt_has_pkeys())
        return -1;
    for (int key = 0; key < NR_PKEYS; key++)
        if (!(mm->pkeys >> key & 1)) {
            mm->pkeys |= (u16)(1u << key);
            return key;
        }
    return -1;
}

void pkey_give_back(struct mm *mm, int key)
{
    mm->pkeys &= (u16)~(1u << key);
}

void pkey_set_rights(int key, u32 rights)
{
    mmu_set_pkru((mmu_pkru() & ~(3u << 2 * key)) | rights << 2 * key);
}

u32 pkey_exec_only(struct mm *mm)
{
    bool fresh = mm->exec_pkey < 0;
    int key = fresh ? pkey_take(mm) : mm->exec_pkey;
    if (key < 0)
        return 0;
    if (fresh || !(mmu_pkru() >> 2 * key & PKRU_AD))
        pkey_set_rights(key, PKRU_AD);
    mm->exec_pkey = (s8)key;
    return (u32)key;
}

u32 pkey_for_protect(const struct vma *vma, u64 prot, int key)
{
    struct mm *mm = vma->mm;
    if (key != -1)
        return (u32)key;
    if (!pt_has_pkeys())
        return 0;
    if (prot == VM_EXEC) {
        u32 exec = pkey_exec_only(mm);
        if (exec)
            return exec;
    } else if ((vma->flags & VM_ACCESS) == VM_EXEC && (int)vma_pkey(vma) == mm->exec_pkey) {
        return 0;
    }
    return vma_pkey(vma);
}
