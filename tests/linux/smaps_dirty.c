/* SPDX-License-Identifier: MIT */
/*
 * Which pages smaps calls dirty: those whose entry is, and those that are dirty themselves, whoever made them so: a write call, a
 * reserved range, a hole that ends within the page, an entry that went. Also: holes and sealed files, and who makes a stack grow.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#define PAGES                8ul
#define LEN                  (PAGES * PAGE)
#define MADV_POPULATE_READ_  22
#define MADV_POPULATE_WRITE_ 23
#define SEAL_FUTURE_WRITE    0x10

static long field(const char *area, const char *name)
{
    const char *end = strstr(area, "VmFlags"), *at = strstr(area, name);

    return at && at < end ? atol(at + strlen(name)) : -1;
}

static void show(const char *what, const void *at)
{
    static char text[1 << 18], head[32];
    int fd = open("/proc/self/smaps", O_RDONLY);
    ssize_t n, len = 0;

    while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
        len += n;
    text[len] = 0;
    close(fd);
    snprintf(head, sizeof(head), "%lx-", (unsigned long)at);
    const char *area = strstr(text, head);
    if (!area) {
        printf("%s: no area\n", what);
        return;
    }
    printf("%s: rss %ld private %ld+%ld shared %ld+%ld\n", what, field(area, "Rss:"),
           field(area, "Private_Clean:"), field(area, "Private_Dirty:"),
           field(area, "Shared_Clean:"), field(area, "Shared_Dirty:"));
}

static int memfd(const char *name)
{
    int fd = memfd_create(name, MFD_ALLOW_SEALING);

    if (ftruncate(fd, LEN))
        perror("ftruncate");
    return fd;
}

static char *map(int fd, int prot, int flags)
{
    return mmap(NULL, LEN, prot, flags, fd, 0);
}

static void touch_all(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)*(const volatile char *)(p + i * PAGE);
}

/* Shown through a mapping that only reads. */
static void show_file(const char *what, int fd)
{
    char *p = map(fd, PROT_READ, MAP_SHARED);

    touch_all(p, PAGES);
    show(what, p);
    munmap(p, LEN);
}

static void by_calls(void)
{
    int fd = memfd("calls");
    struct stat st;

    show_file("holes", fd);
    SAY(pwrite(fd, "x", 1, 5));
    show_file("written", fd);
    SAY(fallocate(fd, 0, 2 * PAGE, 2 * PAGE));
    show_file("reserved", fd);
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * PAGE + 7, 9));
    show_file("a hole in a page", fd);
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 6 * PAGE + 7, PAGE));
    show_file("a hole over two pages", fd);
    SAY(ftruncate(fd, LEN));
    show_file("the same size", fd);
    SAY(ftruncate(fd, 5 * PAGE + 1));
    SAY(ftruncate(fd, LEN));
    show_file("shorter and longer", fd);
    close(fd);

    fd = memfd("beyond");
    SAY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * LEN));
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LEN + PAGE + 5, 10));
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, LEN + 2 * PAGE, 2 * PAGE));
    SAY((fstat(fd, &st), st.st_blocks));
    SAY(ftruncate(fd, LEN));
    SAY((fstat(fd, &st), st.st_blocks));
    SAY(ftruncate(fd, LEN / 2 + 9));
    SAY((fstat(fd, &st), st.st_blocks));
    SAY(ftruncate(fd, LEN));
    show_file("reserved beyond the end", fd);
    close(fd);
}

static void by_memory(void)
{
    int fd = memfd("memory");
    char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED), *q;

    touch_all(p, PAGES);
    show("read", p);
    p[0] = 1;
    show("one written", p);
    show_file("seen from another area", fd);
    madvise(p, PAGE, MADV_DONTNEED);
    show_file("after its entry went", fd);
    SAY(madvise(p + PAGE, PAGE, MADV_POPULATE_WRITE_));
    show("populated to write, read before", p);
    show_file("seen from another area", fd);
    SAY(madvise(p + 2 * PAGE, PAGE, MADV_POPULATE_READ_));
    show("populated to read", p);
    p = mremap(p, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
               map(-1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS));
    show("moved", p);
    q = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    q[3 * PAGE] = 1;
    touch_all(q, PAGES);
    show("private", q);
    SAY(msync(p, LEN, MS_SYNC));
    show("synced", p);
    munmap(p, LEN);
    show("alone", q);
    munmap(q, LEN);
    close(fd);
}

/* Two processes share what both may write; one of them looks at the other, and gets pages of its own, clean ones. */
static void unshared(void)
{
    char *p = map(-1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    int up[2], down[2];
    char c;

    for (size_t i = 0; i < PAGES; i++)
        p[i * PAGE] = 'a';
    fflush(stdout);
    if (pipe(up) || pipe(down))
        return;
    pid_t pid = fork();
    if (!pid) {
        if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1)
            _exit(1);
        show("the child after it was looked at", p);
        p[0] = 'b';
        show("one written", p);
        mprotect(p, LEN, PROT_READ);
        mprotect(p, LEN, PROT_READ | PROT_WRITE);
        show("with the right to write again", p);
        SAY(madvise(p, 2 * PAGE, MADV_POPULATE_WRITE_));
        show("populated to write", p);
        fflush(stdout);
        _exit(0);
    }
    static char buf[4 * PAGE];
    struct iovec here = {buf, sizeof(buf)}, there = {p, sizeof(buf)};
    if (read(up[0], &c, 1) != 1)
        return;
    long got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (write(down[1], "x", 1) != 1)
        return;
    waitpid(pid, NULL, 0);
    SAY(got);
    show("the parent", p);
    munmap(p, LEN);
}

static void stacks(void)
{
    char *room = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), byte = 7;
    char *p = room + 60 * PAGE;
    struct iovec here = {&byte, 1}, there = {p - 2 * PAGE, 1};

    munmap(room, 60 * PAGE);
    SAY(mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == p);
    SAY(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
    SAY(process_vm_writev(getpid(), &here, 1, &there, 1, 0));
    char *w = mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec dark = {w, 1};
    SAY(process_vm_readv(getpid(), &here, 1, &dark, 1, 0));
    SAY(process_vm_writev(getpid(), &here, 1, &dark, 1, 0));
    SAY(*(volatile char *)w);
    int fd = open("/proc/self/mem", O_RDWR);
    SAY(pread(fd, &byte, 1, (off_t)(unsigned long)w));
    SAY(pread(fd, &byte, 1, (off_t)(unsigned long)(p - 3 * PAGE)));
    SAY(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
    SAY(pwrite(fd, &byte, 1, (off_t)(unsigned long)(p - 5 * PAGE)));
    show("a stack", p - 5 * PAGE);
    int zero = open("/dev/zero", O_RDONLY);
    SAY(read(zero, p - 9 * PAGE, 1));
    show("a stack", p - 9 * PAGE);
    close(zero);
    close(fd);
    munmap(room, 64 * PAGE);
}

static void sealed(void)
{
    int fd = memfd("sealed");
    char *p = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED), *q;

    p[0] = 1;
    SAY(fcntl(fd, F_ADD_SEALS, SEAL_FUTURE_WRITE));
    q = map(fd, PROT_READ, MAP_SHARED);
    SAY(madvise(q, PAGE, MADV_REMOVE));
    SAY(madvise(p, PAGE, MADV_REMOVE));
    SAY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    SAY(p[0]);
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    by_calls();
    by_memory();
    unshared();
    stacks();
    sealed();
    return 0;
}
