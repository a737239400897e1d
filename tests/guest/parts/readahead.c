/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a disk are in the cache after scripted reads, faults and advice: the same on every kernel. Argument: the device.
 * A picture is a row of runs "first+pages" of present pages, as mincore() tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE   4096ul
#define PAGES  8192ul /* of the device that are used: 32 MiB */
#define RASET  0x1262
#define RAGET  0x1263
#define FLSBUF 0x1261

static const char *device;
static int fd, keeper;
static uint8_t *map, vec[PAGES];
static char buf[2 << 20];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void look(uint8_t *v)
{
    if (mincore(map, PAGES * PAGE, v))
        die("mincore");
    for (unsigned long i = 0; i < PAGES; i++)
        v[i] &= 1;
}

/* Reads that nobody waited for come to their end: no request is at the disk. */
static void settle(void)
{
    char path[64], text[512];
    unsigned long busy = 1;
    snprintf(path, sizeof(path), "/sys/block/%s/stat", strrchr(device, '/') + 1);
    while (busy) {
        int s = open(path, O_RDONLY);
        ssize_t n = read(s, text, sizeof(text) - 1);
        close(s);
        text[n > 0 ? n : 0] = 0;
        if (sscanf(text, "%*u %*u %*u %*u %*u %*u %*u %*u %lu", &busy) != 1)
            die(path);
        usleep(busy ? 1000 : 200); /* its pages are unlocked */
    }
    look(vec);
}

static void picture(const char *title)
{
    settle();
    printf("%s:", title);
    for (unsigned long i = 0; i < PAGES;) {
        unsigned long n = 0;
        while (i + n < PAGES && vec[i + n])
            n++;
        if (n)
            printf(" %lu+%lu", i, n);
        i += n ? n : 1;
    }
    puts("");
}

static unsigned digest(void)
{
    unsigned h = 2166136261u;
    settle();
    for (unsigned long i = 0; i < PAGES; i++)
        h = (h ^ vec[i]) * 16777619u;
    return h;
}

static void fresh(void)
{
    if (map)
        settle();
    if (fd >= 0)
        close(fd);
    if (map)
        munmap(map, PAGES * PAGE);
    if (ioctl(keeper, FLSBUF, 0))
        die("BLKFLSBUF");
    fd = open(device, O_RDWR);
    if (fd < 0)
        die(device);
    map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        die("mmap");
    settle();
    for (unsigned long i = 0; i < PAGES; i++)
        if (vec[i])
            printf("page %lu is left\n", i);
}

static void get(unsigned long page, unsigned long n)
{
    if (pread(fd, buf, n * PAGE, (off_t)(page * PAGE)) < 0)
        die("pread");
}

static void streams(void)
{
    static const unsigned sizes[] = {1, 2, 3, 4, 7, 16, 32, 33, 64, 200};
    char title[64];
    for (unsigned k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
        fresh();
        for (unsigned i = 0; i < 300 / sizes[k] + 2; i++)
            get(i * sizes[k], sizes[k]);
        snprintf(title, sizeof(title), "stream by %u", sizes[k]);
        picture(title);
        fresh();
        for (unsigned i = 0; i < 6; i++) {
            get(100 + i * sizes[k], sizes[k]);
            snprintf(title, sizeof(title), "from within by %u, %u", sizes[k], i);
            picture(title);
        }
    }
    fresh();
    for (unsigned i = 0; i < 24; i++) {
        get(i, 1);
        snprintf(title, sizeof(title), "page %u", i);
        picture(title);
    }
    fresh();
    for (unsigned i = 0; i < 40; i++)
        if (pread(fd, buf, 1000, i * 1000) != 1000)
            die("pread");
    picture("small reads");
}

static void strides(void)
{
    char title[64];
    for (unsigned step = 2; step < 50; step = step * 3 / 2 + 1) {
        fresh();
        for (unsigned i = 0; i < 40; i++)
            get(i * step, 1);
        snprintf(title, sizeof(title), "every %u", step);
        picture(title);
        fresh();
        for (unsigned i = 0; i < 40; i++)
            get(1000 + i * step, 2);
        snprintf(title, sizeof(title), "two of every %u", step);
        picture(title);
    }
    fresh();
    for (unsigned i = 0; i < 60; i++)
        get(2000 - i, 1);
    picture("backwards");
}

static void interleaved(void)
{
    fresh();
    for (unsigned i = 0; i < 60; i++) {
        get(i, 1);
        get(3000 + i, 1);
    }
    picture("two streams");
    fresh();
    for (unsigned i = 0; i < 60; i++)
        for (unsigned k = 0; k < 3; k++)
            get(100 + 2000 * k + i * 4, 4);
    picture("three streams by 4");
    fresh();
    int other = open(device, O_RDONLY), own = fd;
    for (unsigned i = 0; i < 60; i++) {
        fd = own;
        get(i, 1);
        fd = other;
        get(2000 + i, 1);
    }
    fd = own;
    close(other);
    picture("two files");
}

