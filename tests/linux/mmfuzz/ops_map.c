/* SPDX-License-Identifier: MIT */
/* Steps that change the list of areas: mmap, munmap, mprotect, mremap, brk, remap_file_pages, mseal. */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static void say_range(struct fuzz *f, uint64_t at, uint64_t len)
{
    fuzz_say(" ");
    fuzz_say_addr(f, at);
    if (len % FUZZ_PAGE || len > 4096 * FUZZ_PAGE)
        fuzz_say("+%lx", len);
    else
        fuzz_say("+%lu", len / FUZZ_PAGE);
}

static void keep_slot(struct fuzz *f, uint64_t slot, int64_t r)
{
    if (r > 0 && (uint64_t)r < FUZZ_ANCHOR)
        f->slot[slot] = (uint64_t)r;
}

static uint64_t pick_map_flags(struct fuzz *f)
{
    static const uint64_t types[] = {MAP_PRIVATE, MAP_PRIVATE, MAP_PRIVATE,
                                     MAP_SHARED,  MAP_SHARED,  MAP_SHARED_VALIDATE};
    static const uint64_t odd_types[] = {0, 4, 8, 15, 7};
    static const uint64_t more[] = {MAP_NORESERVE,
                                    MAP_POPULATE,
                                    MAP_LOCKED,
                                    MAP_STACK,
                                    MAP_GROWSDOWN,
                                    MAP_32BIT,
                                    MAP_DENYWRITE,
                                    MAP_EXECUTABLE,
                                    MAP_POPULATE | MAP_NONBLOCK,
                                    MAP_NORESERVE | MAP_POPULATE};
    static const uint64_t odd[] = {0x40000, 0x80000,  0x4000000, 0x200000, MAP_HUGETLB | 21u << 26,
                                   0x80,    1ul << 40};
    uint64_t flags = fuzz_one_of(f, types), odd_type = fuzz_one_of(f, odd_types);
    uint64_t one = fuzz_one_of(f, more), rare = fuzz_one_of(f, odd);

    if (fuzz_chance(f, 2))
        flags = odd_type;
    if (fuzz_chance(f, 35))
        flags |= one;
    if (fuzz_chance(f, 3))
        flags |= rare;
    return flags;
}

/* Too much memory must never really be filled. */
static bool fills(uint64_t flags)
{
    return flags & (MAP_POPULATE | MAP_LOCKED);
}

static void play_mmap(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), prot = fuzz_prot(f), flags = pick_map_flags(f);
    uint64_t how = fuzz_pick(f, 100), slot = fuzz_pick(f, FUZZ_SLOTS), small = fuzz_small_len(f);
    uint64_t offset = fuzz_pick(f, 80) * FUZZ_PAGE, odd_offset = 1 + fuzz_pick(f, 4095);
    unsigned file = (unsigned)fuzz_pick(f, FUZZ_FILES);
    bool anon = fuzz_chance(f, 55);
    static const uint64_t far[] = {~0ul << 12, 1ul << 43, (1ul << 63) - 4096};
    uint64_t rare = fuzz_one_of(f, far);

    if (fills(flags) && len > 1ul << 30)
        len = small;
    if (how < 65)
        flags |= MAP_FIXED;
    else if (how < 75)
        flags |= MAP_FIXED_NOREPLACE;
    else if (how < 90)
        at = 0;
    if (flags & MAP_FIXED && at >= FUZZ_ANCHOR - (1ul << 20) && at < FUZZ_TOP)
        at = FUZZ_BASE;
    if (flags & MAP_FIXED && at < f->brk0 && at > 1ul << 20)
        at = FUZZ_BASE;
    if (anon)
        flags |= MAP_ANONYMOUS;
    else if (file < FILE_MEMFD && fuzz_chance(f, 40))
        offset = at / FUZZ_PAGE % 64 * FUZZ_PAGE;
    if (fuzz_chance(f, 2))
        offset = fuzz_chance(f, 50) ? offset + odd_offset : rare;
    say_range(f, at, len);
    fuzz_say(" p%lx f%lx", prot, flags);
    if (flags & MAP_HUGETLB && fuzz_avoided("mmap.hugetlb")) {
        fuzz_say(" left out");
        return;
    }
    if (!anon)
        fuzz_say(" file%u@%lx", file, offset);
    int64_t r = home_call(SYS_mmap, at, len, prot, flags,
                          anon ? ~0ul : (uint64_t)(int64_t)home_fd(file), offset);
    fuzz_say_place(f, r);
    if (!(flags & MAP_FIXED))
        keep_slot(f, slot, r);
}

