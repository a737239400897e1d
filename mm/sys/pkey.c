/* SPDX-License-Identifier: MIT */
/* pkey_alloc and pkey_free; pkey_mprotect is in mprotect.c. They take mmap_lock for writing. */
#include <lib/errno.h>
#include <mm/pkey.h>
#include <mm/sys.h>
#include <uapi/mman.h>

s64 sys_mm_pkey_alloc(struct mm *mm, u64 flags, u64 rights)
{
    if (flags || rights & ~(u64)(UAPI_PKEY_DISABLE_ACCESS | UAPI_PKEY_DISABLE_WRITE))
        return -EINVAL;
    if (!pt_has_pkeys())
        return -EINVAL;
    mmap_write_lock(mm);
    int key = pkey_take(mm);
    if (key >= 0)
        pkey_set_rights(key, (u32)rights); /* PKEY_DISABLE_* are PKRU_* */
    mmap_write_unlock(mm);
    return key < 0 ? -ENOSPC : key;
}

s64 sys_mm_pkey_free(struct mm *mm, int key)
{
    mmap_write_lock(mm);
    bool used = pkey_in_use(mm, key);
    if (used)
        pkey_give_back(mm, key);
    mmap_write_unlock(mm);
    return used ? 0 : -EINVAL;
}
