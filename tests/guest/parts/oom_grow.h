/* SPDX-License-Identifier: MIT */
/*
 * Ways of using up memory, for oom.c. Each goes on until `stop` MiB are in use (0: for ever) and then returns 0, or returns the error
 * that ended it.
 */
#ifndef TESTS_GUEST_OOM_GROW_H
#define TESTS_GUEST_OOM_GROW_H
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB  (1ul << 20)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW   (PROT_READ | PROT_WRITE)

typedef int grow_fn(unsigned stop);

static int chunks(unsigned stop, int flags)
{
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *p = mmap(NULL, MIB, RW, flags, -1, 0);
        if (p == MAP_FAILED)
            return errno;
        memset(p, 1, MIB);
    }
    return 0;
}
static int by_anon(unsigned stop)
{
    return chunks(stop, ANON);
}
static int by_shared(unsigned stop)
{
    return chunks(stop, MAP_SHARED | MAP_ANONYMOUS);
}
static int by_populate(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i += 4)
        if (mmap(NULL, 4 * MIB, RW, ANON | MAP_POPULATE, -1, 0) == MAP_FAILED)
            return errno;
    return 0;
}
/* One area, in one call: the victim holds mmap_lock all the time. */
static int by_long_populate(unsigned stop)
{
    size_t size = stop ? stop * MIB : 4096 * MIB;
    char *p = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    return madvise(p, size, 23 /* MADV_POPULATE_WRITE */) ? errno : 0;
}
static int by_mlock(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *p = mmap(NULL, MIB, RW, ANON, -1, 0);
        if (p == MAP_FAILED || mlock(p, MIB))
            return errno;
    }
    return 0;
}
static int by_mlockall(unsigned stop)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE))
        return errno;
    return by_anon(stop);
}
static int by_brk(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *p = sbrk(MIB);
        if (p == (void *)-1)
            return errno;
        memset(p, 1, MIB);
    }
    return 0;
}
/* One byte a page, in an area that is there from the start. */
static int by_touch(unsigned stop)
{
    size_t size = stop ? stop * MIB : 16384 * MIB;
    char *p = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    for (size_t at = 0; at < size; at += 4096)
        p[at] = 1;
    return 0;
}
/* The same from behind. */
static int by_touch_down(unsigned stop)
{
    size_t size = stop ? stop * MIB : 16384 * MIB;
    char *p = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    for (size_t at = size; at; at -= 4096)
        p[at - 4096] = 1;
    return 0;
}
static int by_mremap(unsigned stop)
{
    size_t size = MIB;
    char *p = mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0);
    for (; p != MAP_FAILED && (!stop || size <= stop * MIB); size += MIB) {
        memset(p + size - MIB, 1, MIB);
        p = mremap(p, size, size + MIB, MREMAP_MAYMOVE);
    }
    return p == MAP_FAILED ? errno : 0;
}
/* The kernel writes: read(2) into memory that was not touched. */
static int by_read(unsigned stop)
{
    int fd = open("/dev/zero", O_RDONLY);
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *p = mmap(NULL, MIB, RW, ANON, -1, 0);
        if (p == MAP_FAILED)
            return errno;
        ssize_t n = read(fd, p, MIB);
        if (n != (ssize_t)MIB)
            return n < 0 ? errno : ENODATA;
    }
    return 0;
}
/* Page tables: one page of each 2 MiB, read only, so that the page is the one of zeros. */
static int by_tables(unsigned stop)
{
    volatile char sum = 0;
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *p = mmap(NULL, 512 * MIB, PROT_READ, ANON | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return errno;
        for (size_t at = 0; at < 512 * MIB; at += 2 * MIB)
            sum += p[at];
    }
    return 0;
}
/* The same, written: a page and a table each. */
static int by_sparse(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i += 2) {
        char *p = mmap(NULL, 512 * MIB, RW, ANON | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return errno;
        for (size_t at = 0; at < 512 * MIB; at += 2 * MIB)
            p[at] = 1;
    }
    return 0;
}
static int write_mib(int fd, unsigned stop)
{
    static char buf[MIB];
    memset(buf, 1, sizeof(buf));
    for (unsigned i = 0; !stop || i < stop; i++) {
        ssize_t n = write(fd, buf, MIB);
        if (n != (ssize_t)MIB)
            return n < 0 ? errno : write(fd, buf, MIB) < 0 ? errno : 0;
    }
    return 0;
}
static int by_memfd(unsigned stop)
{
    return write_mib((int)syscall(SYS_memfd_create, "hog", 0), stop);
}
static int by_memfd_map(unsigned stop)
{
    int fd = (int)syscall(SYS_memfd_create, "hog", 0);
    size_t size = stop ? stop * MIB : 4096 * MIB;
    if (ftruncate(fd, (off_t)size))
        return errno;
    char *p = mmap(NULL, size, RW, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return errno;
    for (size_t at = 0; at < size; at += 4096)
        p[at] = 1;
    return 0;
}
static int by_fallocate(unsigned stop)
{
    int fd = (int)syscall(SYS_memfd_create, "hog", 0);
    for (unsigned i = 0; !stop || i < stop; i++)
        if (fallocate(fd, 0, (off_t)(i * MIB), MIB))
            return errno;
    return 0;
}
static int by_sysv(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i += 4) {
        int id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
        char *p = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
        if (p == (void *)-1)
            return errno;
        memset(p, 1, 4 * MIB);
    }
    return 0;
}
/* A file of a tmpfs whose size is limited to less than there is: the test mounted it. */
static int by_small_tmpfs(unsigned stop)
{
    int fd = open("/tmp/oom-small/f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/tmp/oom-small/f");
    return write_mib(fd, stop);
}
/* One that may grow beyond; the file has no name, so it goes with its writer. */
static int by_large_tmpfs(unsigned stop)
{
    int fd = open("/tmp/oom-large/f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/tmp/oom-large/f");
    return write_mib(fd, stop);
}
/* Copies of what the parent has. */
static int by_cow(unsigned stop)
{
    unsigned mib = stop ? stop : 16;
    char *p = mmap(NULL, mib * MIB, RW, ANON, -1, 0);
    memset(p, 1, mib * MIB);
    for (unsigned i = 0; i < 64; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return errno;
        if (!pid) {
            memset(p, 2, mib * MIB);
            pause();
        }
    }
    for (int status; wait(&status) > 0;)
        continue;
    return 0;
}
static int by_fork_bomb(unsigned stop)
{
    for (unsigned i = 0; i < 150; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return errno;
        if (!pid) {
            char *p = mmap(NULL, 2 * MIB, RW, ANON, -1, 0);
            if (p != MAP_FAILED)
                memset(p, 1, 2 * MIB);
            pause();
        }
    }
    return stop ? 0 : ENOSPC;
}

