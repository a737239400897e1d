/* SPDX-License-Identifier: MIT */
/* userfaultfd for the tests of both kernels: numbers that older headers lack, and calls that print. */
#ifndef TESTS_LINUX_UFFD_H
#define TESTS_LINUX_UFFD_H
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define UFFD_USER_MODE_ONLY 1
enum { F_FLAG_WP, F_FORK, F_REMAP, F_REMOVE, F_HUGE, F_SHMEM, F_UNMAP, F_SIGBUS, F_THREAD_ID, F_MINOR_HUGE, F_MINOR, F_EXACT,
       F_WP_FILE, F_WP_UNPOPULATED, F_POISON, F_WP_ASYNC, F_MOVE };
#define FEATURE(f) (1ul << (f))
enum { MISSING = 1, WP = 2, MINOR = 4 };

struct api {
    uint64_t api, features, ioctls;
};
struct fill { /* REGISTER, ZEROPAGE, CONTINUE, POISON; WRITEPROTECT, WAKE and UNREGISTER use less of it */
    uint64_t start, len, mode;
    int64_t done;
};
struct copy { /* COPY, MOVE */
    uint64_t dst, src, len, mode;
    int64_t done;
};
struct msg {
    uint8_t event, r1;
    uint16_t r2;
    uint32_t r3;
    uint64_t a, b, c;
};
#define IOC_API          0xc018aa3fu
#define IOC_REGISTER     0xc020aa00u
#define IOC_UNREGISTER   0x8010aa01u
#define IOC_WAKE         0x8010aa02u
#define IOC_COPY         0xc028aa03u
#define IOC_ZEROPAGE     0xc020aa04u
#define IOC_MOVE         0xc028aa05u
#define IOC_WRITEPROTECT 0xc018aa06u
#define IOC_CONTINUE     0xc020aa07u
#define IOC_POISON       0xc020aa08u

static char *base; /* the area under test: addresses are printed as pages from it */

static const char *result(long r)
{
    static char text[4][32];
    static int turn;
    char *t = text[turn++ % 4];
    if (r < 0)
        snprintf(t, 32, "%s", strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else
        snprintf(t, 32, "%ld", r);
    return t;
}

static int open_uffd(int flags)
{
    return (int)syscall(SYS_userfaultfd, flags);
}

static int uffd_with(uint64_t features, int flags)
{
    struct api a = {0xaa, features, 0};
    int fd = open_uffd(flags);
    if (fd < 0 || ioctl(fd, IOC_API, &a)) {
        printf("no userfaultfd with features %#lx: %s\n", features, strerror(errno));
        exit(1);
    }
    return fd;
}

/* A request of the first form, silent; its number in *done, -errno when it failed. */
static long request(int fd, unsigned cmd, void *at, size_t len, uint64_t mode, long *done)
{
    struct fill f = {(uintptr_t)at, len, mode, -77};
    long r = ioctl(fd, cmd, &f);
    if (done)
        *done = f.done;
    return r;
}

static long copy_pages(int fd, unsigned cmd, void *dst, const void *src, size_t len, uint64_t mode, long *done)
{
    struct copy c = {(uintptr_t)dst, (uintptr_t)src, len, mode, -77};
    long r = ioctl(fd, cmd, &c);
    if (done)
        *done = c.done;
    return r;
}

static long reg(int fd, void *at, size_t len, uint64_t mode)
{
    return request(fd, IOC_REGISTER, at, len, mode, NULL);
}

static char *area(int pages)
{
    if (base)
        munmap(base, 256 * PAGE);
    base = mmap(NULL, 256 * PAGE, PROT_NONE, ANON, -1, 0);
    munmap(base, 256 * PAGE);
    return mmap(base, (size_t)pages * PAGE, RW, ANON | MAP_FIXED, -1, 0);
}
#endif
