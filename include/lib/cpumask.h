/* SPDX-License-Identifier: MIT */
/*
 * Sets of CPUs in one word. A value type: and, or, andnot take and give masks by value.
 * The plain functions want a mask that nobody else changes; the atomic ones are fully ordered.
 */
#ifndef LIB_CPUMASK_H
#define LIB_CPUMASK_H
#include <lib/bits.h>

#define NR_CPUS 64

typedef struct {
    u64 bits;
} cpumask_t;

#define CPUMASK_NONE ((cpumask_t){0})
#define CPUMASK_ALL  ((cpumask_t){U64_MAX})

static inline cpumask_t cpumask_of(u32 cpu)
{
    return (cpumask_t){BIT(cpu)};
}

/* CPUs 0..n-1; 0 <= n <= NR_CPUS */
static inline cpumask_t cpumask_first_n(u32 n)
{
    return (cpumask_t){n == 0 ? 0 : U64_MAX >> (NR_CPUS - n)};
}

static inline void cpumask_set(cpumask_t *mask, u32 cpu)
{
    mask->bits |= BIT(cpu);
}

static inline void cpumask_clear(cpumask_t *mask, u32 cpu)
{
    mask->bits &= ~BIT(cpu);
}

static inline bool cpumask_test(cpumask_t mask, u32 cpu)
{
    return (mask.bits >> cpu) & 1;
}

static inline void cpumask_set_atomic(cpumask_t *mask, u32 cpu)
{
    __atomic_fetch_or(&mask->bits, BIT(cpu), __ATOMIC_SEQ_CST);
}

static inline void cpumask_clear_atomic(cpumask_t *mask, u32 cpu)
{
    __atomic_fetch_and(&mask->bits, ~BIT(cpu), __ATOMIC_SEQ_CST);
}

static inline bool cpumask_test_and_set_atomic(cpumask_t *mask, u32 cpu)
{
    return atomic_test_and_set_bit(cpu, &mask->bits);
}

static inline bool cpumask_test_and_clear_atomic(cpumask_t *mask, u32 cpu)
{
    return atomic_test_and_clear_bit(cpu, &mask->bits);
}

/* A copy of a mask that others change atomically. */
static inline cpumask_t cpumask_load(const cpumask_t *mask)
{
    return (cpumask_t){load_acquire(&mask->bits)};
}

static inline bool cpumask_test_atomic(const cpumask_t *mask, u32 cpu)
{
    return cpumask_test(cpumask_load(mask), cpu);
}

static inline bool cpumask_empty(cpumask_t mask)
{
    return mask.bits == 0;
}

static inline bool cpumask_equal(cpumask_t a, cpumask_t b)
{
    return a.bits == b.bits;
}

static inline u32 cpumask_weight(cpumask_t mask)
{
    return weight_u64(mask.bits);
}

/* The lowest CPU, or NR_CPUS when the mask is empty. */
static inline u32 cpumask_first(cpumask_t mask)
{
    return mask.bits ? ffs_u64(mask.bits) : NR_CPUS;
}

/* The lowest CPU above cpu (cpu < NR_CPUS), or NR_CPUS. */
static inline u32 cpumask_next(u32 cpu, cpumask_t mask)
{
    return cpumask_first((cpumask_t){mask.bits & (U64_MAX << cpu << 1)});
}

static inline cpumask_t cpumask_and(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits & b.bits};
}

static inline cpumask_t cpumask_or(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits | b.bits};
}

static inline cpumask_t cpumask_andnot(cpumask_t a, cpumask_t b)
{
    return (cpumask_t){a.bits & ~b.bits};
}

/* cpu: a u32; mask: a cpumask_t value, read once, so the loop walks a snapshot. */
#define for_each_cpu(cpu, mask)                                                                    \
    for (u64 cpu_rest = (mask).bits; cpu_rest && ((cpu) = ffs_u64(cpu_rest), true);                \
         cpu_rest &= cpu_rest - 1)
#endif
