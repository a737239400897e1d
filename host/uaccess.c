/* SPDX-License-Identifier: MIT */
/* Copies to and from the current thread's user memory, through the software MMU and its faults. port/uaccess.h. */
#include <host/mmu.h>
#include <host/sched_internal.h>
#include <mm/mm.h>
#include <port/log.h>
#include <port/uaccess.h>
#include <errno.h>

/* The range lies in the user half. */
static bool in_user_half(u64 va, size_t n)
{
    struct mm *mm = host_current->mm;
    return mm && va <= mm->task_size && n <= mm->task_size - va;
}

static size_t copy(u64 va, void *buf, size_t n, enum host_access_kind kind)
{
    size_t done = 0;
    host_check_may_sleep("uaccess");
    if (!in_user_half(va, n))
        return n;
    host_access(va, buf, n, kind, false, &done);
    return n - done;
}

size_t copy_to_user(u64 dst, const void *src, size_t n)
{
    return copy(dst, (void *)src, n, HOST_WRITE);
}

size_t copy_from_user(void *dst, u64 src, size_t n)
{
    return copy(src, dst, n, HOST_READ);
}

size_t clear_user(u64 dst, size_t n)
{
    static const u8 zeros[PAGE_SIZE];
    while (n) {
        size_t step = min(n, PAGE_SIZE - (dst & (PAGE_SIZE - 1)));
        size_t left = copy_to_user(dst, zeros, step);
        if (left)
            return n - step + left;
        dst += step;
        n -= step;
    }
    return 0;
}

ssize_t strncpy_from_user(char *dst, u64 src, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        if (copy_from_user(dst + i, src + i, 1))
            return -EFAULT;
        if (!dst[i])
            return (ssize_t)i;
    }
    return -ENAMETOOLONG;
}

int user_cmpxchg_u32(u64 addr, u32 *old, u32 new_value)
{
    host_check_may_sleep("uaccess");
    if ((addr & 3) || !in_user_half(addr, 4))
        return -EFAULT;
    return host_access_cmpxchg(addr, old, new_value, false) ? -EFAULT : 0;
}
