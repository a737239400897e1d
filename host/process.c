/* SPDX-License-Identifier: MIT */
/* Simulated processes: host/process.h. */
#include <host/process.h>
#include <host/sched_internal.h>
#include <mm/fault.h>
#include <mm/sys.h>
#include <port/log.h>
#include <errno.h>
#include <stdlib.h>

static void enter(void)
{
    host_point();
    host_core_enter();
}

/* User code holds no lock of the core. */
static void leave(const char *call)
{
    struct host_thread *t = host_current;
    host_core_exit();
    if (t->nr_held || t->rcu_nest)
        panic("%s returns with %u locks held (the first %p) and %u RCU sections open", call,
              t->nr_held, t->nr_held ? t->held[0].lock : NULL, t->rcu_nest);
    host_point();
}

struct mm *host_mm_new(void)
{
    enter();
    struct mm *mm = mm_alloc();
    if (mm) {
        const struct mm_layout_request req = {.stack_limit = 8UL << 20};
        mm->rlimit = (struct mm_rlimits){U64_MAX, U64_MAX, 8UL << 20, U64_MAX, U64_MAX};
        mm_set_layout(mm, &req);
        mm->start_brk = mm->brk = 0x10000000;
    }
    leave("mm_alloc");
    return mm;
}

void host_mm_switch(struct mm *mm)
{
    host_mm_load(mm);
}

void host_mm_exit(struct mm *mm)
{
    if (host_current->mm == mm)
        host_mm_load(NULL);
    host_mm_unload_idle(mm);
    enter();
    mm_put(mm);
    leave("mm_put");
}

struct mm *host_fork(int *err)
{
    struct mm *child = NULL;
    enter();
    *err = mm_fork(host_current->mm, &child);
    leave("mm_fork");
    return *err ? NULL : child;
}

struct user_start {
    struct mm *mm;
    int (*fn)(void *);
    void *arg;
};

static int user_main(void *arg)
{
    struct user_start s = *(struct user_start *)arg;
    free(arg);
    host_mm_load(s.mm);
    int result = s.fn(s.arg);
    host_mm_load(NULL);
    /* Whoever drops the last reference must find the space on no CPU; others load it again when they run. */
    host_mm_unload_idle(s.mm);
    enter();
    mm_put(s.mm);
    leave("mm_put");
    return result;
}

struct host_thread *host_user_thread(struct mm *mm, int (*fn)(void *), void *arg, const char *name)
{
    struct user_start *s = malloc(sizeof(*s));
    if (!s)
        panic("no memory for a thread");
    *s = (struct user_start){mm, fn, arg};
    mm_get(mm);
    return host_thread_start(user_main, s, name, U32_MAX);
}

#define CALL(name, expr)                                                                           \
    enter();                                                                                       \
    s64 r = (expr);                                                                                \
    leave(name);                                                                                   \
    return r

s64 host_mmap(u64 addr, u64 len, u64 prot, u64 flags, const struct map_file *file, u64 offset)
{
    CALL("mmap", sys_mm_mmap(host_current->mm, addr, len, prot, flags, file, offset));
}

s64 host_mmap_anon(u64 len)
{
    return host_mmap(0, len, UAPI_PROT_READ | UAPI_PROT_WRITE,
                     UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
}

s64 host_munmap(u64 addr, u64 len)
{
    CALL("munmap", sys_mm_munmap(host_current->mm, addr, len));
}

s64 host_pkey_mprotect(u64 addr, u64 len, u64 prot, int key)
{
    CALL("pkey_mprotect", sys_mm_mprotect(host_current->mm, addr, len, prot, key));
}

s64 host_mprotect(u64 addr, u64 len, u64 prot)
{
    CALL("mprotect", sys_mm_mprotect(host_current->mm, addr, len, prot, -1));
}

s64 host_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr)
{
    CALL("mremap", sys_mm_mremap(host_current->mm, addr, old_len, new_len, flags, new_addr));
}

s64 host_brk(u64 brk)
{
    CALL("brk", sys_mm_brk(host_current->mm, brk));
}

s64 host_madvise(u64 addr, u64 len, int advice)
{
    CALL("madvise", sys_mm_madvise(host_current->mm, addr, len, advice));
}

s64 host_msync(u64 addr, u64 len, int flags)
{
    CALL("msync", sys_mm_msync(host_current->mm, addr, len, flags));
}

s64 host_mincore(u64 addr, u64 len, u64 vec)
{
    CALL("mincore", sys_mm_mincore(host_current->mm, addr, len, vec));
}

s64 host_mlock(u64 addr, u64 len, int flags)
{
    CALL("mlock", sys_mm_mlock(host_current->mm, addr, len, flags));
}

s64 host_munlock(u64 addr, u64 len)
{
    CALL("munlock", sys_mm_munlock(host_current->mm, addr, len));
}

s64 host_mlockall(int flags)
{
    CALL("mlockall", sys_mm_mlockall(host_current->mm, flags));
}

s64 host_munlockall(void)
{
    CALL("munlockall", sys_mm_munlockall(host_current->mm));
}

u32 host_load(u64 va, void *buf, size_t n)
{
    return host_access(va, buf, n, HOST_READ, true, NULL);
}

u32 host_store(u64 va, const void *buf, size_t n)
{
    return host_access(va, (void *)buf, n, HOST_WRITE, true, NULL);
}

u32 host_load_u8(u64 va, u8 *out)
{
    return host_load(va, out, 1);
}

u32 host_store_u8(u64 va, u8 value)
{
    return host_store(va, &value, 1);
}

u32 host_exec(u64 va)
{
    u8 byte;
    return host_access(va, &byte, 1, HOST_EXEC, true, NULL);
}
