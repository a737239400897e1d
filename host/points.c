/* SPDX-License-Identifier: MIT */
/*
 * Every atomic access of the core as a scheduling point (make check-points).
 *
 * The core is compiled with the compiler's instrumentation for ThreadSanitizer, which turns each atomic operation and each
 * memory access into a call; but instead of the sanitizer's library, the functions here are linked. Atomic ones do the
 * operation and let another CPU run before it, with the machine's chance; plain accesses do nothing. So the seeded
 * scheduler explores the interleavings of lock-free code too: page-table entries, counts, the lock of an area, RCU readers.
 *
 * Only that build (SAN=points) defines HOST_POINTS.
 */
#ifdef HOST_POINTS
#include <host/machine.h>
#include <port/cpu.h>

#define EXPORT __attribute__((visibility("default")))

/* What the compiler calls. Memory orders are ignored: all operations are sequentially consistent. */
#define PLAIN(size)                                                                                \
    EXPORT void __tsan_read##size(void *p);                                                        \
    EXPORT void __tsan_read##size(void *p)                                                         \
    {                                                                                              \
    }                                                                                              \
    EXPORT void __tsan_write##size(void *p);                                                       \
    EXPORT void __tsan_write##size(void *p)                                                        \
    {                                                                                              \
    }                                                                                              \
    EXPORT void __tsan_unaligned_read##size(void *p);                                              \
    EXPORT void __tsan_unaligned_read##size(void *p)                                               \
    {                                                                                              \
    }                                                                                              \
    EXPORT void __tsan_unaligned_write##size(void *p);                                             \
    EXPORT void __tsan_unaligned_write##size(void *p)                                              \
    {                                                                                              \
    }                                                                                              \
    EXPORT void __tsan_volatile_read##size(void *p);                                               \
    EXPORT void __tsan_volatile_read##size(void *p)                                                \
    {                                                                                              \
    }                                                                                              \
    EXPORT void __tsan_volatile_write##size(void *p);                                              \
    EXPORT void __tsan_volatile_write##size(void *p)                                               \
    {                                                                                              \
    }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

EXPORT void __tsan_init(void);
EXPORT void __tsan_init(void)
{
}
EXPORT void __tsan_func_entry(void *pc);
EXPORT void __tsan_func_entry(void *pc)
{
}
EXPORT void __tsan_func_exit(void);
EXPORT void __tsan_func_exit(void)
{
}
EXPORT void __tsan_read_range(void *p, size_t n);
EXPORT void __tsan_read_range(void *p, size_t n)
{
}
EXPORT void __tsan_write_range(void *p, size_t n);
EXPORT void __tsan_write_range(void *p, size_t n)
{
}

#define RMW(bits, name, builtin)                                                                   \
    EXPORT u##bits __tsan_atomic##bits##_##name(volatile u##bits *p, u##bits v, int order);        \
    EXPORT u##bits __tsan_atomic##bits##_##name(volatile u##bits *p, u##bits v, int order)         \
    {                                                                                              \
        host_point_at((const void *)p, true);                                                      \
        return builtin(p, v, __ATOMIC_SEQ_CST);                                                    \
    }
#define ATOMIC(bits)                                                                               \
    EXPORT u##bits __tsan_atomic##bits##_load(const volatile u##bits *p, int order);               \
    EXPORT u##bits __tsan_atomic##bits##_load(const volatile u##bits *p, int order)                \
    {                                                                                              \
        host_point_at((const void *)p, false);                                                     \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                               \
    }                                                                                              \
    EXPORT void __tsan_atomic##bits##_store(volatile u##bits *p, u##bits v, int order);            \
    EXPORT void __tsan_atomic##bits##_store(volatile u##bits *p, u##bits v, int order)             \
    {                                                                                              \
        host_point_at((const void *)p, true);                                                      \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                  \
    }                                                                                              \
    RMW(bits, exchange, __atomic_exchange_n)                                                       \
    RMW(bits, fetch_add, __atomic_fetch_add)                                                       \
    RMW(bits, fetch_sub, __atomic_fetch_sub)                                                       \
    RMW(bits, fetch_and, __atomic_fetch_and)                                                       \
    RMW(bits, fetch_or, __atomic_fetch_or)                                                         \
    RMW(bits, fetch_xor, __atomic_fetch_xor)                                                       \
    EXPORT int __tsan_atomic##bits##_compare_exchange_strong(volatile u##bits *p, u##bits *old,    \
                                                             u##bits v, int order, int fail);      \
    EXPORT int __tsan_atomic##bits##_compare_exchange_strong(volatile u##bits *p, u##bits *old,    \
                                                             u##bits v, int order, int fail)       \
    {                                                                                              \
        host_point_at((const void *)p, true);                                                      \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                              \
    EXPORT int __tsan_atomic##bits##_compare_exchange_weak(volatile u##bits *p, u##bits *old,      \
                                                           u##bits v, int order, int fail);        \
    EXPORT int __tsan_atomic##bits##_compare_exchange_weak(volatile u##bits *p, u##bits *old,      \
                                                           u##bits v, int order, int fail)         \
    {                                                                                              \
        host_point_at((const void *)p, true);                                                      \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

EXPORT void __tsan_atomic_thread_fence(int order);
EXPORT void __tsan_atomic_thread_fence(int order)
{
    host_point();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
#endif
