/* SPDX-License-Identifier: MIT */
/* MDWE, the THP switch, cachestat; the outputs under two kernels must be the same. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define RW   (PROT_READ | PROT_WRITE)
#define RWX  (RW | PROT_EXEC)
#define RX   (PROT_READ | PROT_EXEC)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SET_MDWE 65
#define GET_MDWE 66

static char *base;

static void show(const char *when)
{
    unsigned long a, b, off;
    char line[512], perms[8], name[256];
    FILE *f = fopen("/proc/self/maps", "r");
    printf("%s:", when);
    while (fgets(line, sizeof(line), f)) {
        name[0] = '\0';
        if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255[^\n]", &a, &b, perms, &off, name) >= 4 &&
            a >= (unsigned long)base && a < (unsigned long)base + 32 * PAGE)
            printf(" %lu-%lu:%s%s", (a - (unsigned long)base) / PAGE, (b - (unsigned long)base) / PAGE, perms, name);
    }
    printf("\n");
    fclose(f);
}

static void *at(int page, int n, int prot, int flags, int fd)
{
    return mmap(base + page * PAGE, n * PAGE, prot, flags | MAP_FIXED, fd, 0);
}

static void mdwe(void)
{
    at(0, 2, RX, ANON, -1);
    at(2, 2, RW, ANON, -1);
    at(4, 1, RWX, ANON, -1);
    SAY(prctl(GET_MDWE, 0, 0, 0, 0));
    SAY(prctl(GET_MDWE, 1, 0, 0, 0));
    SAY(prctl(SET_MDWE, 2, 0, 0, 0));
    SAY(prctl(SET_MDWE, 4, 0, 0, 0));
    SAY(prctl(SET_MDWE, 1, 1, 0, 0));
    SAY(prctl(SET_MDWE, 0, 0, 0, 0));
    if (!fork()) {
        SAY(prctl(SET_MDWE, 3, 0, 0, 0));
        SAY(prctl(SET_MDWE, 1, 0, 0, 0));
        SAY(prctl(GET_MDWE, 0, 0, 0, 0));
        if (!fork()) {
            SAY(prctl(GET_MDWE, 0, 0, 0, 0));
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait(NULL);
    SAY(prctl(SET_MDWE, 1, 0, 0, 0));
    SAY(prctl(SET_MDWE, 1, 0, 0, 0));
    SAY(prctl(SET_MDWE, 0, 0, 0, 0));
    SAY(prctl(SET_MDWE, 3, 0, 0, 0));
    SAY(prctl(GET_MDWE, 0, 0, 0, 0));
    SAY(mprotect(base, PAGE, RX));
    SAY(mprotect(base, PAGE, RWX));
    SAY(mprotect(base, PAGE, PROT_READ));
    SAY(mprotect(base, PAGE, RX));
    SAY(mprotect(base + 2 * PAGE, PAGE, PROT_READ));
    SAY(mprotect(base + 2 * PAGE, PAGE, RX));
    SAY(mprotect(base + 4 * PAGE, PAGE, RWX));
    SAY(mprotect(base + 4 * PAGE, PAGE, RX));
    SAY(mmap(NULL, PAGE, RWX, ANON, -1, 0));
    SAY(mmap(base, PAGE, RWX, ANON | MAP_FIXED, -1, 0));
    SAY(mmap(NULL, PAGE, RX, ANON, -1, 0));
    SAY(mmap(NULL, PAGE, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    show("mdwe");
    if (!fork()) {
        SAY(prctl(GET_MDWE, 0, 0, 0, 0));
        _exit(0);
    }
    wait(NULL);
}

static void thp(void)
{
    SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SAY(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
    SAY(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
    SAY(prctl(PR_SET_THP_DISABLE, 5, 0, 0, 0));
    SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    if (!fork()) {
        SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
        _exit(0);
    }
    wait(NULL);
    SAY(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
    SAY(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

struct range {
    unsigned long off, len;
};
static long stat_of(int fd, unsigned long off, unsigned long len, unsigned flags)
{
    unsigned long out[5] = {9, 9, 9, 9, 9};
    struct range r = {off, len};
    long ret = syscall(451, fd, &r, out, flags);
    if (!ret)
        printf("cached %lu dirty %lu writeback %lu evicted %lu %lu\n", out[0], out[1], out[2], out[3], out[4]);
    return ret;
}

static void cachestat(void)
{
    struct range r = {0, 0};
    int fd = memfd_create("x", 0), pipes[2];
    ftruncate(fd, 100 * PAGE);
    pwrite(fd, "x", 1, 0);
    pwrite(fd, "xx", 2, 10 * PAGE - 1);
    pwrite(fd, "x", 1, 70 * PAGE);
    SAY(stat_of(fd, 0, 0, 0));
    SAY(stat_of(fd, 1, PAGE - 1, 0));
    SAY(stat_of(fd, 1, PAGE, 0));
    SAY(stat_of(fd, 9 * PAGE, 2 * PAGE, 0));
    SAY(stat_of(fd, 10 * PAGE, 0, 0));
    SAY(stat_of(fd, 10 * PAGE + 1, -1ul, 0));
    SAY(stat_of(fd, 200 * PAGE, 1, 0));
    SAY(stat_of(fd, 0, 0, 1));
    SAY(stat_of(-1, 0, 0, 1));
    SAY(syscall(451, fd, NULL, NULL, 1));
    SAY(syscall(451, fd, &r, NULL, 0));
    pipe(pipes);
    SAY(stat_of(pipes[0], 0, 0, 0));
    SAY(stat_of(open("/", O_PATH), 0, 0, 0));
    int ro = open("/etc/passwd", O_RDONLY);
    if (!fork()) {
        setresuid(1000, 1000, 1000);
        SAY(stat_of(fd, 0, 0, 0));
        SAY(stat_of(ro, 0, 0, 0));
        SAY(stat_of(ro, 0, 0, 1));
        _exit(0);
    }
    wait(NULL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    base = mmap(NULL, 64 * PAGE, PROT_NONE, ANON, -1, 0);
    munmap(base, 64 * PAGE);
    base += 16 * PAGE;
    thp();
    cachestat();
    mdwe();
    return 0;
}
