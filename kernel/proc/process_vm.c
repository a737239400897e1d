/* SPDX-License-Identifier: MIT */
/* process_vm_readv and process_vm_writev: copies between the caller's memory and another process's. */
#include "proc.h"
#include <kernel/syscall.h>
#include <lib/string.h>
#include <mm/fault.h>
#include <mm/mm.h>
#include <mm/page.h>
#include <mm/pin.h>
#include <port/uaccess.h>

#define MAX_IOV   1024
#define MAX_BYTES 0x7ffff000UL

struct side {
    u64 iov, left; /* user address of the vector; elements not yet taken */
    u64 base, len; /* rest of the current element */
};

/* The next element with bytes in it: 1, 0 at the end, -EFAULT. */
static int refill(struct side *s)
{
    while (!s->len) {
        struct iovec_k v;
        if (!s->left)
            return 0;
        if (copy_from_user(&v, s->iov, sizeof(v)))
            return -EFAULT;
        s->iov += sizeof(v);
        s->left--;
        s->base = v.base;
        s->len = v.len;
        if ((s64)v.len < 0)
            return -EINVAL;
    }
    return 1;
}

/* Bytes of a whole vector, checked before anything is moved. */
static s64 vector_bytes(const struct side *s)
{
    u64 sum = 0;
    for (u64 i = 0; i < s->left; i++) {
        struct iovec_k v;
        if (copy_from_user(&v, s->iov + i * sizeof(v), sizeof(v)))
            return -EFAULT;
        if ((s64)v.len < 0)
            return -EINVAL;
        sum += min(v.len, MAX_BYTES - sum);
    }
    return (s64)sum;
}

/*
 * Part of a page, through a pin: a page that a fork still shares becomes the process's own first, as Linux does it. Bytes
 * copied: n or 0. buf NULL: the page is only brought in.
 */
static size_t copy_pinned(struct mm *mm, u64 addr, void *buf, size_t n, bool write)
{
    struct page *page;
    if (pin_user_pages(mm, page_align_down(addr), 1, FAULT_REMOTE | (write ? FAULT_WRITE : 0), &page) != 1)
        return 0;
    char *va = (char *)page_to_virt(page) + addr % PAGE_SIZE;
    if (buf)
        memcpy(write ? va : buf, write ? buf : va, n);
    unpin_user_pages(&page, 1, write);
    return n;
}

/* The pages of an element are asked for at once, even if the other side is too short for them all. */
static void fault_rest(struct mm *mm, const struct side *remote, bool write)
{
    for (u64 at = page_align_up(remote->base); at < remote->base + remote->len; at += PAGE_SIZE)
        if (!copy_pinned(mm, at, NULL, 1, write))
            return;
}

static s64 transfer(struct mm *mm, struct side *local, struct side *remote, bool write, void *page)
{
    s64 done = 0;
    for (;;) {
        int a = refill(local);
        if (!a)
            fault_rest(mm, remote, write);
        int b = a > 0 ? refill(remote) : 0;
        if (a <= 0 || b <= 0)
            return done ? done : a < 0 ? a : b < 0 ? b : 0;
        u64 n = min(min(local->len, remote->len), PAGE_SIZE - remote->base % PAGE_SIZE);
        size_t got;
        if (write) {
            if (copy_from_user(page, local->base, n))
                return done ? done : -EFAULT;
            got = copy_pinned(mm, remote->base, page, n, true);
        } else {
            got = copy_pinned(mm, remote->base, page, n, false);
            if (copy_to_user(local->base, page, got))
                return done ? done : -EFAULT;
        }
        done += (s64)got;
        if (got < n)
            return done ? done : -EFAULT;
        local->base += n, local->len -= n;
        remote->base += n, remote->len -= n;
        if (fatal_signal_pending())
            return done;
        sched_cond();
    }
}

static s64 process_vm(u64 pid, u64 liov, u64 nl, u64 riov, u64 nr, u64 flags, bool write)
{
    struct side local = {.iov = liov, .left = nl}, remote = {.iov = riov, .left = nr};
    if (flags || nl > MAX_IOV || nr > MAX_IOV)
        return -EINVAL;
    s64 here = vector_bytes(&local), there = here > 0 ? vector_bytes(&remote) : 0;
    if (here <= 0 || there <= 0)
        return here < 0 ? here : there; /* even for a process that is not there */
    struct process *p = process_find((s32)pid);
    if (!p)
        return -ESRCH;
    s64 err = ptrace_may_access_process(p, PTRACE_MODE_ATTACH | PTRACE_MODE_REALCREDS);
    struct mm *mm = err ? NULL : process_get_mm(p);
    void *page = mm ? kmalloc(PAGE_SIZE, GFP_KERNEL) : NULL;
    if (!err)
        err = !mm ? -ESRCH : !page ? -ENOMEM : transfer(mm, &local, &remote, write, page);
    kfree(page);
    if (mm)
        mm_put(mm);
    process_put(p);
    return err;
}

SYSCALL(process_vm_readv)
{
    return process_vm(a0, a1, a2, a3, a4, a5, false);
}
SYSCALL(process_vm_writev)
{
    return process_vm(a0, a1, a2, a3, a4, a5, true);
}
