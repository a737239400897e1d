/* SPDX-License-Identifier: MIT */
/* Rows: processes, many areas, signals, pipes, reading and writing. */
#include "bench.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define AREAS 16000ul

static unsigned long fork_exit(unsigned long times, size_t len)
{
    char *p = len ? map_anon(len) : NULL;

    write_pages(p, len);
    start();
    for (unsigned long i = 0; i < times; i++) {
        pid_t pid = raw_fork();
        if (!pid)
            _exit(0);
        wait_for(pid);
    }
    stop();
    if (len)
        CHECK(munmap(p, len));
    return times;
}

static unsigned long fork_small(void)
{
    return fork_exit(100, 0);
}

static unsigned long fork_16m(void)
{
    return fork_exit(10, 16 * MIB);
}

static unsigned long fork_256m(void)
{
    return fork_exit(10, 256 * MIB);
}

/* All passes fork from the same memory: to touch it takes longer than the rest. Each pass writes to every page once more, so that
 * nothing is left as the fork before made it. */
static unsigned long fork_large(size_t len)
{
    static char *p;

    if (!p)
        p = map_anon(len);
    write_pages(p, len);
    start();
    for (int i = 0; i < 10; i++) {
        pid_t pid = raw_fork();
        if (!pid)
            _exit(0);
        wait_for(pid);
    }
    stop();
    return 10;
}

static unsigned long fork_4g(void)
{
    return fork_large(4096 * MIB);
}

static unsigned long fork_16g(void)
{
    return fork_large(16384 * MIB);
}

static unsigned long fork_exec(void)
{
    char *const argv[] = {bench_self, "--exit", NULL}, *const envp[] = {NULL};

    start();
    for (int i = 0; i < 50; i++) {
        pid_t pid = raw_fork();
        if (!pid) {
            execve(bench_self, argv, envp);
            _exit(127);
        }
        wait_for(pid);
    }
    stop();
    return 50;
}

static char *alternate(bool timed)
{
    char *p = map_anon(AREAS * PAGE);

    if (timed)
        start();
    for (unsigned long i = 0; i < AREAS; i += 2)
        CHECK(mprotect(p + i * PAGE, PAGE, PROT_READ));
    if (timed)
        stop();
    return p;
}

static void touch_alternate(char *p)
{
    for (unsigned long i = 1; i < AREAS; i += 2)
        p[i * PAGE] = 1;
}

static unsigned long areas_split(void)
{
    char *p = alternate(true);

    CHECK(munmap(p, AREAS * PAGE));
    return AREAS / 2;
}

static unsigned long areas_fault(void)
{
    char *p = alternate(false);

    start();
    touch_alternate(p);
    stop();
    CHECK(munmap(p, AREAS * PAGE));
    return AREAS / 2;
}

static unsigned long areas_unmap(void)
{
    char *p = alternate(false);

    touch_alternate(p);
    start();
    CHECK(munmap(p, AREAS * PAGE));
    stop();
    return AREAS;
}

static void skip_store(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    (void)sig;
    (void)info;
    uc->uc_mcontext.gregs[REG_RIP] += 3; /* movb $0,(%rdi) */
}

static unsigned long sigsegv(void)
{
    struct sigaction sa = {.sa_sigaction = skip_store, .sa_flags = SA_SIGINFO};
    char *p = map_anon(PAGE);

    CHECK(sigaction(SIGSEGV, &sa, NULL));
    CHECK(mprotect(p, PAGE, PROT_NONE));
    start();
    for (int i = 0; i < 2000; i++)
        __asm__ volatile(".byte 0xc6, 0x07, 0x00" : : "D"(p) : "memory");
    stop();
    CHECK(munmap(p, PAGE));
    return 2000;
}

static unsigned long pipe_round(void)
{
    int there[2], back[2];
    char word = 0;

    CHECK(pipe(there));
    CHECK(pipe(back));
    pid_t pid = raw_fork();
    if (!pid) {
        close(there[1]);
        while (read(there[0], &word, 1) == 1 && write(back[1], &word, 1) == 1)
            ;
        _exit(0);
    }
    start();
    for (int i = 0; i < 1000; i++) {
        if (write(there[1], &word, 1) != 1 || read(back[0], &word, 1) != 1)
            fail("pipe");
    }
    stop();
    close(there[1]);
    wait_for(pid);
    close(there[0]);
    close(back[0]);
    close(back[1]);
    return 1000;
}

/* All of a cached file in calls of `size` bytes. */
static unsigned long file_io(size_t size, bool writing)
{
    static char block[MIB];
    int fd = cached_file();

    memset(block, 3, sizeof(block));
    start();
    for (off_t at = 0; at < (off_t)BIG; at += (off_t)size) {
        ssize_t n = writing ? pwrite(fd, block, size, at) : pread(fd, block, size, at);
        if (n != (ssize_t)size)
            fail("file");
    }
    stop();
    CHECK(close(fd));
    return BIG / size;
}

static unsigned long file_pread(void)
{
    return file_io(PAGE, false);
}

static unsigned long file_pwrite(void)
{
    return file_io(PAGE, true);
}

static unsigned long file_pread_large(void)
{
    return file_io(MIB, false);
}

static unsigned long file_pwrite_large(void)
{
    return file_io(MIB, true);
}

/* Pages that come into a file of tmpfs by being written. */
static unsigned long file_grow(void)
{
    static char block[PAGE];
    int fd = cached_file();

    memset(block, 3, sizeof(block));
    CHECK(ftruncate(fd, 0));
    start();
    for (off_t at = 0; at < (off_t)BIG; at += (off_t)PAGE)
        if (pwrite(fd, block, PAGE, at) != (ssize_t)PAGE)
            fail("file");
    stop();
    CHECK(close(fd));
    return BIG / PAGE;
}

const struct row process_rows[] = {
    {"fork+exit+wait, small", fork_small, 3 * CALL},
    {"fork+exit+wait, 16 MiB", fork_16m, 3 * CALL},
    {"fork+exit+wait, 256 MiB", fork_256m, 3 * CALL},
    {"fork+exec+wait", fork_exec, 4 * CALL},
    {"16,000 areas: split, per call", areas_split, CALL},
    {"16,000 areas: fault", areas_fault, TRAP + PAGEFUL + ENTRY},
    {"16,000 areas: munmap, per area", areas_unmap, ENTRY},
    {"SIGSEGV handler round trip", sigsegv, TRAP + CALL},
    {"pipe round trip", pipe_round, 4 * CALL},
    {"read 4 KiB, cached", file_pread, CALL + PAGEFUL},
    {"write 4 KiB, cached", file_pwrite, CALL + PAGEFUL},
    {"read 1 MiB, cached", file_pread_large, CALL + MIB / PAGE * PAGEFUL},
    {"write 1 MiB, cached", file_pwrite_large, CALL + MIB / PAGE * PAGEFUL},
    {"write 4 KiB, new in tmpfs", file_grow, CALL + PAGEFUL},
    {NULL, NULL, 0},
};

const struct large_row large_rows[] = {
    {{"fork+exit+wait, 4 GiB", fork_4g, 3 * CALL}, 4096},
    {{"fork+exit+wait, 16 GiB", fork_16g, 3 * CALL}, 16384},
    {{NULL, NULL, 0}, 0},
};
