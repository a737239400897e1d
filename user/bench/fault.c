/* SPDX-License-Identifier: MIT */
/* Rows: the null system call, and faults of every kind. */
#include "bench.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long null_call(void)
{
    start();
    for (int i = 0; i < 20000; i++)
        syscall(SYS_getppid);
    stop();
    return 20000;
}

static unsigned long anon_read(void)
{
    char *p = map_anon(BIG);

    start();
    read_pages(p, BIG);
    stop();
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

static unsigned long anon_write(void)
{
    char *p = map_anon(BIG);

    start();
    write_pages(p, BIG);
    stop();
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

static unsigned long write_after_read(void)
{
    char *p = map_anon(BIG);

    read_pages(p, BIG);
    start();
    write_pages(p, BIG);
    stop();
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

static unsigned long file_touch(int flags, void (*touch)(char *, size_t))
{
    int fd = cached_file();
    char *p = map(BIG, flags, fd);

    start();
    touch(p, BIG);
    stop();
    CHECK(munmap(p, BIG));
    CHECK(close(fd));
    return BIG / PAGE;
}

static unsigned long file_read_cached(void)
{
    return file_touch(MAP_PRIVATE, read_pages);
}

static unsigned long file_private_write(void)
{
    return file_touch(MAP_PRIVATE, write_pages);
}

static unsigned long file_shared_write(void)
{
    return file_touch(MAP_SHARED, write_pages);
}

static unsigned long copy_on_write(void)
{
    char *p = map_anon(BIG), word;
    int gate[2];

    write_pages(p, BIG);
    CHECK(pipe(gate));
    pid_t pid = raw_fork();
    if (!pid) { /* keep the other reference until told to go */
        close(gate[1]);
        _exit(read(gate[0], &word, 1) != 0);
    }
    start();
    write_pages(p, BIG);
    stop();
    close(gate[1]);
    wait_for(pid);
    close(gate[0]);
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

static unsigned long reuse(void)
{
    char *p = map_anon(BIG);

    write_pages(p, BIG);
    pid_t pid = raw_fork();
    if (!pid)
        _exit(0);
    wait_for(pid);
    start();
    write_pages(p, BIG);
    stop();
    CHECK(munmap(p, BIG));
    return BIG / PAGE;
}

const struct row fault_rows[] = {
    {"null system call", null_call, CALL},
    {"fault: anonymous read", anon_read, TRAP + ENTRY},
    {"fault: anonymous write", anon_write, TRAP + PAGEFUL + ENTRY},
    {"fault: write after read", write_after_read, TRAP + PAGEFUL + ENTRY},
    {"fault: file read, cached", file_read_cached, TRAP / 16 + ENTRY},
    {"fault: file private write", file_private_write, TRAP + PAGEFUL + ENTRY},
    {"fault: file shared write", file_shared_write, TRAP + ENTRY},
    {"fault: copy-on-write", copy_on_write, TRAP + PAGEFUL + ENTRY},
    {"fault: reuse", reuse, TRAP + ENTRY},
    {NULL, NULL, 0},
};
