/* SPDX-License-Identifier: MIT */
/*
 * Corners of address spaces that random games (tests/linux/mmfuzz) led to: what a refused call leaves behind, what is filled and what
 * only when touched, which areas become one. Each case has a window of its own and prints it: areas with Rss and Private_Dirty.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "say.h"

#define BASE       0x100000000000ul
#define AT(page)   ((char *)BASE + (page) * PAGE)
#define RW         (PROT_READ | PROT_WRITE)
#define FIX        MAP_FIXED
#define ANON       (MAP_PRIVATE | MAP_ANONYMOUS | FIX)
#define DROPPABLE  8
#define DONTUNMAP  4

static int file(const char *name, unsigned pages)
{
    int fd = memfd_create(name, MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE)))
        perror("memfd");
    return fd;
}

static char *map(unsigned page, unsigned pages, int prot, int flags, int fd)
{
    return mmap(AT(page), pages * PAGE, prot, flags, fd, 0);
}

static void window(const char *what)
{
    char line[256], perms[8];
    unsigned long from, end, kb;
    bool in = false;
    FILE *f = fopen("/proc/self/smaps", "r");

    printf("%s:", what);
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &end, perms) == 3) {
            in = from >= BASE && from < BASE + (1ul << 30);
            if (in)
                printf(" %lu-%lu %s", (from - BASE) / PAGE, (end - BASE) / PAGE, perms);
        } else if (in && (sscanf(line, "Rss: %lu", &kb) == 1 || sscanf(line, "Private_Dirty: %lu", &kb) == 1)) {
            printf(" %lu", kb / 4);
        }
    }
    printf("\n");
    if (f)
        fclose(f);
}

/* mmap is refused by RLIMIT_DATA and leaves its cuts; mprotect is and leaves none of its own, nor mends others. */
static void refused(void)
{
    struct rlimit all, none = {PAGE, RLIM_INFINITY};

    map(0, 12, PROT_READ | PROT_EXEC, ANON, -1);
    getrlimit(RLIMIT_DATA, &all);
    setrlimit(RLIMIT_DATA, &none);
    SAY(mmap(AT(4), 4 * PAGE, RW, ANON, -1, 0));
    window("mmap refused");
    SAY(mprotect(AT(4), 4 * PAGE, RW));
    SAY(mprotect(AT(5), PAGE, RW));
    window("mprotect refused");
}

/* Locked areas are filled one after the other: what was just filled joins the next. */
static void filled(void)
{
    map(0, 16, RW, ANON, -1);
    map(2, 4, PROT_READ, ANON, -1);
    SAY(mlock(AT(2), 8 * PAGE));
    SAY(mprotect(AT(0), 8 * PAGE, PROT_READ));
    window("locked");
    SAY(mprotect(AT(4), 6 * PAGE, RW));
    window("writable again");
}

static void moved(void)
{
    map(0, 8, RW, ANON, -1);
    SAY(mlock(AT(0), 4 * PAGE));
    if (!fork()) {
        munlockall();
        pause();
    }
    SAY(syscall(SYS_mremap, AT(0), 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP, AT(20)));
    window("moved after a fork");
    SAY(mremap(AT(20), 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(30)));
    window("moved and grown");
    kill(0, SIGTERM);
}

static void low_hint(void)
{
    map(0, 4, RW, ANON, -1);
    printf("low hint: %lx\n", syscall(SYS_mremap, AT(0), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, PAGE));
    SAY(setuid(65534));
    printf("low hint: %lx\n", syscall(SYS_mremap, AT(0), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, 4 * PAGE));
}

static void remapped(void)
{
    map(0, 8, RW, MAP_SHARED | FIX, file("remapped", 16));
    SAY(personality(READ_IMPLIES_EXEC));
    SAY(remap_file_pages(AT(2), PAGE, 0, 7, 0));
    SAY(personality(0));
    window("remapped");
    SAY(mlockall(MCL_FUTURE));
    SAY(remap_file_pages(AT(4), PAGE, 0, 9, 0));
    SAY(mlock(AT(5), PAGE));
    SAY(remap_file_pages(AT(5), PAGE, 0, 3, MAP_NONBLOCK));
    window("remapped and locked");
}