static void play_munmap(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f);

    say_range(f, at, len);
    fuzz_call(SYS_munmap, at, len, 0, 0, 0, 0);
}

static void play_mprotect(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), prot = fuzz_prot(f);

    say_range(f, at, len);
    fuzz_say(" p%lx", prot);
    fuzz_call(SYS_mprotect, at, len, prot, 0, 0, 0);
}

static void play_mremap(struct fuzz *f)
{
    static const uint64_t modes[] = {0,
                                     MREMAP_MAYMOVE,
                                     MREMAP_MAYMOVE,
                                     MREMAP_MAYMOVE | MREMAP_FIXED,
                                     MREMAP_MAYMOVE | MREMAP_FIXED,
                                     MREMAP_MAYMOVE | 4,
                                     MREMAP_MAYMOVE | MREMAP_FIXED | 4,
                                     MREMAP_FIXED,
                                     4,
                                     8,
                                     MREMAP_MAYMOVE | 1ul << 32};
    uint64_t at = fuzz_addr(f), old = fuzz_len(f), len = fuzz_len(f), to = fuzz_addr(f),
             mode = fuzz_one_of(f, modes), slot = fuzz_pick(f, FUZZ_SLOTS);

    if (mode & 4 && fuzz_chance(f, 85))
        len = old;
    if (mode & MREMAP_FIXED && to >= FUZZ_ANCHOR - (1ul << 20) && to < FUZZ_TOP)
        to = FUZZ_BASE;
    say_range(f, at, old);
    say_range(f, to, len);
    fuzz_say(" f%lx", mode);
    int64_t r = home_call(SYS_mremap, at, old, len, mode, to, 0);
    fuzz_say_place(f, r);
    if (!(mode & MREMAP_FIXED))
        keep_slot(f, slot, r);
}

static void play_brk(struct fuzz *f)
{
    uint64_t kind = fuzz_pick(f, 20), pages = fuzz_pick(f, 64), odd = fuzz_pick(f, 4096);
    uint64_t to = f->brk0 + pages * FUZZ_PAGE + (kind < 6 ? odd : 0);

    if (kind == 19)
        to = 0;
    if (kind == 18)
        to = FUZZ_PAGE;
    if (kind == 17)
        to = ~0ul;
    fuzz_say(" ");
    fuzz_say_addr(f, to);
    fuzz_say_place(f, home_call(SYS_brk, to, 0, 0, 0, 0, 0));
}

static void play_remap_file_pages(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), prot = fuzz_chance(f, 10),
             pgoff = fuzz_pick(f, 64);
    uint64_t flags = fuzz_chance(f, 10) ? MAP_NONBLOCK : 0;

    say_range(f, at, len);
    fuzz_say(" p%lx @%lu f%lx", prot, pgoff, flags);
    fuzz_call(SYS_remap_file_pages, at, len, prot, pgoff, flags, 0);
}

/* A sealed area stays for good: only in a process that others outlive. */
static void play_mseal(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), flags = fuzz_chance(f, 10);

    if (!f->actor) {
        fuzz_say(" not here");
        return;
    }
    say_range(f, at, len);
    fuzz_say(" f%lx", flags);
    fuzz_call(SYS_mseal, at, len, flags, 0, 0, 0);
}

const struct fuzz_op fuzz_map_ops[] = {
    {"mmap", 220, play_mmap},
    {"munmap", 60, play_munmap},
    {"mprotect", 110, play_mprotect},
    {"mremap", 90, play_mremap},
    {"brk", 25, play_brk},
    {"remap_file_pages", 10, play_remap_file_pages},
    {"mseal", 4, play_mseal},
    {NULL, 0, NULL},
};
