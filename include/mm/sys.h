/* SPDX-License-Identifier: MIT */
/*
 * The system calls of memory: arguments as Linux defines them (uapi/mman.h), results as the program sees them: a value or
 * -errno. Every call acts on the mm given (the current thread's). May sleep. Bodies in mm/sys/.
 */
#ifndef MM_SYS_H
#define MM_SYS_H
#include <lib/types.h>
struct mm;
struct vma_ops;
struct address_space;

/*
 * What the home knows of a file that a program asks to map; the core asks for it by calling mm_file_ops.
 */
struct map_file {
    struct address_space *mapping; /* page cache, or NULL with ops->fault */
    const struct vma_ops *ops;     /* open and close count the file */
    void *file;
    bool readable, writable, executable; /* how it was opened; noexec mounts clear executable */
    bool append_only;
    bool deny_shared_write; /* sealed */
    bool zero; /* /dev/zero: no mapping; private areas are anonymous, shared ones get an object of their own */
    u64 max_size;           /* largest offset + length, bytes */
    u64 vm_flags;           /* extra VM_* */
    void *priv;
};

s64 sys_mm_mmap(struct mm *mm, u64 addr, u64 len, u64 prot, u64 flags, const struct map_file *file, u64 offset);
s64 sys_mm_munmap(struct mm *mm, u64 addr, u64 len);
s64 sys_mm_mprotect(struct mm *mm, u64 addr, u64 len, u64 prot, int pkey);
/* rights: UAPI_PKEY_DISABLE_*, for the calling thread. The key, -EINVAL, -ENOSPC. */
s64 sys_mm_pkey_alloc(struct mm *mm, u64 flags, u64 rights);
s64 sys_mm_pkey_free(struct mm *mm, int key);
s64 sys_mm_mremap(struct mm *mm, u64 addr, u64 old_len, u64 new_len, u64 flags, u64 new_addr);
s64 sys_mm_brk(struct mm *mm, u64 brk);
s64 sys_mm_madvise(struct mm *mm, u64 addr, u64 len, int advice);
s64 sys_mm_mseal(struct mm *mm, u64 addr, u64 len, u64 flags);
/* name: at most 79 characters, or NULL. */
s64 sys_mm_set_name(struct mm *mm, u64 addr, u64 len, const char *name);
s64 sys_mm_remap_file_pages(struct mm *mm, u64 start, u64 len, u64 prot, u64 pgoff, u64 flags);
s64 sys_mm_msync(struct mm *mm, u64 addr, u64 len, int flags);
/* vec is written through copy_to_user. */
s64 sys_mm_mincore(struct mm *mm, u64 addr, u64 len, u64 user_vec);
s64 sys_mm_mlock(struct mm *mm, u64 addr, u64 len, int flags);
s64 sys_mm_munlock(struct mm *mm, u64 addr, u64 len);
s64 sys_mm_mlockall(struct mm *mm, int flags);
s64 sys_mm_munlockall(struct mm *mm);
#endif
