/* SPDX-License-Identifier: MIT */
/*
 * Use after free, in memory of the hosted machine: the core says which bytes nobody may touch (mem_poison in port/mem.h).
 *
 *   build           who looks                         where
 *   asan            AddressSanitizer                  its own shadow
 *   points          the compiler's calls, points.c    a byte of shadow for each 8 bytes of the arena
 *   thread, none    nobody
 *
 * A reader without RCU, or memory that is given back before its grace period, meets such bytes as soon as a schedule lets the
 * freeing CPU run in between.
 *
 * Locks: none; fibers only.
 */
#include <host/poison.h>
#include <host/sanitizer.h>
#include <host/sched_internal.h>
#include <port/log.h>
#include <stdlib.h>
#include <string.h>

#ifdef HOST_POINTS
static u8 *shadow;
static u64 size; /* bytes of the arena */

static void mark(const void *p, size_t n, u8 value)
{
    u64 at = (u64)p - (u64)host_arena;
    if (shadow && at < size)
        memset(shadow + at / 8, value, n / 8);
}

void host_poison_check(const void *p)
{
    u64 at = (u64)p - (u64)host_arena;
    if (likely(!shadow || at >= size || !shadow[at / 8]))
        return;
    u8 *was = shadow;
    shadow = NULL; /* the report itself may look */
    panic("use of freed memory at %p, byte %lu of frame %#lx, by thread %u (%s)%s", p, at % PAGE_SIZE,
          at / PAGE_SIZE, host_current->id, host_current->name, was[at / 8] == 2 ? ": a freed frame" : "");
}

void host_poison_start(void)
{
    size = host_machine.max_pfn << PAGE_SHIFT;
    shadow = calloc(1, size / 8);
}

void host_poison_stop(void)
{
    free(shadow);
    shadow = NULL;
}
#else
static void mark(const void *p, size_t n, u8 value)
{
    if (host_machine.cfg.threads)
        return;
    if (value)
        san_poison(p, n);
    else
        san_unpoison(p, n);
}

void host_poison_start(void)
{
}

void host_poison_stop(void)
{
    san_unpoison(host_arena, host_machine.max_pfn << PAGE_SHIFT);
}
#endif

void mem_poison(const void *p, size_t n)
{
    mark(p, n, n == PAGE_SIZE ? 2 : 1);
}

void mem_unpoison(const void *p, size_t n)
{
    mark(p, n, 0);
}
