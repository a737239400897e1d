/* SPDX-License-Identifier: MIT */
/*
 * prctl(PR_SET_MM): where a program says its code, data, heap, stack and strings are, its auxiliary vector and its executable
 * file, as a restored checkpoint needs it. Only what /proc shows and where brk begins; no mapping changes.
 */
#include "proc.h"
#include <arch/uaccess.h>
#include <kernel/path.h>
#include <mm/mm.h>
#include <mm/vma.h>
#include <port/uaccess.h>

#define CAP_SYS_ADMIN_K          21
#define CAP_SYS_RESOURCE_K       24
#define CAP_CHECKPOINT_RESTORE_K 40
#define MS_NOEXEC_K              8u
#define MAY_EXEC_K               1

enum {
    SET_START_CODE = 1,
    SET_END_CODE,
    SET_START_DATA,
    SET_END_DATA,
    SET_START_STACK,
    SET_START_BRK,
    SET_BRK,
    SET_ARG_START,
    SET_ARG_END,
    SET_ENV_START,
    SET_ENV_END,
    SET_AUXV,
    SET_EXE_FILE,
    SET_MAP,
    SET_MAP_SIZE
};

/* struct prctl_mm_map of Linux. */
struct mm_map {
    u64 start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start, env_end;
    u64 auxv;
    u32 auxv_size, exe_fd;
};
BUILD_ASSERT(sizeof(struct mm_map) == 104);
#define NR_PLACES (offsetof(struct mm_map, auxv) / sizeof(u64))

static int check(const struct mm *mm, const struct mm_map *m)
{
    u64 place[NR_PLACES];
    memcpy(place, m, sizeof(place));
    for (size_t i = 0; i < NR_PLACES; i++)
        if (place[i] >= mm->task_size || place[i] < sysctl_mmap_min_addr)
            return -EINVAL;
    if (m->start_code >= m->end_code || m->start_data > m->end_data || m->start_brk > m->brk || m->arg_start > m->arg_end ||
        m->env_start > m->env_end)
        return -EINVAL;
    u64 data = m->brk - m->start_brk + (m->end_data - m->start_data);
    return data > rlimit_cur(current_process(), RLIMIT_DATA) ? -EINVAL : 0;
}

/* mmap_lock held. */
static void apply(struct mm *mm, const struct mm_map *m)
{
    mm->start_code = m->start_code, mm->end_code = m->end_code;
    mm->start_data = m->start_data, mm->end_data = m->end_data;
    mm->start_brk = m->start_brk, mm->brk = m->brk;
    mm->start_stack = m->start_stack;
    mm->arg_start = m->arg_start, mm->arg_end = m->arg_end;
    mm->env_start = m->env_start, mm->env_end = m->env_end;
}

static void read_places(const struct mm *mm, struct mm_map *m)
{
    *m = (struct mm_map){mm->start_code,  mm->end_code,  mm->start_data, mm->end_data,  mm->start_brk, mm->brk,
                         mm->start_stack, mm->arg_start, mm->arg_end,    mm->env_start, mm->env_end,   .exe_fd = ~0u};
}

/* The whole vector, zeros behind what was given. 0 or -EFAULT. */
static int copy_auxv(const struct mm *mm, u64 *auxv, u64 user, u64 len)
{
    memset(auxv, 0, sizeof(mm->saved_auxv));
    if (copy_from_user(auxv, user, len))
        return -EFAULT;
    auxv[ARRAY_SIZE(mm->saved_auxv) - 2] = auxv[ARRAY_SIZE(mm->saved_auxv) - 1] = 0;
    return 0;
}

static s64 set_auxv(struct mm *mm, u64 user, u64 len)
{
    u64 auxv[ARRAY_SIZE(mm->saved_auxv)];
    if (len > sizeof(auxv))
        return -EINVAL;
    int err = copy_auxv(mm, auxv, user, len);
    if (!err)
        memcpy(mm->saved_auxv, auxv, len);
    return err;
}

static bool same_place(const struct file *a, const struct file *b)
{
    return a && b && a->dentry == b->dentry && a->mount == b->mount;
}

