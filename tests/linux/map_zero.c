/* SPDX-License-Identifier: MIT */
/* Private mappings of /dev/zero: anonymous memory with a file's name. Rights, merging, fork, advice, maps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define AT   ((char *)0x200000000UL)

#define SAY(call) printf("%s: %s\n", #call, (call) ? strerror(errno) : "ok")

static void show(const char *what)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[256], perms[8], path[128];
    unsigned long start, end, offset;

    printf("%s:\n", what);
    while (fgets(line, sizeof(line), f)) {
        *path = 0;
        sscanf(line, "%lx-%lx %7s %lx %*s %*s %127s", &start, &end, perms, &offset, path);
        if ((char *)start >= AT && (char *)start < AT + 256 * PAGE)
            printf("  %lx-%lx %s %lx %s\n", start, end, perms, offset, path);
    }
    fclose(f);
}

static int map(char *at, int pages, int prot, int type, int fd, int page)
{
    return mmap(at, pages * PAGE, prot, type | MAP_FIXED, fd, page * PAGE) == MAP_FAILED;
}

int main(void)
{
    int rw = open("/dev/zero", O_RDWR), ro = open("/dev/zero", O_RDONLY), wo = open("/dev/zero", O_WRONLY);
    char name[64], target[64] = "";

    SAY(map(AT, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0));
    SAY(map(AT + 8 * PAGE, 1, PROT_READ, MAP_PRIVATE, wo, 0));
    SAY(map(AT + 8 * PAGE, 1, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0));
    SAY(map(AT + 8 * PAGE, 1, PROT_READ, MAP_SHARED, ro, 0));
    SAY(map(AT + 10 * PAGE, 1, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, ro, 0));
    SAY(map(AT + 10 * PAGE, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, ro, 0));
    show("mapped");
    SAY(map(AT + 4 * PAGE, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 4));
    show("the next, same file");
    SAY(map(AT + 6 * PAGE, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, rw, 6));
    SAY(map(AT + 7 * PAGE, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    show("another open file, and no file");
    printf("read %d\n", AT[PAGE + 5]);
    AT[PAGE] = 7;
    fflush(stdout);
    if (!fork()) {
        printf("child reads %d\n", AT[PAGE]);
        AT[PAGE] = 8;
        fflush(stdout);
        _exit(0);
    }
    fflush(stdout);
    wait(NULL);
    printf("parent reads %d\n", AT[PAGE]);
    SAY(madvise(AT, PAGE, MADV_WIPEONFORK));
    SAY(madvise(AT + 7 * PAGE, PAGE, MADV_WIPEONFORK));
    SAY(madvise(AT, 2 * PAGE, MADV_FREE));
    SAY(madvise(AT, 2 * PAGE, MADV_DONTNEED));
    printf("after DONTNEED %d\n", AT[PAGE]);
    SAY(madvise(AT, 2 * PAGE, MADV_REMOVE));
    SAY(madvise(AT, 2 * PAGE, MADV_WILLNEED));
    SAY(mprotect(AT + PAGE, PAGE, PROT_READ));
    SAY(mremap(AT + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT + 20 * PAGE) == MAP_FAILED);
    show("cut and moved");
    close(ro);
    snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx", (long)AT, (long)(AT + PAGE));
    printf("map_files: %ld %s\n", (long)readlink(name, target, sizeof(target) - 1), target);
    SAY(munmap(AT, 32 * PAGE));
    show("gone");
    return 0;
}
