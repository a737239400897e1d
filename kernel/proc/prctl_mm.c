/* SPDX-License-Identifier: MIT */
/* The options of prctl that concern memory: names of areas, memory that is never both written and executed, THP. */
#include "proc.h"
#include <mm/mm.h>
#include <mm/sys.h>
#include <port/uaccess.h>

#define NAME_MAX_VMA 80 /* with its NUL */
#define MDWE_REFUSE_EXEC_GAIN 1u
#define MDWE_NO_INHERIT       2u

static bool name_char_allowed(char c)
{
    return c > 0x1f && c < 0x7f && c != '\\' && c != '`' && c != '$' && c != '[' && c != ']';
}

s64 prctl_set_vma(u64 option, u64 addr, u64 len, u64 uname)
{
    char name[NAME_MAX_VMA];
    if (option) /* PR_SET_VMA_ANON_NAME is 0 */
        return -EINVAL;
    if (uname) {
        ssize_t n = strncpy_from_user(name, uname, sizeof(name));
        if (n < 0)
            return n == -ENAMETOOLONG ? -EINVAL : n;
        for (const char *p = name; *p; p++)
            if (!name_char_allowed(*p))
                return -EINVAL;
    }
    return sys_mm_set_name(current_task()->mm, addr, len, uname ? name : NULL);
}

static u32 mdwe_bits(const struct mm *mm)
{
    return (mm->flags & MMF_MDWE ? MDWE_REFUSE_EXEC_GAIN : 0) | (mm->flags & MMF_MDWE_NO_INHERIT ? MDWE_NO_INHERIT : 0);
}

s64 prctl_set_mdwe(u64 bits)
{
    struct mm *mm = current_task()->mm;
    u32 now = mdwe_bits(mm);
    if (bits & ~(u64)(MDWE_REFUSE_EXEC_GAIN | MDWE_NO_INHERIT) || bits == MDWE_NO_INHERIT)
        return -EINVAL;
    if (now && now != bits)
        return -EPERM;
    u64 set = (bits & MDWE_REFUSE_EXEC_GAIN ? MMF_MDWE : 0) | (bits & MDWE_NO_INHERIT ? MMF_MDWE_NO_INHERIT : 0);
    __atomic_fetch_or(&mm->flags, set, __ATOMIC_RELAXED);
    return 0;
}

s64 prctl_get_mdwe(void)
{
    return mdwe_bits(current_task()->mm);
}

s64 prctl_set_thp_disable(bool on)
{
    struct mm *mm = current_task()->mm;
    int err = mmap_write_lock_killable(mm);
    if (err)
        return err;
    if (on)
        __atomic_fetch_or(&mm->flags, MMF_DISABLE_THP, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&mm->flags, ~(u64)MMF_DISABLE_THP, __ATOMIC_RELAXED);
    mmap_write_unlock(mm);
    return 0;
}

s64 prctl_get_thp_disable(void)
{
    return (current_task()->mm->flags & MMF_DISABLE_THP) != 0;
}