static void ends(void)
{
    unsigned long end = (unsigned long)lseek(fd, 0, SEEK_END) / PAGE;
    fresh();
    for (unsigned i = 0; i < 10; i++)
        get(end - 10 + i, 1);
    picture("to the end");
    fresh();
    get(end - 3, 8);
    picture("across the end");
    fresh();
    get(20, 1);
    get(25, 2);
    for (unsigned i = 0; i < 30; i++)
        get(i, 1);
    picture("islands");
    struct iovec iov[3] = {{buf, 5000}, {buf + 8192, 3 * PAGE}, {buf + 65536, 100}};
    fresh();
    preadv(fd, iov, 3, 0);
    picture("vector");
    preadv(fd, iov, 3, 400 * PAGE);
    picture("vector elsewhere");
}

static int advise(long off, long len, int what)
{
    settle();
    return posix_fadvise(fd, off, len, what);
}

static void advice(void)
{
    char title[64];
    static const unsigned sizes[] = {1, 3, 40, 200, 400};
    for (unsigned k = 0; k < 5; k++) {
        fresh();
        advise(0, 0, POSIX_FADV_RANDOM);
        get(0, sizes[k]);
        get(1000, sizes[k]);
        get(1000 + sizes[k], 1);
        snprintf(title, sizeof(title), "random %u", sizes[k]);
        picture(title);
    }
    fresh();
    advise(0, 0, POSIX_FADV_SEQUENTIAL);
    for (unsigned i = 0; i < 100; i++)
        get(i, 1);
    picture("sequential");
    advise(0, 0, POSIX_FADV_NORMAL);
    for (unsigned i = 0; i < 100; i++)
        get(2000 + i, 1);
    picture("normal");
    fresh();
    advise(0, 0, POSIX_FADV_NOREUSE);
    for (unsigned i = 0; i < 20; i++)
        get(i, 1);
    picture("noreuse");
    static const long ranges[][2] = {{0, 4096},           {100, 4096},      {40960, 1 << 20},
                                     {5000, 100},         {0, 8 << 20},     {0, 0},
                                     {30 << 20, 8 << 20}, {40l << 20, 4096}};
    for (unsigned k = 0; k < 8; k++) {
        fresh();
        printf("willneed %ld %ld = %d\n", ranges[k][0], ranges[k][1],
               advise(ranges[k][0], ranges[k][1], POSIX_FADV_WILLNEED));
        picture("willneed");
        fresh();
        long r = readahead(fd, ranges[k][0], (size_t)ranges[k][1]);
        printf("readahead = %ld\n", r);
        picture("readahead");
        fresh();
        r = madvise(map + (ranges[k][0] & ~4095l) % (16 << 20), (size_t)ranges[k][1],
                    MADV_WILLNEED);
        printf("madvise = %ld\n", r);
        picture("madvise");
        fresh();
        get(0, 256);
        get(256, 256);
        printf("dontneed = %d\n", advise(ranges[k][0], ranges[k][1], POSIX_FADV_DONTNEED));
        picture("dontneed");
    }
    fresh();
    int r[] = {advise(-1, 5, POSIX_FADV_WILLNEED), advise(0, -1, POSIX_FADV_WILLNEED),
               advise(0, 0, 6), advise(0, 0, -1)};
    printf("errors %d %d %d %d\n", r[0], r[1], r[2], r[3]);
    int p[2], w = open(device, O_WRONLY);
    if (pipe(p))
        die("pipe");
    printf("pipe %d %ld", posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL),
           (long)readahead(p[0], 0, 1));
    printf(" %d\n", errno);
    printf("write only %d %ld", posix_fadvise(w, 0, 0, POSIX_FADV_NORMAL),
           (long)readahead(w, 0, 1));
    printf(" %d\n", errno);
    close(w);
    close(p[0]);
    close(p[1]);
}

static void touch(unsigned long page, bool write)
{
    struct rusage a, b;
    settle();
    getrusage(RUSAGE_SELF, &a);
    if (write)
        *(volatile uint8_t *)(map + page * PAGE) = 1;
    else
        (void)*(volatile uint8_t *)(map + page * PAGE);
    getrusage(RUSAGE_SELF, &b);
    printf("%c%lu%s ", write ? 'w' : 'r', page, b.ru_majflt > a.ru_majflt ? "*" : "");
}

