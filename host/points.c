/* SPDX-License-Identifier: MIT */
/*
 * Every atomic access of the core as a scheduling point (make check-points).
 *
 * The core is compiled with the compiler's instrumentation for ThreadSanitizer, which turns each atomic operation and each
 * memory access into a call; but instead of the sanitizer's library, the functions here are linked. Atomic ones do the
 * operation and let another CPU run before it, with the machine's chance. So the seeded scheduler explores the interleavings
 * of lock-free code too: page-table entries, counts, the lock of an area, RCU readers. No access may go to freed memory
 * (host/poison.c).
 *
 * Only that build (SAN=points) defines HOST_POINTS.
 */
#ifdef HOST_POINTS
#include <host/explore.h>
#include <host/machine.h>
#include <host/poison.h>
#include <port/cpu.h>

#define EXPORT __attribute__((visibility("default")))

void (*host_on_write)(const void *p);

/* What the compiler calls. Memory orders are ignored: all operations are sequentially consistent. */
/* A plain access is no point, but it must not be to freed memory, and others' accesses to the word matter. */
static void plain(const void *p, bool write)
{
    host_poison_check(p);
    if (write && unlikely(host_on_write))
        host_on_write(p);
    if (unlikely(host_exploring) && host_in_machine(p))
        host_explore_record(p, write);
}

#define ACCESS(name, size, write)                                                                  \
    EXPORT void __tsan_##name##size(void *p);                                                      \
    EXPORT void __tsan_##name##size(void *p)                                                       \
    {                                                                                              \
        plain(p, write);                                                                           \
    }
#define PLAIN(size)                                                                                \
    ACCESS(read, size, false)                                                                      \
    ACCESS(write, size, true)                                                                      \
    ACCESS(unaligned_read, size, false)                                                            \
    ACCESS(unaligned_write, size, true)                                                            \
    ACCESS(volatile_read, size, false)                                                             \
    ACCESS(volatile_write, size, true)
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

static void before(const volatile void *p, bool write)
{
    host_poison_check((const void *)p);
    if (write && unlikely(host_on_write))
        host_on_write((const void *)p);
    host_point_at((const void *)p, write);
    host_poison_check((const void *)p); /* it may have been freed meanwhile */
}

#define RMW(bits, name, builtin)                                                                   \
    EXPORT u##bits __tsan_atomic##bits##_##name(volatile u##bits *p, u##bits v, int order);        \
    EXPORT u##bits __tsan_atomic##bits##_##name(volatile u##bits *p, u##bits v, int order)         \
    {                                                                                              \
        before(p, true);                                                                           \
        return builtin(p, v, __ATOMIC_SEQ_CST);                                                    \
    }
#define ATOMIC(bits)                                                                               \
    EXPORT u##bits __tsan_atomic##bits##_load(const volatile u##bits *p, int order);               \
    EXPORT u##bits __tsan_atomic##bits##_load(const volatile u##bits *p, int order)                \
    {                                                                                              \
        before(p, false);                                                                          \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                               \
    }                                                                                              \
    EXPORT void __tsan_atomic##bits##_store(volatile u##bits *p, u##bits v, int order);            \
    EXPORT void __tsan_atomic##bits##_store(volatile u##bits *p, u##bits v, int order)             \
    {                                                                                              \
        before(p, true);                                                                           \
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
        before(p, true);                                                                           \
        return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);  \
    }                                                                                              \
    EXPORT int __tsan_atomic##bits##_compare_exchange_weak(volatile u##bits *p, u##bits *old,      \
                                                           u##bits v, int order, int fail);        \
    EXPORT int __tsan_atomic##bits##_compare_exchange_weak(volatile u##bits *p, u##bits *old,      \
                                                           u##bits v, int order, int fail)         \
    {                                                                                              \
        before(p, true);                                                                           \
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
