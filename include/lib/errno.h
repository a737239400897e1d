/* SPDX-License-Identifier: MIT */
/* Linux's x86-64 error numbers (asm-generic/errno-base.h, errno.h), and errors carried in pointers. */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H
#include <lib/types.h>
#include <uapi/errno.h>

#define MAX_ERRNO 4095UL

/* A pointer that carries -errno: the top 4,095 addresses are never valid objects. */
static inline void *ERR_PTR(long err)
{
    return (void *)err;
}
static inline long PTR_ERR(const void *p)
{
    return (long)p;
}
static inline bool IS_ERR(const void *p)
{
    return (uptr)p >= (uptr)-MAX_ERRNO;
}
#endif
