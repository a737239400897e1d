/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

char bench_self[256] = "/init";
const char *const bench_file = "/tmp/bench.data";
uint64_t bench_total_ns, bench_started;

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn)) void fail(const char *what)
{
    printf("%s: %s", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

char *map(size_t len, int flags, int fd)
{
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

char *map_anon(size_t len)
{
    return map(len, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

pid_t raw_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_fork);

    if (pid < 0)
        fail("fork");
    return pid;
}

void wait_for(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
        fail("child");
}

int cached_file(void)
{
    static char block[64 * 1024];
    int fd = open(bench_file, O_RDWR | O_CREAT, 0600);

    if (fd < 0)
        fail(bench_file);
    memset(block, 7, sizeof(block));
    for (size_t done = 0; done < BIG; done += sizeof(block)) {
        if (pwrite(fd, block, sizeof(block), (off_t)done) != (ssize_t)sizeof(block))
            fail("pwrite");
    }
    return fd;
}