/* Neighbours in the cache are mapped though the page itself is beyond the end; System V memory comes page by page. */
static void around(void)
{
    int fd = file("around", 6), id = shmget(IPC_PRIVATE, 8 * PAGE, IPC_CREAT | 0600);
    char text[PAGE] = "x";

    for (unsigned i = 0; i < 6; i++)
        SAY(pwrite(fd, text, PAGE, (off_t)(i * PAGE)));
    map(0, 16, PROT_READ, MAP_SHARED | FIX, fd);
    SAY(touch(AT(9), 'r'));
    window("beyond the end");
    munmap(AT(0), 16 * PAGE);
    SAY(shmat(id, AT(0), 0));
    SAY(shmctl(id, IPC_RMID, NULL));
    memset(AT(0), 1, 4 * PAGE);
    SAY(madvise(AT(0), 4 * PAGE, MADV_DONTNEED));
    SAY(touch(AT(1), 'r'));
    window("System V");
    SAY(mprotect(AT(2), 4 * PAGE, PROT_READ));
    SAY(mprotect(AT(2), PAGE, RW));
    SAY(mprotect(AT(5), PAGE, RW));
    SAY(mprotect(AT(3), 2 * PAGE, RW));
    window("System V, rights back and forth");
}

/* The source of a write is a mapping of the file that grows by it, or a sealed file refuses it. */
static void written(void)
{
    int fd = file("written", 2), sealed = file("sealed", 16);

    map(0, 2, RW, ANON, -1);
    map(2, 6, RW, MAP_PRIVATE | FIX, fd);
    SAY(pwrite(fd, AT(0), 7 * PAGE, 100));
    window("a source that grows");
    map(20, 8, RW, ANON, -1);
    SAY(fcntl(sealed, F_ADD_SEALS, F_SEAL_GROW));
    SAY(pwrite(sealed, AT(20), 6 * PAGE, 14 * PAGE));
    SAY(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE));
    SAY(pwrite(sealed, AT(24), 8 * PAGE, 0));
    window("a sealed file");
}

static long remote_read(const char *from)
{
    static char buf[2 * PAGE];
    const struct iovec l = {buf, sizeof(buf)}, r = {(void *)(uintptr_t)from, sizeof(buf)};

    return syscall(SYS_process_vm_readv, getpid(), &l, 1ul, &r, 1ul, 0ul);
}

static void pinned(void)
{
    map(0, 4, RW, ANON, -1);
    memset(AT(0), 1, 4 * PAGE);
    if (fork())
        pause();
    SAY(remote_read(AT(1)));
    window("read through a pin");
    SAY(mprotect(AT(2), PAGE, PROT_WRITE));
    SAY(remote_read(AT(2)));
    SAY(mprotect(AT(2), PAGE, PROT_EXEC));
    SAY(remote_read(AT(2)));
    kill(0, SIGTERM);
}

static void droppable(void)
{
    printf("droppable: %d\n", mmap(AT(0), 4 * PAGE, RW, MAP_ANONYMOUS | DROPPABLE | FIX, -1, 0) != MAP_FAILED);
    map(8, 4, RW, ANON, -1);
    SAY(mlockall(MCL_CURRENT | 4));
    window("locked on fault");
}

/* An area grows up to a stack, into its guard gap; only a mapping without a place stays out of it. */
static void guarded(void)
{
    map(300, 1, RW, ANON | MAP_GROWSDOWN, -1);
    map(290, 1, RW, ANON, -1);
    SAY(syscall(SYS_mremap, AT(290), PAGE, 10 * PAGE, 0) == (long)AT(290));
    SAY(syscall(SYS_mremap, AT(290), 10 * PAGE, 11 * PAGE, 0));
    window("guarded");
}