/* f takes the place of the executable, whose last mapping must be gone. Consumes a reference when it succeeds. */
static s64 replace_exe(struct mm *mm, struct file *f)
{
    mmap_write_lock(mm);
    s64 err = 0;
    for (struct vma *v = vma_first(mm); v && !err; v = vma_next(v))
        if (same_place(v->file, mm->exe_file))
            err = -EBUSY;
    if (!err && file_deny_write(f))
        err = -EACCES;
    void *old = err ? NULL : mm->exe_file;
    if (!err)
        mm->exe_file = f;
    mmap_write_unlock(mm);
    if (old)
        mm_home_ops->exe_put(old);
    return err;
}

static s64 set_exe(struct mm *mm, int fd)
{
    struct file *f = fd_get(fd);
    if (!f)
        return -EBADF;
    s64 err = -EACCES;
    if ((f->inode->mode & 0170000) == 0100000 && !(f->mount && f->mount->flags & MS_NOEXEC_K))
        err = inode_permission(f->inode, MAY_EXEC_K);
    if (!err)
        err = replace_exe(mm, f);
    if (err)
        file_put(f);
    return err;
}

static s64 set_map(struct mm *mm, u64 user, u64 size)
{
    struct mm_map m;
    u64 auxv[ARRAY_SIZE(mm->saved_auxv)];
    if (size != sizeof(m))
        return -EINVAL;
    if (copy_from_user(&m, user, sizeof(m)))
        return -EFAULT;
    s64 err = check(mm, &m);
    if (err)
        return err;
    if (m.auxv_size && (!m.auxv || m.auxv_size > sizeof(auxv)))
        return -EINVAL;
    if (m.auxv_size && (err = copy_auxv(mm, auxv, m.auxv, m.auxv_size)))
        return err;
    if (m.exe_fd != ~0u) {
        if (!capable(CAP_SYS_ADMIN_K) && !capable(CAP_CHECKPOINT_RESTORE_K))
            return -EPERM;
        err = set_exe(mm, (int)m.exe_fd);
        if (err)
            return err;
    }
    mmap_write_lock(mm);
    apply(mm, &m);
    if (m.auxv_size)
        memcpy(mm->saved_auxv, auxv, sizeof(auxv));
    mmap_write_unlock(mm);
    return 0;
}

static u64 *place_of(struct mm_map *m, u64 option)
{
    switch (option) {
    case SET_START_CODE:
        return &m->start_code;
    case SET_END_CODE:
        return &m->end_code;
    case SET_START_DATA:
        return &m->start_data;
    case SET_END_DATA:
        return &m->end_data;
    case SET_START_STACK:
        return &m->start_stack;
    case SET_START_BRK:
        return &m->start_brk;
    case SET_BRK:
        return &m->brk;
    case SET_ARG_START:
        return &m->arg_start;
    case SET_ARG_END:
        return &m->arg_end;
    case SET_ENV_START:
        return &m->env_start;
    case SET_ENV_END:
        return &m->env_end;
    default:
        return NULL;
    }
}

static s64 set_place(struct mm *mm, u64 option, u64 addr)
{
    struct mm_map m;
    if (addr >= mm->task_size || addr < sysctl_mmap_min_addr)
        return -EINVAL;
    mmap_write_lock(mm);
    read_places(mm, &m);
    u64 *place = place_of(&m, option);
    s64 err = -EINVAL;
    if (place) {
        *place = addr;
        err = check(mm, &m);
        bool on_stack = option == SET_START_STACK || (option >= SET_ARG_START && option <= SET_ENV_END);
        if (!err && on_stack && !vma_find(mm, addr))
            err = -EFAULT;
    }
    if (!err)
        apply(mm, &m);
    mmap_write_unlock(mm);
    return err;
}

s64 prctl_set_mm(u64 option, u64 addr, u64 arg4, u64 arg5)
{
    struct mm *mm = current_task()->mm;
    if (arg5 || (arg4 && option != SET_AUXV && option != SET_MAP && option != SET_MAP_SIZE))
        return -EINVAL;
    if (option == SET_MAP_SIZE)
        return put_user((u32)sizeof(struct mm_map), addr);
    if (option == SET_MAP)
        return set_map(mm, addr, arg4);
    if (!capable(CAP_SYS_RESOURCE_K))
        return -EPERM;
    if (option == SET_EXE_FILE)
        return set_exe(mm, (int)addr);
    if (option == SET_AUXV)
        return set_auxv(mm, addr, arg4);
    return set_place(mm, option, addr);
}