static void faults(void)
{
    static const int advices[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL};
    for (unsigned k = 0; k < 3; k++) {
        fresh();
        madvise(map, PAGES * PAGE, advices[k]);
        touch(100, false);
        picture("a fault");
        for (unsigned i = 101; i < 200; i++)
            touch(i, false);
        picture("in order");
        touch(5, true);
        touch(1000, true);
        touch(1030, false);
        touch(1060, true);
        touch(PAGES - 1, false);
        picture("here and there");
        for (unsigned i = 0; i < 150; i++)
            touch(1500 + i * 40 % 6000, i & 1);
        picture("many");
    }
    fresh();
    for (unsigned i = 0; i < 130; i++)
        touch((i * 2654435761u >> 8) % PAGES, false);
    picture("by chance");
    for (unsigned i = 0; i < 100; i++)
        get(4000 + i, 1);
    picture("read behind it");
}

static void settings(void)
{
    static const unsigned kib[] = {0, 4, 16, 512, 2048, 128};
    long v = 0;
    char title[64], path[64], text[32] = "";
    snprintf(path, sizeof(path), "/sys/block/%s/queue/read_ahead_kb", strrchr(device, '/') + 1);
    for (unsigned k = 0; k < 6; k++) {
        int s = open(path, O_RDWR);
        int n = snprintf(text, sizeof(text), "%u\n", kib[k]);
        if (s < 0 || write(s, text, (size_t)n) != n)
            die(path);
        n = (int)pread(s, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = 0;
        close(s);
        ioctl(fd, RAGET, &v);
        printf("%sraget %ld\n", text, v);
        fresh();
        for (unsigned i = 0; i < 40; i++)
            get(i, 1);
        touch(1000, false);
        snprintf(title, sizeof(title), "with %u", kib[k]);
        picture(title);
        fresh();
        get(0, 64);
        get(64, 400);
        get(1000, 400);
        get(2000, 500);
        snprintf(title, sizeof(title), "large with %u", kib[k]);
        picture(title);
    }
    printf("raset %d\n", ioctl(fd, RASET, 100ul));
    ioctl(fd, RAGET, &v);
    printf("raget %ld\n", v);
    ioctl(fd, RASET, 256ul);
    static const char *const wrong[] = {"x\n", "-1\n", "", "5 x\n"};
    for (unsigned k = 0; k < 4; k++) {
        int s = open(path, O_RDWR);
        long n = write(s, wrong[k], strlen(wrong[k]));
        printf("wrong %ld %s\n", n, n < 0 ? strerrorname_np(errno) : "");
        close(s);
    }
}

static uint64_t state;
static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static void game(unsigned seed, unsigned steps)
{
    state = seed * 7919u + 1;
    fresh();
    unsigned long at[3] = {draw(2000), 2000 + draw(2000), 4000 + draw(3000)};
    unsigned size[3] = {1 + draw(3), 1 + draw(20), 1 + draw(70)};
    for (unsigned i = 0; i < steps; i++) {
        unsigned k = draw(3), kind = draw(40);
        unsigned long page = draw(PAGES), n = 1 + draw(draw(2) ? 4 : 300);
        if (kind < 24) {
            get(at[k], size[k]);
            at[k] = (at[k] + size[k] + (draw(8) ? 0 : draw(9))) % (PAGES - 512);
            printf("s%u ", k);
        } else if (kind < 30) {
            get(page, n);
            printf("g%lu+%lu ", page, n);
        } else if (kind < 35) {
            touch(draw(2) ? at[k] : page, draw(2));
        } else if (kind < 36) {
            int what = (int)draw(3);
            advise(0, 0, what);
            printf("a%d ", what);
        } else if (kind < 37) {
            advise((long)(page * PAGE), (long)(n * PAGE), POSIX_FADV_WILLNEED);
            printf("n%lu+%lu ", page, n);
        } else if (kind < 39) {
            msync(map, PAGES * PAGE, MS_SYNC);
            madvise(map, PAGES * PAGE, MADV_DONTNEED);
            fsync(fd);
            advise((long)(page * PAGE), (long)(n * PAGE), POSIX_FADV_DONTNEED);
            printf("d%lu+%lu ", page, n);
        } else {
            static const int how[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL};
            unsigned w = draw(3);
            madvise(map + page % 4096 * PAGE, 1000 * PAGE, how[w]);
            printf("m%u@%lu ", w, page % 4096);
        }
        printf("%08x\n", digest());
    }
    picture("game");
}

int main(int argc, char **argv)
{
    setlinebuf(stdout);
    device = argc > 1 ? argv[1] : "/dev/vda";
    keeper = fd = open(device, O_RDWR);
    if (fd < 0)
        die(device);
    fd = -1;
    if (argc > 3) {
        game((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
        return 0;
    }
    fresh();
    streams();
    strides();
    interleaved();
    ends();
    advice();
    faults();
    settings();
    for (unsigned seed = 1; seed <= 12; seed++) {
        printf("game %u\n", seed);
        game(seed, 60);
    }
    return 0;
}
