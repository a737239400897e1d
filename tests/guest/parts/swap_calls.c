/* SPDX-License-Identifier: MIT */
/*
 * Swap on two disks of 1 MiB, the arguments: errors of swapon and swapoff, /proc/swaps, and what becomes of pages that are swapped
 * out, whatever is done to them meanwhile. Prints the same on Linux.
 */
#include "../../linux/say.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define N 32
#define DISK_PAGES 256

static const char *disk[2];

struct header {
    char boot[1024];
    uint32_t version, last_page, nr_bad;
    char uuid[16], label[16];
    uint32_t padding[117], bad[637];
    char fill[2], magic[10];
};

static struct header standard(void)
{
    struct header h = {.version = 1, .last_page = DISK_PAGES - 1};
    memcpy(h.magic, "SWAPSPACE2", 10);
    return h;
}

static void put_header(const char *path, struct header h)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || pwrite(fd, &h, sizeof(h), 0) != sizeof(h) || fsync(fd))
        perror(path);
    close(fd);
}

/* ---- errors ---- */

static void as_nobody(void)
{
    if (seteuid(65534))
        return;
    SAY(swapon(disk[0], 0));
    SAY(swapoff(disk[0]));
}

static void with_header(const char *what, struct header h)
{
    put_header(disk[0], h);
    errno = 0;
    printf("header with %s: %s\n", what, answer(swapon(disk[0], 0)));
    swapoff(disk[0]);
}

static void headers(void)
{
    struct header h = standard();
    h.magic[0] = 'X';
    with_header("no signature", h);
    h = standard();
    h.version = 2;
    with_header("version 2", h);
    h = standard();
    h.last_page = 0;
    with_header("nothing", h);
    h = standard();
    h.last_page = DISK_PAGES;
    with_header("a page too many", h);
    h = standard();
    h.nr_bad = 638;
    with_header("too many bad pages", h);
    h = standard();
    h.nr_bad = 1;
    with_header("page 0 bad", h);
    h.bad[0] = DISK_PAGES;
    with_header("a bad page behind the end", h);
    h = standard();
    h.last_page = 2;
    h.nr_bad = 2;
    h.bad[0] = 1;
    h.bad[1] = 2;
    with_header("bad pages only", h);
}

static void errors(void)
{
    put_header(disk[0], standard());
    put_header(disk[1], standard());
    SAY(swapon(disk[0], 0x80000));
    SAY(swapon("/dev/none", 0));
    SAY(swapon("/dev/null", 0));
    SAY(swapon("/dev", 0));
    SAY(swapon((char *)8, 0));
    SAY(swapon("", 0));
    SAY(swapoff("/dev/none"));
    SAY(swapoff("/dev/null"));
    SAY(swapoff(disk[0]));
    SAY(swapoff((char *)8));
    int fd = open("/dev/shm/file", O_CREAT | O_RDWR, 0600);
    SAY(ftruncate(fd, DISK_PAGES * PAGE));
    put_header("/dev/shm/file", standard());
    SAY(swapon("/dev/shm/file", 0));
    unlink("/dev/shm/file");
    fd = open("/var/tmp/swapfile", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < DISK_PAGES; i++)
        if (write(fd, (char[PAGE]){0}, PAGE) != (ssize_t)PAGE)
            perror("write");
    put_header("/var/tmp/swapfile", standard());
    SAY(swapon("/var/tmp/swapfile", 0));
    unlink("/var/tmp/swapfile");
    CHILD(as_nobody);
    headers();
    put_header(disk[0], standard());
}

/* ---- tables ---- */

