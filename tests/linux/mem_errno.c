/* SPDX-License-Identifier: MIT */
/* What the system calls of memory answer to odd arguments; the outputs under two kernels must be the same. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "say.h"

static char *p, *hole, *ro, *fm;
static int fd, rfd;

static void *anon(size_t len, int prot)
{
    return mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_mmap(void)
{
    SAY(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_SHARED | MAP_ANONYMOUS | 0x40, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, -PAGE));
    SAY(mmap(NULL, ~0ul, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SAY(mmap(NULL, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    SAY(mmap((void *)1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    SAY(mmap((void *)0x7ffffffff000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0));
    SAY(mmap((void *)0x800000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0));
    SAY(mmap((void *)0xffff800000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0));
    SAY(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, rfd, 0));
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, rfd, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x8000000, fd, 0));
    SAY(mmap(NULL, PAGE, 0x1234567, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1,
             0));
    SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
    SAY(mmap(NULL, PAGE, PROT_READ,
             MAP_PRIVATE | MAP_HUGETLB | MAP_ANONYMOUS | (63 << MAP_HUGE_SHIFT), -1, 0));
}

static void try_munmap(void)
{
    SAY(munmap(p + 1, PAGE));
    SAY(munmap(p, 0));
    SAY(munmap(hole, PAGE));
    SAY(munmap((void *)0x7ffffffff000, 2 * PAGE));
    SAY(munmap((void *)0, ~0ul));
    SAY(munmap((void *)0x1000, PAGE));
}

static void try_mprotect(void)
{
    SAY(mprotect(p + 1, PAGE, PROT_READ));
    SAY(mprotect(p, 0, PROT_READ));
    SAY(mprotect(hole, PAGE, PROT_READ));
    SAY(mprotect(p, 1000 * PAGE, PROT_READ));
    SAY(mprotect(p, PAGE, 0x10));
    SAY(mprotect(p, ~0ul, PROT_READ));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP));
    SAY(mprotect(fm, PAGE, PROT_READ | PROT_WRITE));
    SAY(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    SAY(mprotect((void *)0xffff800000000000, PAGE, PROT_READ));
}

static void try_madvise(void)
{
    static const int advices[] = {0,  1,  2,  4,  8,  9,  10, 11, 16, 17, 18,
                                  19, 20, 21, 22, 23, 24, 25, 26, 99, -1};

    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        errno = 0;
        printf("madvise(p, PAGE, %d) = %s\n", advices[i], answer(madvise(p, PAGE, advices[i])));
    }
    SAY(madvise(p + 1, PAGE, MADV_DONTNEED));
    SAY(madvise(p, 0, MADV_DONTNEED));
    SAY(madvise(hole, PAGE, MADV_DONTNEED));
    SAY(madvise(p, ~0ul, MADV_DONTNEED));
    SAY(madvise(hole - PAGE, 3 * PAGE, MADV_DONTNEED));
    SAY(madvise(ro, PAGE, MADV_FREE));
    SAY(madvise(fm, PAGE, MADV_FREE));
    SAY(madvise(fm, PAGE, MADV_REMOVE));
    SAY(madvise(ro, PAGE, MADV_POPULATE_WRITE));
    SAY(madvise(hole, PAGE, MADV_POPULATE_READ));
}

static void try_mremap(void)
{
    SAY(mremap(p + 1, PAGE, PAGE, 0));
    SAY(mremap(p, PAGE, 0, 0));
    SAY(mremap(p, 0, PAGE, MREMAP_MAYMOVE));
    SAY(mremap(hole, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    SAY(mremap(p, PAGE, PAGE, 99));
    SAY(mremap(p, PAGE, PAGE, MREMAP_FIXED, ro));
    SAY(mremap(p, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p));
    SAY(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE));
    SAY(mremap(p, PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, ro + 1));
    SAY(mremap(p, PAGE, ~0ul & ~(PAGE - 1), MREMAP_MAYMOVE));
    SAY(mremap(p, 2 * PAGE, PAGE, 0));
    SAY(mremap(p, 1000 * PAGE, 1001 * PAGE, MREMAP_MAYMOVE));
    SAY(mremap(p, PAGE, 2 * PAGE, MREMAP_DONTUNMAP));
    SAY(mremap(p, PAGE, 2 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
    SAY(mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE));
}

static void try_others(void)
{
    unsigned char vec[64];
    struct rlimit limit = {1 << 20, 1 << 20};

    SAY(msync(p + 1, PAGE, MS_SYNC));
    SAY(msync(p, PAGE, MS_SYNC | MS_ASYNC));
    SAY(msync(p, PAGE, 99));
    SAY(msync(hole, PAGE, MS_SYNC));
    SAY(msync(fm, PAGE, MS_SYNC));
    SAY(msync(p, 0, MS_SYNC));
    SAY(mincore(p + 1, PAGE, vec));
    SAY(mincore(p, PAGE, (unsigned char *)8));
    SAY(mincore(hole, PAGE, vec));
    SAY(mincore(p, 0, vec));
    SAY(mlock(hole, PAGE));
    SAY(mlock(p, PAGE));
    SAY(munlock(p, PAGE));
    SAY(munlock(hole, PAGE));
    SAY(mlock2(p, PAGE, 99));
    SAY(mlockall(0));
    SAY(mlockall(99));
    SAY(munlockall());
    SAY(syscall(SYS_brk, 0) > 4096);
    SAY(syscall(SYS_brk, 1) > 4096);
    SAY(memfd_create("x", 0xffff0000));
    SAY(ftruncate(fd, -1));
    SAY(ftruncate(rfd, 0));
    SAY(read(fd, hole, 10));
    SAY(read(fd, ro, 10));
    SAY(write(fd, hole, 10));
    SAY(write(fd, ro, 10));
    SAY(write(999, p, 10));
    SAY(pread(fd, p, 10, -1));
    SAY(setrlimit(RLIMIT_AS, &limit));
    SAY(mmap(NULL, 1 << 21, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    SAY(syscall(SYS_getrandom, hole, 16, 0));
    SAY(syscall(SYS_futex, p + 1, 0, 0, 0, 0, 0));
    SAY(syscall(SYS_futex, hole, 1, 1, 0, 0, 0));
}

int main(void)
{
    fd = open("/dev/shm/mem_errno.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    rfd = open("/dev/shm/mem_errno.data", O_RDONLY);
    if (fd < 0 || rfd < 0 || ftruncate(fd, 8 * PAGE) < 0)
        return 1;
    p = anon(16 * PAGE, PROT_READ | PROT_WRITE);
    ro = anon(16 * PAGE, PROT_READ);
    hole = p + 12 * PAGE;
    munmap(hole, PAGE);
    fm = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, rfd, 0);
    try_mmap();
    try_munmap();
    try_mprotect();
    try_madvise();
    try_mremap();
    p = anon(12 * PAGE, PROT_READ | PROT_WRITE);
    hole = anon(16 * PAGE, PROT_READ);
    munmap(hole, 16 * PAGE);
    try_others();
    unlink("/dev/shm/mem_errno.data");
    return 0;
}