/* ---- memory of the kernel ---- */
static void many_files(void)
{
    struct rlimit r = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &r);
}
static int by_files(unsigned stop)
{
    many_files();
    for (unsigned i = 0; !stop || i < stop; i++)
        if (syscall(SYS_memfd_create, "f", 0) < 0) /* a file, an inode, a name */
            return errno;
    return 0;
}
static int by_pipes(unsigned stop)
{
    static char buf[65536];
    int fd[2];
    many_files();
    for (unsigned i = 0; !stop || i < stop; i++) {
        if (pipe(fd))
            return errno;
        fcntl(fd[1], F_SETFL, O_NONBLOCK);
        if (write(fd[1], buf, sizeof(buf)) < 0 && errno != EAGAIN)
            return errno;
    }
    return 0;
}
static int by_sockets(unsigned stop)
{
    static char buf[65536];
    int fd[2];
    many_files();
    for (unsigned i = 0; !stop || i < stop; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd))
            return errno;
        for (int side = 0; side < 2; side++)
            while (write(fd[side], buf, sizeof(buf)) > 0)
                continue;
    }
    return 0;
}
static int by_epoll(unsigned stop)
{
    int ep = epoll_create1(0), fds[64];
    unsigned n = 0;
    many_files();
    for (unsigned i = 0; i < 64; i++)
        fds[i] = eventfd(0, 0);
    for (;;) {
        for (unsigned i = 0; i < 64; i++) {
            struct epoll_event e = {.events = EPOLLIN};
            if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e))
                return errno;
            if (stop && ++n >= stop)
                return 0;
        }
        if ((ep = epoll_create1(0)) < 0)
            return errno;
    }
}
static int by_areas(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i++)
        if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED)
            return errno;
    return 0;
}
static int sleeper(void *arg)
{
    for (;;)
        pause();
    return 0;
}
/* All on one stack that none of them touches after its start. */
static int by_threads(unsigned stop)
{
    for (unsigned i = 0; !stop || i < stop; i++) {
        char *stack = malloc(8192);
        if (clone(sleeper, stack + 8192, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL) < 0)
            return errno;
    }
    return 0;
}

/* ---- what must not kill anybody ---- */
static int by_reading(unsigned stop)
{
    static char buf[MIB];
    unsigned long read_so_far = 0, want = (stop ? stop : 256) * MIB;
    FILE *list = popen("find /usr/lib -xdev -type f -size +1000k 2>/dev/null", "r");
    char path[512];
    while (read_so_far < want && fgets(path, sizeof(path), list)) {
        path[strcspn(path, "\n")] = 0;
        int fd = open(path, O_RDONLY);
        for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0;)
            read_so_far += (unsigned long)n;
        close(fd);
    }
    pclose(list);
    return 0;
}
static int by_too_much(unsigned stop)
{
    return mmap(NULL, 1ul << 46, RW, ANON, -1, 0) == MAP_FAILED ? errno : 0;
}
static int by_limit(unsigned stop)
{
    struct rlimit r = {16 * MIB, 16 * MIB};
    setrlimit(RLIMIT_AS, &r);
    return by_anon(0);
}
static int by_lock_limit(unsigned stop)
{
    struct rlimit r = {4 * MIB, 4 * MIB};
    setrlimit(RLIMIT_MEMLOCK, &r);
    if (setuid(1000))
        return errno;
    return by_mlock(0);
}
static int by_file_limit(unsigned stop)
{
    struct rlimit r = {512, 512};
    setrlimit(RLIMIT_NOFILE, &r);
    for (;;)
        if (open("/dev/null", O_RDONLY) < 0)
            return errno;
}
#endif