/* Locking on fault passes over what it locks, but fills what is never locked, or fails at it. */
static void on_fault(void)
{
    mmap(AT(0), 4 * PAGE, RW, MAP_ANONYMOUS | DROPPABLE | FIX, -1, 0);
    mmap(AT(8), 4 * PAGE, PROT_NONE, MAP_ANONYMOUS | DROPPABLE | FIX, -1, 0);
    map(16, 4, PROT_NONE, ANON, -1);
    SAY(mlock2(AT(0), 2 * PAGE, MLOCK_ONFAULT));
    SAY(mlock2(AT(8), 2 * PAGE, MLOCK_ONFAULT));
    SAY(mlock2(AT(16), 2 * PAGE, MLOCK_ONFAULT));
    SAY(mlock2(AT(16), 2 * PAGE, 0));
    SAY(mlockall(MCL_FUTURE | MCL_ONFAULT));
    mmap(AT(24), 4 * PAGE, RW, MAP_ANONYMOUS | DROPPABLE | FIX, -1, 0);
    map(32, 4, RW, ANON, -1);
    window("locked on fault");
}

/* mprotect fills the areas that become writable, not a locked one between them that had no pages. */
static void filled_apart(void)
{
    map(0, 3, PROT_NONE, ANON, -1);
    map(3, 3, RW, ANON, -1);
    map(6, 3, PROT_READ, ANON, -1);
    SAY(mlock(AT(0), 9 * PAGE));
    window("locked");
    SAY(mprotect(AT(0), 9 * PAGE, RW));
    window("writable");
}

/* A place that would cost more memory than there is can't be reached by a stack, however far it may grow. */
static void far_below(void)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

    SAY(setrlimit(RLIMIT_STACK, &all));
    SAY(mmap((void *)(BASE + (1ul << 46)), PAGE, PROT_READ, ANON | MAP_GROWSDOWN, -1, 0) != MAP_FAILED);
    printf("far below: %d\n", touch(AT(0), 'r'));
}

static void advised(void)
{
    struct iovec v[3] = {{AT(0) + 7, 0}, {AT(0), PAGE}, {AT(1) + 7, 0}};
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    map(0, 4, RW, ANON, -1);
    SAY(syscall(SYS_process_madvise, fd, v, 3, MADV_WILLNEED, 0));
    SAY(syscall(SYS_process_madvise, fd, v + 1, 2, MADV_WILLNEED, 0));
    SAY(syscall(SYS_process_madvise, fd, v, 1, MADV_WILLNEED, 0));
    v[0].iov_base = (void *)~0xffful;
    v[0].iov_len = 6 * PAGE;
    v[2].iov_len = ~0ul;
    SAY(syscall(SYS_process_madvise, fd, v, 3, MADV_WILLNEED, 0));
    SAY(syscall(SYS_process_madvise, fd, v, 2, MADV_WILLNEED, 0));
    close(fd);
}

/* remap_file_pages is a new mapping: a seal that came after the old one counts. */
static void resealed(void)
{
    int fd = file("resealed", 8);

    map(0, 4, RW, MAP_SHARED | FIX, fd);
    SAY(fcntl(fd, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */));
    SAY(remap_file_pages(AT(0), PAGE, 0, 3, 0));
    SAY(mprotect(AT(0), PAGE, PROT_READ));
    SAY(remap_file_pages(AT(0), PAGE, 0, 3, 0));
    SAY(mprotect(AT(0), PAGE, RW));
    SAY(mprotect(AT(1), PAGE, RW));
    window("resealed");
    close(fd);
}

static void run(void (*one)(void))
{
    fflush(stdout);
    if (!fork()) {
        setpgid(0, 0);
        one();
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    touch_setup();
    run(refused);
    run(filled);
    run(moved);
    run(low_hint);
    run(remapped);
    run(around);
    run(written);
    run(pinned);
    run(droppable);
    run(guarded);
    run(on_fault);
    run(filled_apart);
    run(far_below);
    run(advised);
    run(resealed);
    return 0;
}