static void swaps(const char *when)
{
    static char text[4096];
    int fd = open("/proc/swaps", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    printf("-- %s\n%.*s", when, (int)n, text);
}

static long number(const char *file, const char *label)
{
    char line[256];
    long v = -1;
    FILE *f = fopen(file, "r");
    while (f && v < 0 && fgets(line, sizeof(line), f))
        if (!strncmp(line, label, strlen(label)))
            v = atol(line + strlen(label));
    if (f)
        fclose(f);
    return v;
}

static void tables(void)
{
    struct sysinfo si;
    long limit = number("/proc/meminfo", "CommitLimit:");
    SAY(swapon(disk[0], 0));
    SAY(swapon(disk[0], 0));
    swaps("one");
    SAY(swapon(disk[1], 0));
    swaps("two");
    sysinfo(&si);
    printf("totalswap %lu freeswap %lu\n", si.totalswap * si.mem_unit, si.freeswap * si.mem_unit);
    printf("SwapTotal %ld SwapFree %ld CommitLimit +%ld\n", number("/proc/meminfo", "SwapTotal:"), number("/proc/meminfo", "SwapFree:"),
           number("/proc/meminfo", "CommitLimit:") - limit);
    int fd = open(disk[0], O_RDWR);
    SAY(pwrite(fd, "x", 1, 0));
    close(fd);
    SAY(swapoff(disk[0]));
    swaps("the second");
    SAY(swapon(disk[0], SWAP_FLAG_PREFER | 7));
    swaps("preferred");
    SAY(swapoff(disk[1]));
    SAY(swapon(disk[1], 0));
    swaps("again");
    SAY(swapoff(disk[1]));
    SAY(swapoff(disk[0]));
    swaps("none");
    SAY(swapon(disk[0], SWAP_FLAG_DISCARD));
    SAY(swapoff(disk[0]));
    SAY(swapon(disk[0], SWAP_FLAG_DISCARD | 0x20000));
    SAY(swapoff(disk[0]));
    SAY(swapon(disk[0], SWAP_FLAG_DISCARD | 0x40000));
    SAY(swapoff(disk[0]));
}

/* ---- pages ---- */

static void fill(char *p, unsigned n, unsigned seed)
{
    for (unsigned i = 0; i < n * PAGE; i += 512)
        *(unsigned *)(p + i) = seed + i;
}

static bool holds(const char *p, unsigned n, unsigned seed)
{
    for (unsigned i = 0; i < n * PAGE; i += 512)
        if (*(const unsigned *)(p + i) != seed + i)
            return false;
    return true;
}

static unsigned swapped(const char *p, unsigned n)
{
    uint64_t words[256];
    unsigned found = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY);
    if (pread(fd, words, n * 8, (off_t)((uintptr_t)p / PAGE * 8)) != (ssize_t)(n * 8))
        perror("pagemap");
    close(fd);
    for (unsigned i = 0; i < n; i++)
        found += words[i] >> 62 & 1;
    return found;
}

static void pagemap_words(const char *what, const char *p, unsigned n)
{
    uint64_t words[16];
    int fd = open("/proc/self/pagemap", O_RDONLY);
    if (pread(fd, words, n * 8, (off_t)((uintptr_t)p / PAGE * 8)) != (ssize_t)(n * 8))
        perror("pagemap");
    close(fd);
    printf("%s:", what);
    for (unsigned i = 0; i < n; i++)
        printf(" [%s%s%s%s%s type %u%s]", words[i] >> 63 & 1 ? "present " : "", words[i] >> 62 & 1 ? "swap " : "",
               words[i] >> 61 & 1 ? "file " : "", words[i] >> 56 & 1 ? "exclusive " : "", words[i] >> 55 & 1 ? "soft-dirty" : "",
               words[i] >> 62 & 1 ? (unsigned)(words[i] & 31) : 0,
               words[i] >> 62 & 1 && (words[i] & ((1ul << 55) - 1)) >> 5 ? " offset" : "");
    printf("\n");
}

static long smaps(const char *p, const char *label)
{
    char line[256], want[32];
    bool in = false;
    long v = -1;
    snprintf(want, sizeof(want), "%lx-", (unsigned long)p);
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, want, strlen(want)))
            in = true;
        else if (in && !strncmp(line, label, strlen(label))) {
            v = atol(line + strlen(label));
            break;
        }
    }
    fclose(f);
    return v;
}

static void sizes(const char *what, const char *p)
{
    printf("%s: VmSwap %ld Rss %ld Swap %ld SwapPss %ld\n", what, number("/proc/self/status", "VmSwap:"), smaps(p, "Rss:"),
           smaps(p, "Swap:"), smaps(p, "SwapPss:"));
}

