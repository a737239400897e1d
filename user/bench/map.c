/* SPDX-License-Identifier: MIT */
/* Rows: calls that change the layout of an address space. */
#include "bench.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long map_unmap(unsigned long times, size_t len, int flags, bool touch)
{
    start();
    for (unsigned long i = 0; i < times; i++) {
        char *p = map(len, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1);
        if (touch)
            write_pages(p, len);
        CHECK(munmap(p, len));
    }
    stop();
    return times * (len / PAGE);
}

static unsigned long map_untouched(void)
{
    return map_unmap(3000, PAGE, 0, false);
}

static unsigned long map_touched(void)
{
    return map_unmap(3000, PAGE, 0, true);
}

static unsigned long map_mib(void)
{
    return map_unmap(16, MIB, 0, true);
}

static unsigned long map_populate(void)
{
    return map_unmap(16, MIB, MAP_POPULATE, false);
}

static unsigned long unmap_touched(void)
{
    char *p = map_anon(BIG);

    write_pages(p, BIG);
    start();
    CHECK(munmap(p, BIG));
    stop();
    return BIG / PAGE;
}

static unsigned long dontneed_touched(void)
{
    char *p = map_anon(BIG);

    write_pages(p, BIG);
    start();
    CHECK(madvise(p, BIG, MADV_DONTNEED));
    stop();
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

static unsigned long mprotect_page(void)
{
    char *p = map_anon(64 * PAGE), *page = p + 32 * PAGE;

    write_pages(p, 64 * PAGE);
    start();
    for (int i = 0; i < 3000; i++) {
        CHECK(mprotect(page, PAGE, PROT_READ));
        CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
    }
    stop();
    CHECK(munmap(p, 64 * PAGE));
    return 3000;
}

static unsigned long mprotect_big(void)
{
    char *p = map_anon(BIG);

    write_pages(p, BIG);
    start();
    for (int i = 0; i < 8; i++)
        CHECK(mprotect(p, BIG, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ));
    stop();
    CHECK(munmap(p, BIG));
    return 8;
}

static unsigned long brk_pair(void)
{
    unsigned long end = (unsigned long)syscall(SYS_brk, 0);

    start();
    for (int i = 0; i < 3000; i++) {
        if ((unsigned long)syscall(SYS_brk, end + 16 * PAGE) != end + 16 * PAGE)
            fail("brk");
        syscall(SYS_brk, end);
    }
    stop();
    return 3000;
}

static unsigned long mremap_grow(void)
{
    char *p = map_anon(64 * PAGE);

    CHECK(munmap(p + 32 * PAGE, 32 * PAGE)); /* room behind it */
    start();
    for (int i = 0; i < 3000; i++) {
        CHECK(mremap(p, 32 * PAGE, 33 * PAGE, 0));
        CHECK(mremap(p, 33 * PAGE, 32 * PAGE, 0));
    }
    stop();
    CHECK(munmap(p, 32 * PAGE));
    return 3000;
}

static unsigned long mremap_move(void)
{
    /* Two places of 1 MiB whose page tables hold nothing else and begin at the same offset. */
    char *room = map_anon(8 * MIB);
    char *from = (char *)(((unsigned long)room + 2 * MIB) & ~(2 * MIB - 1)), *to = from + 4 * MIB;

    CHECK(munmap(room, (size_t)(from - room)));
    CHECK(munmap(from + MIB, 3 * MIB));
    CHECK(munmap(to + MIB, (size_t)(room + 8 * MIB - to - MIB)));

    write_pages(from, MIB);
    start();
    for (int i = 0; i < 64; i++) {
        CHECK(mremap(from, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, to));
        char *old = from;
        from = to;
        to = old;
    }
    stop();
    CHECK(munmap(from, MIB));
    munmap(to, MIB);
    return 64;
}

const struct row map_rows[] = {
    {"mmap+munmap, untouched", map_untouched, 2 * CALL},
    {"mmap+munmap, touched", map_touched, 2 * CALL + TRAP + PAGEFUL + 2 * ENTRY},
    {"mmap+munmap 1 MiB, touched, per page", map_mib, TRAP + PAGEFUL + 2 * ENTRY},
    {"mmap+munmap 1 MiB, populate, per page", map_populate, PAGEFUL + 2 * ENTRY},
    {"munmap, per touched page", unmap_touched, ENTRY},
    {"madvise DONTNEED, per touched page", dontneed_touched, ENTRY},
    {"mprotect one page, split and merge", mprotect_page, 2 * CALL + 2 * ENTRY},
    {"mprotect 16 MiB", mprotect_big, CALL + 4096 * ENTRY},
    {"brk grow and shrink", brk_pair, 2 * CALL},
    {"mremap grow and shrink", mremap_grow, 2 * CALL},
    {"mremap move 1 MiB", mremap_move, CALL + 512 * ENTRY},
    {NULL, NULL, 0},
};
