/* SPDX-License-Identifier: MIT */
/* mseal: what a sealed area refuses, and with which error; the outputs under two kernels must be the same. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define RW   (PROT_READ | PROT_WRITE)

static char *base; /* pages at a fixed place, between holes */

static long seal(void *p, size_t n, unsigned long flags)
{
    return syscall(462, p, n, flags);
}

/* The areas near base, in pages from it. */
static void show(const char *when)
{
    unsigned long a, b, off;
    char line[512], perms[8];
    FILE *f = fopen("/proc/self/maps", "r");
    printf("%s:", when);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%lx-%lx %7s %lx", &a, &b, perms, &off) == 4 && a >= (unsigned long)base &&
            a < (unsigned long)base + 64 * PAGE)
            printf(" %lu-%lu:%s", (a - (unsigned long)base) / PAGE, (b - (unsigned long)base) / PAGE, perms);
    printf("\n");
    fclose(f);
}

static char *at(int page, int n, int prot, int flags, int fd)
{
    return mmap(base + page * PAGE, n * PAGE, prot, flags | MAP_FIXED, fd, 0);
}
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static void arguments(void)
{
    char *p = at(0, 4, RW, ANON, -1);
    SAY(seal(p, PAGE, 1));
    SAY(seal(p, PAGE, 1ul << 40));
    SAY(seal(p + 1, PAGE, 0));
    SAY(seal(p, 0, 0));
    SAY(seal(base + 60 * PAGE, 0, 0));
    SAY(seal(p, -1ul, 0));
    SAY(seal(p, -PAGE, 0));
    SAY(seal(p, 1ul << 60, 0));
    SAY(seal(base + 60 * PAGE, PAGE, 0));
    SAY(seal(p + 3 * PAGE, 2 * PAGE, 0));
    SAY(seal(base - PAGE, 2 * PAGE, 0));
    show("nothing sealed");
    SAY(seal(p + PAGE, PAGE, 0));
    show("one sealed");
    SAY(seal(p, 4 * PAGE, 0));
    SAY(seal(p, 4 * PAGE, 0));
    show("all sealed, one area again");
}

static void changes(void)
{
    char *p = at(8, 6, RW, ANON, -1);
    SAY(seal(p + 2 * PAGE, 2 * PAGE, 0));
    p[2 * PAGE] = 7;
    SAY(munmap(p + 2 * PAGE, PAGE));
    SAY(munmap(p + 3 * PAGE, PAGE));
    show("unmap of the sealed");
    SAY(munmap(p + PAGE, 2 * PAGE));
    show("cut before the sealed");
    SAY(munmap(p + 3 * PAGE, 2 * PAGE));
    SAY(munmap(p, 6 * PAGE));
    show("whole");
    SAY(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
    SAY(mprotect(p + 2 * PAGE, PAGE, RW));
    SAY(mprotect(p, 6 * PAGE, PROT_READ));
    show("protected up to the sealed");
    SAY(mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SAY(mmap(p + PAGE, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    SAY(mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    SAY(mremap(p + 2 * PAGE, PAGE, PAGE, 0));
    SAY(mremap(p + 2 * PAGE, 2 * PAGE, PAGE, 0));
    SAY(mremap(p + 2 * PAGE, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
    SAY(mremap(p + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 30 * PAGE));
    SAY(mremap(p + 2 * PAGE, 0, PAGE, MREMAP_MAYMOVE));
    SAY(mremap(p + 5 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 2 * PAGE));
    SAY(mremap(p, 6 * PAGE, 2 * PAGE, 0));
    SAY(mlock(p + 2 * PAGE, PAGE));
    SAY(munlock(p + 2 * PAGE, PAGE));
    SAY(madvise(p + 2 * PAGE, PAGE, MADV_RANDOM));
    SAY(madvise(p + 2 * PAGE, PAGE, MADV_NORMAL));
    printf("byte %d\n", p[2 * PAGE]);
    show("after changes");
}

static void advices(const char *what, char *p)
{
    printf("%s\n", what);
    for (int advice = 0; advice <= 24; advice++) {
        if ((advice >= 12 && advice <= 15) || advice == MADV_WILLNEED)
            continue; /* KSM, THP, swap: not in every kernel */
        errno = 0;
        printf("madvise %d = %s\n", advice, answer(madvise(p, PAGE, advice)));
    }
    show("advised");
}

static void grow_heap(void)
{
    char *p = sbrk(0);
    p = (char *)(((unsigned long)p + 2 * PAGE - 1) & ~(PAGE - 1));
    SAY(brk(p + 4 * PAGE));
    SAY(seal(p + PAGE, PAGE, 0));
    printf("shrink: %d\n", syscall(SYS_brk, p) == (long)(p + 4 * PAGE));
    printf("shrink above: %d\n", syscall(SYS_brk, p + 2 * PAGE) == (long)(p + 2 * PAGE));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    base = mmap(NULL, 128 * PAGE, PROT_NONE, ANON, -1, 0);
    munmap(base, 128 * PAGE);
    base += 32 * PAGE;
    arguments();
    changes();
    char *p = at(16, 1, PROT_READ, ANON, -1);
    seal(p, PAGE, 0);
    advices("read-only anonymous", p);
    p = at(18, 1, RW, ANON, -1);
    seal(p, PAGE, 0);
    advices("writable anonymous", p);
    p = at(20, 1, PROT_NONE, ANON, -1);
    seal(p, PAGE, 0);
    advices("no access", p);
    p = at(22, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1);
    seal(p, PAGE, 0);
    advices("read-only shared", p);
    int fd = memfd_create("x", 0);
    ftruncate(fd, PAGE);
    p = at(24, 1, PROT_READ, MAP_PRIVATE, fd);
    seal(p, PAGE, 0);
    advices("read-only private file", p);
    grow_heap();
    if (!fork()) {
        SAY(munmap(base + 10 * PAGE, PAGE));
        SAY(munmap(base + 13 * PAGE, PAGE));
        _exit(0);
    }
    wait(NULL);
    FILE *f = fopen("/proc/self/smaps", "r");
    char line[512];
    int n = 0;
    while (fgets(line, sizeof(line), f))
        n += !strncmp(line, "VmFlags:", 8) && strstr(line, " sl");
    printf("sl in %d areas\n", n);
    return 0;
}
