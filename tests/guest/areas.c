/* SPDX-License-Identifier: MIT */
/* More areas than a process may have: ENOMEM at the limit, everything before it intact, everything unmapped at once. */
#include <sys/mman.h>

#include "check.h"

#define PAGES 200000ul

int main(void)
{
    char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    unsigned long made = 0;

    CHECK(p != MAP_FAILED);
    for (unsigned long i = 1; i < PAGES; i += 2) {
        if (mprotect(p + i * PAGE, PAGE, PROT_READ) < 0) {
            CHECK(errno == ENOMEM);
            break;
        }
        made += 2;
    }
    printf("%lu areas\n", made);
    CHECK(made > 60000 && made < 66000);
    for (unsigned long i = 0; i < made; i += 2)
        p[i * PAGE] = (char)i;
    for (unsigned long i = 0; i < made; i += 2)
        CHECK(p[i * PAGE] == (char)i && p[(i + 1) * PAGE] == 0);
    CHECK(munmap(p, PAGES * PAGE) == 0);
    p = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED && p[0] == 0 && p[(PAGES - 1) * PAGE] == 0);
    return 0;
}
