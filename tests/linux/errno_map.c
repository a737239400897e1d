/* SPDX-License-Identifier: MIT */
/* Each flag and each documented error of the calls that map, change and move memory. */
#include "say.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 8
#endif
#ifndef MAP_UNINITIALIZED
#define MAP_UNINITIALIZED 0x4000000
#endif
#ifndef MAP_ABOVE4G
#define MAP_ABOVE4G 0x80
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#define PROT_SEM 8
#define RW       (PROT_READ | PROT_WRITE)

static char *p, *hole, *file, *shared;
static int fd, rfd, wfd, afd, dir, pipes[2];

static char *anon(size_t pages, int prot)
{
    return mmap(NULL, pages * PAGE, prot, ANON, -1, 0);
}
static int mseal(void *at, size_t len, unsigned long flags)
{
    return (int)syscall(462, at, len, flags);
}
static long raw_brk(unsigned long at)
{
    return syscall(SYS_brk, at) == (long)at ? 0 : (errno = ENOMEM, -1);
}
#define brk raw_brk /* the library's keeps its own idea of the end */

static void try_mmap(void)
{
    SAY(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
    SAY(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0));
    SAY(mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_STACK | MAP_NONBLOCK | MAP_UNINITIALIZED, fd, 0));
    SAY(mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, PAGE, RW, ANON | MAP_32BIT | MAP_POPULATE, -1, 0));
    SAY(mmap(NULL, PAGE, RW, ANON | MAP_ABOVE4G | MAP_NORESERVE, -1, 0));
    SAY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED | MAP_GROWSDOWN, -1, 0));
    SAY(mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0));
    E(EOPNOTSUPP, mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0));
    E(EACCES, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wfd, 0));
    E(EACCES, mmap(NULL, PAGE, RW, MAP_SHARED, rfd, 0));
    SAY(mmap(NULL, PAGE, RW, MAP_SHARED, afd, 0));
    E(EBADF, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0));
    E(EEXIST, mmap(p, PAGE, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    E(EINVAL, mmap(NULL, 0, PROT_READ, ANON, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1));
    E(EINVAL, mmap(p + 1, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, RW, MAP_DROPPABLE, fd, 0));
    E(EINVAL, mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    E(EINVAL, mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_HUGETLB, fd, 0));
    E(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0));
    E(ENODEV, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
    E(ENOMEM, mmap(NULL, ~0ul, PROT_READ, ANON, -1, 0));
    E(ENOMEM, mmap(NULL, 1ul << 47, PROT_READ, ANON | MAP_NORESERVE, -1, 0));
    E(ENOMEM, mmap((void *)(1ul << 57), PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    E(EOVERFLOW, syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, -PAGE));
    E(EOVERFLOW, mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0x7ffffffffffff000));
}

static void try_munmap(void)
{
    char *q = anon(3, RW);
    E(EINVAL, munmap(p + 1, PAGE));
    E(EINVAL, munmap(p, 0));
    E(EINVAL, munmap((void *)(1ul << 57), PAGE));
    SAY(munmap(hole, PAGE));
    SAY(mseal(q + PAGE, PAGE, 0));
    E(EPERM, munmap(q, 3 * PAGE));
}

static void try_mprotect(void)
{
    char *stack = mmap(NULL, 4 * PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0), *q = anon(3, RW);
    SAY(mprotect(p, PAGE, PROT_NONE));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_EXEC | PROT_SEM));
    SAY(mprotect(p, PAGE, RW));
    SAY(mprotect(stack + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    E(EINVAL, mprotect(p, PAGE, PROT_READ | PROT_GROWSUP));
    E(EINVAL, mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN));
    E(EINVAL, mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
    E(EINVAL, mprotect(p + 1, PAGE, PROT_READ));
    E(EINVAL, mprotect(p, PAGE, 0x10));
    E(ENOMEM, mprotect(hole, PAGE, PROT_READ));
    E(ENOMEM, mprotect(hole, PAGE, PROT_READ | PROT_GROWSUP));
    E(ENOMEM, mprotect(p, ~0ul, PROT_READ));
    E(ENOMEM, mprotect(hole - PAGE, 2 * PAGE, RW));
    E(EACCES, mprotect(file, PAGE, RW));
    SAY(mseal(q, PAGE, 0));
    E(EPERM, mprotect(q, PAGE, PROT_READ));
}

static void try_mseal(void)
{
    char *q = anon(3, RW);
    SAY(mseal(q, PAGE, 0));
    SAY(mseal(q, PAGE, 0));
    SAY(mseal(q, 0, 0));
    E(EINVAL, mseal(q, PAGE, 1));
    E(EINVAL, mseal(q + 1, PAGE, 0));
    E(EINVAL, mseal(q, ~0ul, 0));
    E(ENOMEM, mseal(hole, PAGE, 0));
    E(ENOMEM, mseal(hole - PAGE, 2 * PAGE, 0));
    E(EPERM, mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    E(EPERM, mmap(q, PAGE, RW, ANON | MAP_FIXED, -1, 0));
}

static void try_mremap(void)
{
    char *q = anon(4, RW), *big = anon(4, RW);
    SAY(mremap(q, 4 * PAGE, 2 * PAGE, 0));
    SAY(mremap(q, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
    SAY(mremap(big, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
    SAY(mremap(big, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole));
    SAY(munmap(hole, PAGE));
    SAY(mremap(shared, 0, PAGE, MREMAP_MAYMOVE));
    E(EFAULT, mremap(hole, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    E(EFAULT, mremap(p, 1000 * PAGE, 1001 * PAGE, MREMAP_MAYMOVE));
    E(EINVAL, mremap(p + 1, PAGE, PAGE, 0));
    E(EINVAL, mremap(p, PAGE, 0, 0));
    E(EINVAL, mremap(p, PAGE, PAGE, 99));
    E(EINVAL, mremap(p, PAGE, PAGE, MREMAP_FIXED, hole));
    E(EINVAL, mremap(p, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p));
    E(EINVAL, mremap(p, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, hole + 1));
    E(EINVAL, mremap(p, 0, PAGE, MREMAP_MAYMOVE));
    E(EINVAL, mremap(p, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
    E(EINVAL, mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP));
    E(ENOMEM, mremap(p, PAGE, ~0ul & ~(PAGE - 1), MREMAP_MAYMOVE));
    E(ENOMEM, mremap(p, PAGE, 1ul << 47, MREMAP_MAYMOVE));
    E(ENOMEM, mremap(p, PAGE, 8 * PAGE, 0));
}

static void try_others(void)
{
    unsigned char vec[64];
    SAY(msync(file, PAGE, MS_SYNC));
    SAY(msync(shared, PAGE, MS_ASYNC | MS_INVALIDATE));
    E(EINVAL, msync(p, PAGE, MS_SYNC | MS_ASYNC));
    E(EINVAL, msync(p, PAGE, 99));
    E(EINVAL, msync(p + 1, PAGE, MS_SYNC));
    E(ENOMEM, msync(hole, PAGE, MS_SYNC));
    char *locked = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    E(EBUSY, msync(locked, PAGE, MS_INVALIDATE));
    SAY(mincore(p, PAGE, vec));
    E(EINVAL, mincore(p + 1, PAGE, vec));
    E(EFAULT, mincore(p, PAGE, (unsigned char *)8));
    E(ENOMEM, mincore(hole, PAGE, vec));
    E(ENOMEM, mincore((void *)(1ul << 57), PAGE, vec));
    SAY(remap_file_pages(shared, PAGE, 0, 1, 0));
    E(EINVAL, remap_file_pages(p, PAGE, 0, 0, 0));
    E(EINVAL, remap_file_pages(shared, PAGE, PROT_READ, 0, 0));
    E(EINVAL, remap_file_pages(hole, PAGE, 0, 0, 0));
    E(EINVAL, remap_file_pages(shared, PAGE, 0, ~0ul, 0));
    SAY(brk((unsigned long)sbrk(0) + PAGE));
    E(ENOMEM, brk(1ul << 57));
    E(ENOMEM, brk(1));
}

static void try_madvise(void)
{
    char *q = anon(8, RW), *ro = anon(1, PROT_READ);
    SAY(madvise(q, PAGE, MADV_NORMAL));
    SAY(madvise(q, PAGE, MADV_RANDOM));
    SAY(madvise(q, PAGE, MADV_SEQUENTIAL));
    SAY(madvise(file, PAGE, MADV_WILLNEED));
    SAY(madvise(q, PAGE, MADV_DONTNEED));
    SAY(madvise(q, PAGE, MADV_FREE));
    SAY(madvise(shared, PAGE, MADV_REMOVE));
    SAY(madvise(q, PAGE, MADV_DONTFORK));
    SAY(madvise(q, PAGE, MADV_DOFORK));
    SAY(madvise(q, PAGE, MADV_DONTDUMP));
    SAY(madvise(q, PAGE, MADV_DODUMP));
    SAY(madvise(q, PAGE, MADV_WIPEONFORK));
    SAY(madvise(q, PAGE, MADV_KEEPONFORK));
    SAY(madvise(q, PAGE, MADV_COLD));
    SAY(madvise(q, PAGE, MADV_PAGEOUT));
    SAY(madvise(q, PAGE, MADV_POPULATE_READ));
    SAY(madvise(q, PAGE, MADV_POPULATE_WRITE));
    SAY(madvise(q, PAGE, MADV_DONTNEED_LOCKED));
    E(EINVAL, madvise(q, PAGE, MADV_GUARD_INSTALL));
    E(EINVAL, madvise(q, PAGE, MADV_GUARD_REMOVE));
    E(EINVAL, madvise(q, PAGE, 99));
    E(EINVAL, madvise(q, PAGE, -1));
    E(EINVAL, madvise(q + 1, PAGE, MADV_DONTNEED));
    E(EINVAL, madvise(q, ~0ul, MADV_DONTNEED));
    E(EINVAL, madvise(file, PAGE, MADV_FREE));
    E(EINVAL, madvise(q, PAGE, MADV_REMOVE));
    E(EINVAL, madvise(shared, PAGE, MADV_WIPEONFORK));
    E(EINVAL, madvise(ro, PAGE, MADV_POPULATE_WRITE));
    E(EINVAL, madvise(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0), PAGE, MADV_DONTNEED));
    SAY(madvise(q, PAGE, MADV_WILLNEED));
    E(EACCES, madvise(file, PAGE, MADV_REMOVE));
    E(ENOMEM, madvise(hole, PAGE, MADV_DONTNEED));
    E(ENOMEM, madvise(hole, PAGE, MADV_POPULATE_READ));
    E(EFAULT, madvise(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 1 << 20), PAGE, MADV_POPULATE_READ));
    mprotect(q, PAGE, PROT_READ);
    mseal(q, PAGE, 0);
    E(EPERM, madvise(q, PAGE, MADV_DONTNEED));
}

/* As uid 1000, with small limits. */
static void limited(void)
{
    struct rlimit as = {64 << 20, 64 << 20}, lock = {2 * PAGE, 2 * PAGE};
    char *q = anon(2, RW), *l;
    setresuid(1000, 1000, 1000);
    setrlimit(RLIMIT_MEMLOCK, &lock);
    E(EPERM, mmap((void *)PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    E(EPERM, mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)PAGE));
    E(EAGAIN, mmap(NULL, 3 * PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    l = mmap(NULL, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
    E(EAGAIN, mremap(l, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE));
    munmap(l, 2 * PAGE);
    lock.rlim_cur = 0;
    setrlimit(RLIMIT_MEMLOCK, &lock);
    E(EPERM, mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
    setrlimit(RLIMIT_AS, &as);
    E(ENOMEM, mmap(NULL, 65 << 20, RW, ANON, -1, 0));
    E(ENOMEM, mremap(q, PAGE, 65 << 20, MREMAP_MAYMOVE));
}

/* As many areas as there may be. */
static void many_areas(void)
{
    FILE *f = fopen("/proc/sys/vm/max_map_count", "w");
    fputs("200", f);
    fclose(f);
    char *q = anon(1000, RW);
    int n = 0;
    while (n < 500 && !mprotect(q + 2 * n * PAGE, PAGE, PROT_READ))
        n++;
    for (int i = 999; i > 900 && !mprotect(q + i * PAGE, PAGE, i & 1 ? PROT_READ : PROT_EXEC); i--)
        ; /* one more area each */
    printf("areas ran out: %d\n", n > 50 && n < 200);
    E(ENOMEM, munmap(q + 600 * PAGE, PAGE));
    E(ENOMEM, mprotect(q + 600 * PAGE, PAGE, PROT_READ));
    E(EAGAIN, madvise(q + 600 * PAGE, PAGE, MADV_DONTFORK));
    E(ENOMEM, mlock(q + 600 * PAGE, PAGE));
    f = fopen("/proc/sys/vm/max_map_count", "w");
    fputs("65530", f);
    fclose(f);
}

int main(void)
{
    static const char name[] = "/tmp/errno-map-file";
    setvbuf(stdout, NULL, _IOLBF, 0);
    fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    ftruncate(fd, 4 * PAGE);
    rfd = open(name, O_RDONLY);
    wfd = open(name, O_WRONLY);
    afd = open(name, O_RDWR | O_APPEND);
    dir = open("/tmp", O_RDONLY);
    pipe(pipes);
    p = anon(4, RW);
    mprotect(p + 2 * PAGE, PAGE, PROT_READ);
    hole = mmap((void *)0x20000000, 8 * PAGE, RW, ANON | MAP_FIXED, -1, 0); /* where nothing else is put */
    munmap(hole + 2 * PAGE, 4 * PAGE);
    hole += 2 * PAGE;
    mprotect(hole - PAGE, PAGE, RW);
    file = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, rfd, 0);
    shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    try_mmap();
    try_munmap();
    try_mprotect();
    try_mseal();
    try_mremap();
    try_others();
    try_madvise();
    CHILD(limited);
    CHILD(many_areas);
    unlink(name);
    return say_failed;
}
