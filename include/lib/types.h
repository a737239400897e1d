/* SPDX-License-Identifier: MIT */
/*
 * Basic types and the few macros that every file may use. Freestanding: nothing of the C library is included.
 * Hosted files may include this beside libc headers; the typedefs agree with x86-64 glibc's.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long s64;
typedef __SIZE_TYPE__ size_t;
typedef long ssize_t;
typedef unsigned long uptr;

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef bool
#define bool  _Bool
#define true  1
#define false 0
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#define U64_MAX (~0UL)
#define S64_MAX ((s64)(U64_MAX >> 1))
#define U32_MAX (~0U)

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)          (sizeof(a) / sizeof((a)[0]))
#define BUILD_ASSERT(cond)     _Static_assert(cond, #cond)
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define min(a, b) ({ __typeof__(a) min_a = (a); __typeof__(b) min_b = (b); min_a < min_b ? min_a : min_b; })
#define max(a, b) ({ __typeof__(a) max_a = (a); __typeof__(b) max_b = (b); max_a > max_b ? max_a : max_b; })

/* align: power of two */
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define ALIGN_UP(x, align)   ALIGN_DOWN((x) + ((__typeof__(x))(align)-1), align)
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)
#define DIV_ROUND_UP(n, d)   (((n) + (d)-1) / (d))

#define __packed_struct __attribute__((packed))
#define __aligned_to(n) __attribute__((aligned(n)))
#define __noreturn_fn   __attribute__((noreturn))
#define __noinline_fn   __attribute__((noinline))
#define __printf_fn(f, a) __attribute__((format(printf, f, a)))
#define __always_inline_fn inline __attribute__((always_inline))

/* A single load or store that the compiler neither repeats nor tears. */
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define barrier()           __asm__ volatile("" ::: "memory")

/* Freestanding memory helpers: the compiler may call them; each home supplies them (arch/x86_64/lib, libc). */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
