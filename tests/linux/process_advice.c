/* SPDX-License-Identifier: MIT */
/* process_madvise, process_mrelease, remap_file_pages; the outputs under two kernels must be the same. */
#define SAY_VALUE say_plain
#include "say.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW   (PROT_READ | PROT_WRITE)

static long advise(int fd, const struct iovec *v, unsigned long n, int advice, unsigned flags)
{
    return syscall(440, fd, v, n, advice, flags);
}
static long mrelease(int fd, unsigned flags)
{
    return syscall(448, fd, flags);
}
static int pidfd(pid_t pid)
{
    return (int)syscall(434, pid, 0);
}

static void try_madvise(void)
{
    char *p = mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p + 4 * PAGE, 4 * PAGE);
    memset(p, 1, 4 * PAGE);
    struct iovec one = {p, 2 * PAGE}, two[2] = {{p, PAGE}, {p + 4 * PAGE, PAGE}}, neg = {p, (size_t)-1},
                 high = {(void *)0xffff800000000000, PAGE}, odd = {p + 1, PAGE}, zero[3] = {{p, 0}, {p, PAGE}, {p, 0}};
    int self = pidfd(getpid());
    SAY(advise(self, &one, 1, MADV_COLD, 1));
    SAY(advise(-1, &one, 1, MADV_COLD, 0));
    SAY(advise(1, &one, 1, MADV_COLD, 0));
    SAY(advise(-1, &one, 1025, MADV_COLD, 0));
    SAY(advise(-1, NULL, 1, MADV_COLD, 0));
    SAY(advise(-1, &neg, 1, MADV_COLD, 0));
    SAY(advise(self, &one, 1, MADV_COLD, 0));
    SAY(advise(self, &one, 1, MADV_PAGEOUT, 0));
    SAY(advise(self, &one, 0, MADV_COLD, 0));
    SAY(advise(self, two, 2, MADV_COLD, 0));
    SAY(advise(self, two + 1, 1, MADV_COLD, 0));
    SAY(advise(self, zero, 3, MADV_COLD, 0));
    SAY(advise(self, &high, 1, MADV_COLD, 0));
    SAY(advise(self, &odd, 1, MADV_COLD, 0));
    for (int advice = -1; advice < 25; advice++)
        if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED && advise(self, &one, 1, advice, 0) >= 0)
            printf("advice %d is taken\n", advice);
    pid_t child = fork();
    if (!child) {
        pause();
        _exit(0);
    }
    int fd = pidfd(child);
    SAY(advise(fd, &one, 1, MADV_COLD, 0));
    if (!fork()) {
        setresgid(1000, 1000, 1000);
        setresuid(1000, 1000, 1000);
        SAY(advise(fd, &one, 1, MADV_COLD, 0));
        SAY(advise(pidfd(getpid()), &one, 1, MADV_COLD, 0));
        SAY(advise(fd, &one, 1, MADV_DONTNEED, 0));
        _exit(0);
    }
    while (waitpid(-1, NULL, WNOHANG) <= 0)
        usleep(1000);
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SAY(advise(fd, &one, 1, MADV_COLD, 0));
    SAY(mrelease(fd, 0));
    waitpid(child, NULL, 0);
    SAY(advise(fd, &one, 1, MADV_COLD, 0));
    SAY(mrelease(fd, 0));
}

static void try_mrelease(void)
{
    int self = pidfd(getpid());
    SAY(mrelease(self, 1));
    SAY(mrelease(-1, 0));
    SAY(mrelease(0, 0));
    SAY(mrelease(self, 0));
    /* a process that lives, and one that is gone */
    int pipes[2];
    pipe(pipes);
    pid_t child = fork();
    if (!child) {
        char c;
        close(pipes[1]);
        read(pipes[0], &c, 1);
        _exit(0);
    }
    int fd = pidfd(child);
    SAY(mrelease(fd, 0));
    close(pipes[0]);
    close(pipes[1]);
    waitpid(child, NULL, 0);
    SAY(mrelease(fd, 0));
}

static long remap(void *p, size_t n, int prot, size_t pgoff, int flags)
{
    return syscall(SYS_remap_file_pages, p, n, prot, pgoff, flags);
}

static char *base;

static void show(const char *when)
{
    unsigned long a, b, off;
    char line[512], perms[8];
    FILE *f = fopen("/proc/self/maps", "r");
    printf("%s:", when);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%lx-%lx %7s %lx", &a, &b, perms, &off) == 4 && a >= (unsigned long)base &&
            a < (unsigned long)base + 16 * PAGE)
            printf(" %lu-%lu:%s@%lx", (a - (unsigned long)base) / PAGE, (b - (unsigned long)base) / PAGE, perms, off);
    printf("\n");
    fclose(f);
}

static void try_remap(const char *what, int fd)
{
    printf("%s\n", what);
    if (fd < 0)
        base = mmap(NULL, 8 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    else
        base = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
    for (int i = 0; i < 8; i++)
        base[i * PAGE] = (char)(i + 1);
    SAY(remap(base, PAGE, PROT_READ, 1, 0));
    SAY(remap(base, 0, 0, 1, 0));
    SAY(remap(base, PAGE - 1, 0, 1, 0));
    SAY(remap(base, -PAGE, 0, 1, 0));
    SAY(remap(base, 2 * PAGE, 0, -1ul, 0));
    SAY(remap(base - PAGE * 100000, PAGE, 0, 0, 0));
    SAY(remap(base + 1, PAGE, 0, 5, 0));
    SAY(remap(base + 2 * PAGE, 2 * PAGE, 0, 0, MAP_NONBLOCK));
    show("two moved");
    printf("%d %d %d %d\n", base[0], base[PAGE], base[2 * PAGE], base[3 * PAGE]);
    SAY(remap(base, 4 * PAGE, 0, 4, 0));
    show("over several");
    printf("%d %d\n", base[0], base[3 * PAGE]);
    mprotect(base + 6 * PAGE, PAGE, PROT_READ);
    SAY(remap(base + 5 * PAGE, 2 * PAGE, 0, 0, 0));
    SAY(remap(base + 6 * PAGE, PAGE, 0, 0, 0));
    show("read-only one");
    munmap(base + PAGE, PAGE);
    SAY(remap(base, 3 * PAGE, 0, 0, 0));
    SAY(remap(base + 4 * PAGE, 16 * PAGE, 0, 0, 0));
    show("holes");
    mlock(base + 2 * PAGE, PAGE);
    SAY(remap(base + 2 * PAGE, PAGE, 0, 7, 0));
    show("locked");
    munmap(base, 8 * PAGE);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    try_madvise();
    try_mrelease();
    try_remap("anonymous", -1);
    int fd = memfd_create("x", 0);
    ftruncate(fd, 8 * PAGE);
    try_remap("memfd", fd);
    base = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    SAY(remap(base, PAGE, 0, 0, 0));
    return 0;
}
