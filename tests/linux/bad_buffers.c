/* SPDX-License-Identifier: MIT */
/* Reads and writes whose buffer is not there, or can't be, on all kinds of files: which error comes first, and who never looks. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/epoll.h>
#include <signal.h>
#include <unistd.h>

#include "say.h"

#define KERNEL      0xffff800000000000ul
#define HOLE        0x0000900000000000ul /* not canonical, or without a mapping */
#define SIZE_MAX_RW 0x7ffff000ul

struct buffer {
    const char *name;
    unsigned long at, n;
};

static struct buffer buffers[16];
static unsigned nr_buffers;

static void add(const char *name, unsigned long at, unsigned long n)
{
    buffers[nr_buffers++] = (struct buffer){name, at, n};
}

static void say_one(const char *file, const char *call, const struct buffer *b, long r)
{
    printf("%s %s %s = %s\n", file, call, b->name, answer(r));
}

static void try(const char *name, int fd, int reads, int writes)
{
    for (unsigned i = 0; i < nr_buffers; i++) {
        const struct buffer *b = &buffers[i];
        struct iovec v = {(void *)b->at, b->n};
        if (reads) {
            say_one(name, "read", b, syscall(SYS_read, fd, b->at, b->n));
            say_one(name, "pread", b, syscall(SYS_pread64, fd, b->at, b->n, 0));
            say_one(name, "readv", b, syscall(SYS_readv, fd, &v, 1));
        }
        if (writes) {
            say_one(name, "write", b, syscall(SYS_write, fd, b->at, b->n));
            say_one(name, "pwrite", b, syscall(SYS_pwrite64, fd, b->at, b->n, 0));
            say_one(name, "writev", b, syscall(SYS_writev, fd, &v, 1));
        }
        lseek(fd, 0, SEEK_SET);
    }
    say_one(name, "lseek", &buffers[0], lseek(fd, 0, SEEK_CUR));
    close(fd);
}

int main(void)
{
    int p[2], s[2];
    char *room = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigset_t set;

    munmap(room + PAGE, PAGE);
    mprotect(room + 2 * PAGE, PAGE, PROT_READ);
    mprotect(room + 3 * PAGE, PAGE, PROT_NONE);
    add("good", (unsigned long)room, 16);
    add("nothing", 0, 0);
    add("missing", (unsigned long)room + PAGE, 16);
    add("cut", (unsigned long)room + PAGE - 8, 16);
    add("read-only", (unsigned long)room + 2 * PAGE, 16);
    add("without rights", (unsigned long)room + 3 * PAGE, 16);
    add("of the kernel", KERNEL, 16);
    add("of the kernel, empty", KERNEL, 0);
    add("high", HOLE, 16);
    add("last", ~0ul, 1);
    add("negative", (unsigned long)room, ~0ul);
    add("wrapping", (unsigned long)room, 1ul << 63);
    add("NULL", 0, 16);
    signal(SIGPIPE, SIG_IGN);

    try("/dev/null", open("/dev/null", O_RDWR), 1, 1);
    try("/dev/zero", open("/dev/zero", O_RDWR), 1, 1);
    try("/dev/full", open("/dev/full", O_RDWR), 1, 1);
    try("/dev/urandom", open("/dev/urandom", O_RDWR), 1, 1);
    try("directory", open("/dev", O_RDONLY | O_DIRECTORY), 1, 1);
    try("/proc", open("/proc", O_RDONLY | O_DIRECTORY), 1, 0);
    try("write only", open("/dev/null", O_WRONLY), 1, 1);
    try("read only", open("/dev/null", O_RDONLY), 1, 1);
    try("path", open("/dev/null", O_PATH), 1, 1);
    try("memfd, empty", memfd_create("one", 0), 1, 0);
    int fd = memfd_create("two", 0);
    if (ftruncate(fd, 2 * PAGE))
        return 1;
    try("memfd", fd, 1, 1);
    try("/proc/self/maps", open("/proc/self/maps", O_RDONLY), 1, 0);
    try("/proc/sys/vm/swappiness", open("/proc/sys/vm/swappiness", O_RDONLY), 1, 0);
    try("eventfd", eventfd(1, EFD_NONBLOCK), 1, 1);
    try("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), 1, 1);
    sigemptyset(&set);
    try("signalfd", signalfd(-1, &set, SFD_NONBLOCK), 1, 1);
    try("epoll", epoll_create1(0), 1, 1);
    if (pipe2(p, O_NONBLOCK))
        return 1;
    try("pipe, to read", p[0], 1, 1);
    try("pipe, to write", p[1], 1, 1);
    if (pipe2(p, O_NONBLOCK))
        return 1;
    if (write(p[1], "0123456789abcdef0123456789abcdef", 32) != 32)
        return 1;
    try("pipe with bytes", p[0], 1, 0);
    try("its other end, alone", p[1], 0, 1);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s))
        return 1;
    try("socket", s[0], 1, 1);
    return 0;
}
