/* SPDX-License-Identifier: MIT */
/*
 * Simulated processes: an address space with one or more threads, which make the system calls of memory and touch it
 * through the software MMU. All calls act on the caller's process. Each checks that the core holds no lock on the way out.
 */
#ifndef HOST_PROCESS_H
#define HOST_PROCESS_H
#include <host/mmu.h>
#include <host/thread.h>
#include <mm/mm.h>
#include <uapi/mman.h>

struct map_file;

/* An address space laid out without randomness, with an 8 MiB stack limit; NULL when out of memory. */
struct mm *host_mm_new(void);
/* The caller's next accesses and calls are to mm (NULL: none); takes no reference. */
void host_mm_switch(struct mm *mm);
/* The end of the caller's use: taken off the CPUs that run no thread of it, then the reference of host_mm_new() or
 * host_fork() dropped. */
void host_mm_exit(struct mm *mm);
/* The child's address space, or NULL and *err -errno. */
struct mm *host_fork(int *err);

/* A thread of user code in mm. Runs on any CPU, is preempted and moves. Takes its own reference of mm and drops it. */
struct host_thread *host_user_thread(struct mm *mm, int (*fn)(void *), void *arg, const char *name);

s64 host_mmap(u64 addr, u64 len, u64 prot, u64 flags, const struct map_file *file, u64 offset);
/* Private anonymous, readable and writable, anywhere. */
s64 host_mmap_anon(u64 len);
s64 host_munmap(u64 addr, u64 len);
s64 host_pkey_mprotect(u64 addr, u64 len, u64 prot, int key);
s64 host_mprotect(u64 addr, u64 len, u64 prot);
s64 host_mremap(u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr);
s64 host_brk(u64 brk);
s64 host_madvise(u64 addr, u64 len, int advice);
s64 host_msync(u64 addr, u64 len, int flags);
s64 host_mincore(u64 addr, u64 len, u64 vec);
s64 host_mlock(u64 addr, u64 len, int flags);
s64 host_munlock(u64 addr, u64 len);
s64 host_mlockall(int flags);
s64 host_munlockall(void);

/* As user code: 0, or VM_FAULT_* where a program would get a signal. */
u32 host_load(u64 va, void *buf, size_t n);
u32 host_store(u64 va, const void *buf, size_t n);
u32 host_load_u8(u64 va, u8 *out);
u32 host_store_u8(u64 va, u8 value);
u32 host_exec(u64 va);
#endif
