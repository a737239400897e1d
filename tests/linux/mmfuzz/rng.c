/* SPDX-License-Identifier: MIT */
/* What a step draws: numbers, addresses, lengths, protections; fuzz.h. */
#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>

#define MAX_WORDS 64
static char avoided[MAX_WORDS][32];
static unsigned nr_avoided;

void fuzz_avoid(const char *word)
{
    if (nr_avoided < MAX_WORDS && strlen(word) < sizeof(avoided[0]) && !fuzz_avoided(word))
        strcpy(avoided[nr_avoided++], word);
}

bool fuzz_avoided(const char *word)
{
    for (unsigned i = 0; i < nr_avoided; i++)
        if (!strcmp(avoided[i], word))
            return true;
    return false;
}

uint64_t fuzz_pick(struct fuzz *f, uint64_t n)
{
    uint64_t z = f->rng.s += 0x9e3779b97f4a7c15ul;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ul;
    z = (z ^ z >> 27) * 0x94d049bb133111ebul;
    z ^= z >> 31;
    return (z >> 8) % n;
}

bool fuzz_chance(struct fuzz *f, unsigned percent)
{
    return fuzz_pick(f, 100) < percent;
}

static uint64_t window_addr(struct fuzz *f)
{
    return FUZZ_BASE + fuzz_pick(f, FUZZ_PAGES - 1) * FUZZ_PAGE;
}

uint64_t fuzz_addr(struct fuzz *f)
{
    static const uint64_t bad[] = {0,
                                   FUZZ_PAGE,
                                   ~0ul,
                                   ~0ul << 12,
                                   FUZZ_TOP,
                                   FUZZ_TOP + FUZZ_PAGE,
                                   0xffff800000000000ul,
                                   1ul << 56,
                                   1ul << 57,
                                   FUZZ_BASE - 16 * FUZZ_PAGE};
    uint64_t kind = fuzz_pick(f, 100), at = window_addr(f), other = fuzz_one_of(f, bad);
    uint64_t slot = f->slot[fuzz_pick(f, FUZZ_SLOTS)], page = fuzz_pick(f, 4),
             heap = f->brk0 + fuzz_pick(f, 40) * FUZZ_PAGE, odd = 1 + fuzz_pick(f, 4095);

    if (kind < 72)
        return at;
    if (kind < 86)
        return slot ? slot + page * FUZZ_PAGE : at;
    if (kind < 92)
        return heap;
    if (kind < 96)
        return at + odd;
    return other;
}

uint64_t fuzz_small_len(struct fuzz *f)
{
    uint64_t pages = 1 + fuzz_pick(f, 12), odd = fuzz_pick(f, 4096), kind = fuzz_pick(f, 100);

    if (kind < 5)
        return (pages - 1) * FUZZ_PAGE + odd;
    if (kind < 8)
        return 0;
    return pages * FUZZ_PAGE;
}

uint64_t fuzz_len(struct fuzz *f)
{
    /* With five levels of tables 2^47 bytes are a range, and the program lies in it. */
    static const uint64_t bad[] = {~0ul, ~0ul - 4094, ~0ul << 12, 1ul << 63, 1ul << 62, 1ul << 57};
    uint64_t len = fuzz_small_len(f), other = fuzz_one_of(f, bad);

    return fuzz_chance(f, 3) ? other : len;
}

uint64_t fuzz_prot(struct fuzz *f)
{
    static const uint64_t odd[] = {PROT_WRITE,
                                   PROT_WRITE | PROT_EXEC,
                                   PROT_READ | 8,
                                   PROT_READ | PROT_GROWSDOWN,
                                   PROT_READ | PROT_WRITE | PROT_GROWSDOWN,
                                   PROT_READ | PROT_GROWSUP,
                                   PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN,
                                   PROT_READ | 0x10,
                                   PROT_READ | 0x80,
                                   0x40000000ul | PROT_READ,
                                   0x100000000ul | PROT_READ};
    static const uint64_t usual[] = {PROT_NONE,
                                     PROT_READ,
                                     PROT_READ | PROT_WRITE,
                                     PROT_READ | PROT_WRITE,
                                     PROT_READ | PROT_WRITE,
                                     PROT_READ | PROT_EXEC,
                                     PROT_READ | PROT_WRITE | PROT_EXEC};
    uint64_t rare = fuzz_one_of(f, odd), prot = fuzz_one_of(f, usual);

    return fuzz_chance(f, 5) ? rare : prot;
}
