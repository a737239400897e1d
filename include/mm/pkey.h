/* SPDX-License-Identifier: MIT */
/* Protection keys of an address space; the file head of mm/vma/pkey.c tells which are whose. mmap_lock held for writing. */
#ifndef MM_PKEY_H
#define MM_PKEY_H
#include <mm/vma.h>

/* May the program name this key? */
bool pkey_in_use(const struct mm *mm, int key);
/* A free key, in use from now on, or -1. */
int pkey_take(struct mm *mm);
void pkey_give_back(struct mm *mm, int key);
/* What the running thread may do with memory of this key: PKRU_*. */
void pkey_set_rights(int key, u32 rights);
/* The key of execute-only memory, closed for the running thread's data accesses; 0 when there is none. */
u32 pkey_exec_only(struct mm *mm);
/* The key that an area gets from mprotect (key -1) or pkey_mprotect to prot (VM_READ|VM_WRITE|VM_EXEC). */
u32 pkey_for_protect(const struct vma *vma, u64 prot, int key);
#endif
