/* SPDX-License-Identifier: MIT */
/*
 * Port: randomness. RDRAND where the CPU has it, always mixed with a counter and the TSC through
 * a strong bit mixer, so that neither a broken RDRAND nor its absence gives a constant.
 */
#include <arch/setup.h>
#include <kernel/rng.h>
#include <port/random.h>

static u64 pool;

static bool rdrand(u64 *out)
{
    for (int i = 0; i < 10; i++) {
        bool ok;
        __asm__ volatile("rdrand %0\n setc %1" : "=r"(*out), "=qm"(ok)::"cc");
        if (ok)
            return true;
    }
    return false;
}

static u64 mix(u64 x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
    return x ^ (x >> 31);
}

u64 random_u64(void)
{
    u64 hw = 0;
    if (cpu_feat.rdrand)
        rdrand(&hw);
    u64 n = __atomic_add_fetch(&pool, 0x9e3779b97f4a7c15UL, __ATOMIC_RELAXED);
    return mix(n ^ mix(rdtsc())) ^ hw;
}

void random_stir(const void *bytes, size_t n)
{
    const u8 *p = bytes;
    u64 h = READ_ONCE(pool);
    for (size_t i = 0; i < n; i++)
        h = mix(h ^ p[i]);
    __atomic_fetch_xor(&pool, h, __ATOMIC_RELAXED);
}

void random_init(void)
{
    u64 seed = rdtsc();
    for (int i = 0; i < 64; i++)
        seed = mix(seed + rdtsc());
    pool = seed;
}
