/* SPDX-License-Identifier: MIT */
/*
 * Random changes of an address space inside a window, from fixed seeds; after each the result and, every few steps, the window's
 * part of /proc/self/maps. Run under two kernels the outputs must be the same: error numbers, cuts, and merging.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE   4096ul
#define BASE   0x100000000000ul
#define PAGES  40ul
#define STEPS  250
#define ROUNDS 6

static unsigned long state;
static int file;

static unsigned long pick(unsigned long n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % n;
}

static int pick_prot(void)
{
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

    return prots[pick(sizeof(prots) / sizeof(prots[0]))];
}

static char *at(unsigned long page)
{
    return (char *)(BASE + page * PAGE);
}

/* One character per area kind, then the list itself. */
static void show(void)
{
    char line[512];
    FILE *f = fopen("/proc/self/maps", "r");

    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to, offset;
        char perms[5];
        if (sscanf(line, "%lx-%lx %4s %lx", &from, &to, perms, &offset) != 4)
            continue;
        if (from >= BASE + PAGES * PAGE || to <= BASE)
            continue;
        printf("  %3ld-%-3ld %s %lx%s\n", (long)(from - BASE) / (long)PAGE,
               (long)(to - BASE) / (long)PAGE, perms, offset,
               strstr(line, "layout_fuzz.data") ? " file"
               : strstr(line, "/dev/zero")      ? " shared"
                                                : "");
    }
    if (f)
        fclose(f);
}

static void report(const char *what, unsigned long page, unsigned long len, int prot, long result)
{
    printf("%s %lu+%lu %d: %s\n", what, page, len, prot,
           result == -1 ? strerrorname_np(errno) : "ok");
}

static void touch(unsigned long page, unsigned long len)
{
    char vec[PAGES];

    /* Only where writing is allowed: write(2) into the page tells without a signal. */
    int null = open("/dev/zero", O_RDONLY);
    long n = 0;
    for (unsigned long i = page; i < page + len; i++)
        n += read(null, at(i), 1) == 1;
    close(null);
    memset(vec, 0, sizeof(vec));
    printf("touch %lu+%lu: %ld\n", page, len, n);
}

static void step(void)
{
    unsigned long page = pick(PAGES - 1), len = 1 + pick(PAGES - page < 12 ? PAGES - page : 12);
    int prot = pick_prot();
    unsigned long other = pick(PAGES - 12);

    switch (pick(10)) {
    case 0:
    case 1:
        report(
            "map", page, len, prot,
            (long)mmap(at(page), len * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        break;
    case 2: {
        unsigned long offset = pick(2) ? page : pick(64);
        report("file", page, len, prot,
               (long)mmap(at(page), len * PAGE, prot, MAP_PRIVATE | MAP_FIXED, file,
                          (off_t)(offset * PAGE)));
        break;
    }
    case 3:
        report("shared", page, len, prot,
               (long)mmap(at(page), len * PAGE, prot, MAP_SHARED | MAP_FIXED, file,
                          (off_t)(page * PAGE)));
        break;
    case 4:
        report("unmap", page, len, 0, munmap(at(page), len * PAGE));
        break;
    case 5:
    case 6:
        report("protect", page, len, prot, mprotect(at(page), len * PAGE, prot));
        break;
    case 7:
        touch(page, len);
        break;
    case 8:
        if (pick(2))
            report("dontneed", page, len, 0, madvise(at(page), len * PAGE, MADV_DONTNEED));
        else
            report("dontfork", page, len, 0,
                   madvise(at(page), len * PAGE, pick(2) ? MADV_DONTFORK : MADV_DOFORK));
        break;
    case 9: {
        unsigned long new_len = 1 + pick(12);
        printf("to %lu+%lu ", other, new_len);
        report("move", page, len, 0,
               (long)mremap(at(page), len * PAGE, new_len * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                            at(other)));
        break;
    }
    }
}

int main(int argc, char **argv)
{
    unsigned long first = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    file = open("/dev/shm/layout_fuzz.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, 128 * PAGE) < 0)
        return 1;
    for (unsigned long round = first; round < first + ROUNDS; round++) {
        state = round * 0x9e3779b97f4a7c15ul;
        printf("== seed %lu\n", round);
        munmap(at(0), PAGES * PAGE);
        for (int i = 0; i < STEPS; i++) {
            step();
            if (i % 5 == 4)
                show();
        }
    }
    unlink("/dev/shm/layout_fuzz.data");
    return 0;
}
