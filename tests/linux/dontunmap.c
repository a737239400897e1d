/* SPDX-License-Identifier: MIT */
/* What MREMAP_DONTUNMAP leaves of a locked area: the part that moved is cut off, not locked any more, and joins nobody. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "say.h"

#define ROOM 64ul

static char *room;

/* Areas within the room, by page; "lo" when locked. */
static void show(void)
{
    static char line[512];
    FILE *f = fopen("/proc/self/smaps", "r");
    unsigned long from, end, base = (unsigned long)room;
    int in = 0;

    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &from, &end) == 2) {
            in = from >= base && from < base + ROOM * PAGE;
            if (in)
                printf(" %lu-%lu", (from - base) / PAGE, (end - base) / PAGE);
        } else if (in && !strncmp(line, "VmFlags", 7) && strstr(line, " lo")) {
            printf("lo");
        }
    }
    printf("\n");
    fclose(f);
}

static void move(int flags, unsigned long lock, unsigned long locked, unsigned long from,
                 unsigned long n)
{
    room = mmap(NULL, ROOM * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(room, ROOM * PAGE);
    char *p = mmap(room + 20 * PAGE, 12 * PAGE, PROT_READ | PROT_WRITE,
                   flags | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    SAY(mlock(p + lock * PAGE, locked * PAGE));
    show();
    char *q =
        (char *)syscall(SYS_mremap, p + from * PAGE, n * PAGE, n * PAGE, MREMAP_MAYMOVE | 4, 0);
    printf("%s %lu+%lu:", q == MAP_FAILED ? "stays" : "moves", 20 + from, n);
    show();
    munmap(room, ROOM * PAGE);
}

int main(void)
{
    static const int types[] = {MAP_PRIVATE, MAP_SHARED};

    for (int i = 0; i < 2; i++) {
        move(types[i], 0, 12, 4, 4);
        move(types[i], 2, 10, 6, 6);
        move(types[i], 0, 10, 0, 6);
        move(types[i], 2, 8, 2, 8);
        move(types[i], 1, 10, 3, 3);
    }
    return 0;
}