static char *fresh(unsigned n)
{
    char *p = mmap(NULL, (n + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + PAGE, n * PAGE, PROT_READ | PROT_WRITE);
    fill(p + PAGE, n, 1000);
    return p + PAGE;
}

static char *out(unsigned n)
{
    char *p = fresh(n);
    if (madvise(p, n * PAGE, MADV_PAGEOUT))
        perror("MADV_PAGEOUT");
    return p;
}

static void in_and_out(void)
{
    char *p = out(N);
    printf("%u of %u swapped\n", swapped(p, N), N);
    sizes("out", p);
    pagemap_words("out", p, 2);
    swaps("out");
    printf("read: %d\n", holds(p, N, 1000));
    sizes("in", p);
    fill(p, N, 2000);
    printf("written: %d\n", holds(p, N, 2000));
    SAY(munmap(p, N * PAGE));
    swaps("unmapped");
}

static void changes(void)
{
    char *p = out(N);
    SAY(mprotect(p, N * PAGE, PROT_NONE));
    printf("PROT_NONE: %u swapped, %s\n", swapped(p, N), touch_text(p, 'r'));
    SAY(mprotect(p, N * PAGE, PROT_READ));
    printf("PROT_READ: %d, ", holds(p, N, 1000));
    printf("%s\n", touch_text(p, 'w'));
    munmap(p, N * PAGE);

    p = out(N);
    char *q = mmap(NULL, N * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    q = mremap(p, N * PAGE, N * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q);
    printf("mremap: %u swapped, %d\n", swapped(q, N), holds(q, N, 1000));
    munmap(q, N * PAGE);

    p = out(N);
    SAY(madvise(p, N * PAGE / 2, MADV_DONTNEED));
    printf("DONTNEED: %u swapped, %d %d\n", swapped(p, N), p[0] == 0, holds(p + N / 2 * PAGE, N / 2, 1000 + N / 2 * PAGE));
    munmap(p, N * PAGE);

    p = out(N);
    SAY(madvise(p, N * PAGE, MADV_WILLNEED));
    printf("again: %d\n", holds(p, N, 1000));
    munmap(p, N * PAGE);

    p = out(N);
    SAY(mlock(p, N * PAGE));
    printf("mlock: %u swapped, %d\n", swapped(p, N), holds(p, N, 1000));
    E(EINVAL, madvise(p, N * PAGE, MADV_PAGEOUT));
    SAY(munmap(p, N * PAGE));

    p = out(N);
    char buf[2 * PAGE];
    struct iovec to = {buf, sizeof(buf)}, from = {p, sizeof(buf)};
    SAY(process_vm_readv(getpid(), &to, 1, &from, 1, 0) == sizeof(buf));
    printf("read by process_vm_readv: %d\n", holds(buf, 2, 1000));
    memset(buf, 7, sizeof(buf));
    SAY(process_vm_writev(getpid(), &to, 1, &from, 1, 0) == sizeof(buf));
    madvise(p, N * PAGE, MADV_PAGEOUT);
    printf("written by process_vm_writev: %d %d\n", p[0] == 7, p[2 * PAGE - 1] == 7);
    int fds[2];
    SAY(pipe(fds));
    SAY(write(fds[1], p + 4 * PAGE, PAGE) == PAGE);
    madvise(p, N * PAGE, MADV_PAGEOUT);
    SAY(read(fds[0], p + 5 * PAGE, PAGE) == PAGE);
    madvise(p, N * PAGE, MADV_PAGEOUT);
    printf("through a pipe: %d\n", holds(p + 5 * PAGE, 1, 1000 + 4 * PAGE));
    close(fds[0]);
    close(fds[1]);
    munmap(p, N * PAGE);
}

static void soft_dirty(void)
{
    char *p = out(4);
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    SAY(write(fd, "4", 1));
    close(fd);
    pagemap_words("after clear_refs", p, 2);
    (void)*(volatile char *)p;
    p[PAGE] = 1;
    pagemap_words("read and written", p, 2);
    munmap(p, 4 * PAGE);
}

static char *family_pages;
static void child(void)
{
    printf("child: %u swapped\n", swapped(family_pages, N));
    printf("child reads: %d\n", holds(family_pages, N / 2, 1000));
    fill(family_pages, N, 3000);
    printf("child writes: %d\n", holds(family_pages, N, 3000));
    madvise(family_pages, N * PAGE, MADV_PAGEOUT);
    printf("child writes, out and in: %d\n", holds(family_pages, N, 3000));
}

static void family(void)
{
    family_pages = out(N);
    CHILD(child);
    printf("parent: %u swapped\n", swapped(family_pages, N));
    printf("parent reads: %d\n", holds(family_pages, N, 1000));
    munmap(family_pages, N * PAGE);
}

static void shared(void)
{
    char *p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fill(p, N, 1000);
    SAY(madvise(p, N * PAGE, MADV_PAGEOUT));
    sizes("shared, out", p);
    pid_t pid = fork();
    if (!pid) {
        fill(p + N / 2 * PAGE, N / 2, 5000);
        _exit(!holds(p, N / 2, 1000));
    }
    int status;
    waitpid(pid, &status, 0);
    printf("child: %d\n", status);
    printf("shared: %d %d\n", holds(p, N / 2, 1000), holds(p + N / 2 * PAGE, N / 2, 5000));
    SAY(madvise(p, N * PAGE, MADV_PAGEOUT));
    SAY(madvise(p, N / 2 * PAGE, MADV_REMOVE));
    printf("removed: %d, kept: %d\n", p[0] == 0, holds(p + N / 2 * PAGE, N / 2, 5000));
    munmap(p, N * PAGE);

    int fd = memfd_create("m", 0);
    SAY(ftruncate(fd, N * PAGE));
    p = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fill(p, N, 1000);
    SAY(madvise(p, N * PAGE, MADV_PAGEOUT));
    char buf[PAGE];
    SAY(pread(fd, buf, PAGE, 3 * PAGE) == PAGE);
    printf("read(2): %d\n", holds(buf, 1, 1000 + 3 * PAGE));
    SAY(pwrite(fd, "abc", 3, 5 * PAGE));
    printf("write(2): %d\n", !memcmp(p + 5 * PAGE, "abc", 3) && holds(p + 5 * PAGE + 512, 0, 0) &&
                                 *(unsigned *)(p + 5 * PAGE + 512) == 1000 + 5 * PAGE + 512);
    SAY(lseek(fd, 8 * PAGE, SEEK_DATA) == 8 * PAGE);
    SAY(ftruncate(fd, 7 * PAGE + 100));
    SAY(ftruncate(fd, N * PAGE));
    printf("cut: %d %d\n", *(unsigned *)(p + 7 * PAGE) == 1000 + 7 * PAGE, *(unsigned *)(p + 7 * PAGE + 512) == 0);
    munmap(p, N * PAGE);
    close(fd);

    int id = shmget(IPC_PRIVATE, N * PAGE, 0600);
    p = shmat(id, NULL, 0);
    fill(p, N, 1000);
    SAY(madvise(p, N * PAGE, MADV_PAGEOUT));
    struct shm_info info;
    shmctl(0, SHM_INFO, (struct shmid_ds *)&info);
    printf("shm: rss %lu swp %lu\n", info.shm_rss, info.shm_swp);
    printf("shm: %d\n", holds(p, N, 1000));
    shmdt(p);
    SAY(shmctl(id, IPC_RMID, NULL));
}

static void two_disks(void)
{
    SAY(swapon(disk[1], SWAP_FLAG_PREFER | 3));
    char *p = out(N);
    swaps("the preferred one first");
    munmap(p, N * PAGE);
    p = out(DISK_PAGES + 50);
    printf("%u swapped\n", swapped(p, 256));
    swaps("one full");
    SAY(swapoff(disk[1]));
    swaps("moved off");
    printf("all there: %d\n", holds(p, DISK_PAGES + 50, 1000));
    SAY(swapoff(disk[0]));
    printf("still: %d\n", holds(p, DISK_PAGES + 50, 1000));
    sizes("no swap", p);
    SAY(madvise(p, PAGE, MADV_PAGEOUT));
    printf("%u swapped\n", swapped(p, 1));
    munmap(p, (DISK_PAGES + 50) * PAGE);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    disk[0] = argv[1];
    disk[1] = argv[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    touch_setup();
    errors();
    tables();
    SAY(swapon(disk[0], 0));
    in_and_out();
    two_disks();
    /* From here on Linux keeps some slots of pages that nobody wants until it needs them. */
    SAY(swapon(disk[0], 0));
    changes();
    soft_dirty();
    family();
    shared();
    SAY(swapoff(disk[0]));
    swaps("at the end");
    return say_failed;
}
