/* SPDX-License-Identifier: MIT */
/* The sanitizers' interface for switching stacks, empty when the build has none. */
#ifndef HOST_SANITIZER_H
#define HOST_SANITIZER_H
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HOST_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HOST_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define HOST_TSAN 1
#endif

#ifdef HOST_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
void __asan_poison_memory_region(void const volatile *addr, size_t size);
#endif
#ifdef HOST_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

static inline void san_start_switch(void **save, const void *bottom, size_t size, void *tsan)
{
#ifdef HOST_ASAN
    __sanitizer_start_switch_fiber(save, bottom, size);
#endif
#ifdef HOST_TSAN
    __tsan_switch_to_fiber(tsan, 0);
#endif
    (void)save, (void)bottom, (void)size, (void)tsan;
}
static inline void san_finish_switch(void *fake, const void **bottom, size_t *size)
{
#ifdef HOST_ASAN
    __sanitizer_finish_switch_fiber(fake, bottom, size);
#endif
    (void)fake, (void)bottom, (void)size;
}
static inline void san_unpoison(const void *p, size_t n)
{
#ifdef HOST_ASAN
    __asan_unpoison_memory_region(p, n);
#endif
    (void)p, (void)n;
}
static inline void san_poison(const void *p, size_t n)
{
#ifdef HOST_ASAN
    __asan_poison_memory_region(p, n);
#endif
    (void)p, (void)n;
}
static inline void *san_create_fiber(void)
{
#ifdef HOST_TSAN
    return __tsan_create_fiber(0);
#else
    return NULL;
#endif
}
static inline void *san_current_fiber(void)
{
#ifdef HOST_TSAN
    return __tsan_get_current_fiber();
#else
    return NULL;
#endif
}
static inline void san_destroy_fiber(void *f)
{
#ifdef HOST_TSAN
    __tsan_destroy_fiber(f);
#endif
    (void)f;
}
#endif
