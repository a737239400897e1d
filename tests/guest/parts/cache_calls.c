/* SPDX-License-Identifier: MIT */
/*
 * Calls about cached files, as answered for a tmpfs file, a disk, a pipe and /dev/null: fallocate's modes, flags of preadv2 and
 * pwritev2, sync_file_range, O_DIRECT with its alignment and its coherence with the cache. The same on every kernel. Argument: the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char *buf; /* 64 KiB, aligned to a page */

static void say(const char *what, long r)
{
    printf("%s = %ld%s%s\n", what, r, r < 0 ? " " : "", r < 0 ? strerrorname_np(errno) : "");
}
#define SAY(...)                                                                                   \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long r_ = (long)(__VA_ARGS__);                                                             \
        say(#__VA_ARGS__, r_);                                                                     \
    } while (0)

static void show(int fd, long off, unsigned long n)
{
    char *p = malloc(n);
    long r = pread(fd, p, n, off);
    unsigned h = 2166136261u;
    for (long i = 0; i < r; i++)
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    struct stat st;
    fstat(fd, &st);
    printf("  %ld bytes, %08x; size %ld, %ld blocks\n", r, h,
           S_ISREG(st.st_mode) ? (long)st.st_size : 0,
           S_ISREG(st.st_mode) ? (long)st.st_blocks : 0);
    free(p);
}

static void fill(int fd)
{
    for (unsigned i = 0; i < 65536; i++)
        buf[i] = (char)(i * 7 + i / 4096 + 1);
    if (pwrite(fd, buf, 65536, 0) != 65536)
        perror("pwrite");
}

static void allocate(int fd, long size)
{
    static const int modes[] = {0,    1,    2,    3,    4,    5,    7,    8,    9,
                                0x10, 0x11, 0x12, 0x20, 0x21, 0x40, 0x41, 0x80, 0x13};
    const long ranges[][2] = {{0, 4096},    {4096, 8192},  {100, 1000}, {5000, 10000},
                              {0, 0},       {-1, 5},       {5, -1},     {size - 4096, 8192},
                              {size, 4096}, {61440, 4096}, {8192, 512}};
    char text[80];
    for (unsigned k = 0; k < sizeof(modes) / sizeof(*modes); k++)
        for (unsigned i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
            if (size > 65536 && modes[k] == 0)
                continue;
            fill(fd);
            errno = 0;
            long r = fallocate(fd, modes[k], ranges[i][0], ranges[i][1]);
            snprintf(text, sizeof(text), "fallocate %#x %ld %ld", modes[k], ranges[i][0],
                     ranges[i][1]);
            say(text, r);
            show(fd, 0, 65536);
            if (size == 65536 && ftruncate(fd, 65536))
                perror("ftruncate");
        }
}

static void flags(int fd)
{
    struct iovec v = {buf, 4096};
    for (int f = 0; f < 7; f++)
        for (int pos = 0; pos < 2; pos++) {
            char text[64];
            long off = pos ? 0 : -1;
            if (lseek(fd, 0, SEEK_SET) < 0 && !pos && (1 << f) != 8)
                continue; /* a pipe would block */
            errno = 0;
            snprintf(text, sizeof(text), "preadv2 %#x at %ld", 1 << f, off);
            if ((1 << f) != 8 || pos)
                say(text, preadv2(fd, &v, 1, off, 1 << f));
            errno = 0;
            snprintf(text, sizeof(text), "pwritev2 %#x at %ld", 1 << f, off);
            if ((1 << f) != 8 || pos)
                say(text, pwritev2(fd, &v, 1, off, 1 << f));
        }
    SAY(pwritev2(fd, &v, 1, 0, RWF_APPEND | 0x20));
    SAY(lseek(fd, 0, SEEK_CUR));
}

static void ranges(int fd)
{
    SAY(sync_file_range(fd, 0, 0, 7));
    SAY(sync_file_range(fd, 0, 0, 0));
    SAY(sync_file_range(fd, 0, 0, 8));
    SAY(sync_file_range(fd, -1, 0, 2));
    SAY(sync_file_range(fd, 4096, -1, 2));
    SAY(sync_file_range(fd, 0x7ffffffffffff000, 0x2000, 2));
    SAY(sync_file_range(fd, 100, 10, 2));
    SAY(fsync(fd));
    SAY(fdatasync(fd));
    SAY(syncfs(fd));
    SAY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    SAY(readahead(fd, 0, 4096));
}

static void direct(const char *path)
{
    int d = open(path, O_RDWR | O_DIRECT), c = open(path, O_RDWR);
    say("open direct", d >= 0 ? 0 : -1);
    if (d < 0)
        return;
    fill(c);
    memset(buf, 0, 65536);
    static const long cases[][3] = {{0, 4096, 0},   {0, 512, 0}, {0, 512, 512},   {512, 4096, 0},
                                    {100, 4096, 0}, {0, 100, 0}, {0, 4096, 100},  {512, 1536, 1024},
                                    {0, 0, 0},      {0, 0, 5},   {0, 32768, 4096}};
    for (unsigned k = 0; k < sizeof(cases) / sizeof(*cases); k++) {
        char text[64];
        errno = 0;
        memset(buf, 0, 40960);
        snprintf(text, sizeof(text), "direct pread to +%ld, %ld at %ld", cases[k][0], cases[k][1],
                 cases[k][2]);
        say(text, pread(d, buf + cases[k][0], (size_t)cases[k][1], cases[k][2]));
        printf("  %d %d\n", buf[cases[k][0]], buf[cases[k][0] + 500]);
        memset(buf, (int)k + 3, 40960);
        errno = 0;
        snprintf(text, sizeof(text), "direct pwrite from +%ld, %ld at %ld", cases[k][0],
                 cases[k][1], cases[k][2]);
        say(text, pwrite(d, buf + cases[k][0], (size_t)cases[k][1], cases[k][2]));
        show(c, 0, 65536);
    }
    SAY(pread(d, (void *)8192, 4096, 0));
    SAY(pread(d, (void *)-4096l, 4096, 0));
    SAY(pwrite(d, (void *)8192, 4096, 0));
    struct iovec v[2] = {{buf, 512}, {buf + 4096, 1024}}, w[2] = {{buf, 512}, {buf + 4096, 100}};
    SAY(preadv(d, v, 2, 0));
    SAY(preadv(d, w, 2, 0));
    SAY(pwritev(d, v, 2, 4096));
    show(c, 0, 65536);
    /* mapped, dirty, then read and written past the cache */
    uint8_t *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, c, 0);
    m[5000] = 77;
    SAY(pread(d, buf, 4096, 4096));
    printf("  %d\n", buf[904]);
    memset(buf, 99, 4096);
    m[4096] = 1;
    SAY(pwrite(d, buf, 4096, 4096));
    printf("  %d %d %d\n", m[4096], m[5000], m[8191]);
    m[4097] = 2;
    SAY(pwrite(d, m + 8192, 4096, 4096)); /* from the same file's pages */
    SAY(pread(d, m + 4096, 4096, 8192));
    show(c, 0, 65536);
    int x = fcntl(c, F_SETFL, O_DIRECT);
    say("F_SETFL", x);
    SAY(pread(c, buf + 1, 100, 0));
    munmap(m, 65536);
    long end = lseek(d, 0, SEEK_END) & ~511l;
    lseek(d, 0, SEEK_SET);
    printf("at the end %ld", (long)pread(d, buf, 4096, end - 512));
    printf(" %ld", (long)pread(d, buf, 4096, end));
    errno = 0;
    printf(" %ld", (long)pread(d, buf, 4096, end + 4096));
    long r = S_ISBLK((struct stat){0}.st_mode) ? 0 : pread(d, buf, 65536, 4096);
    printf(" %ld\n", r);
    close(d);
    close(c);
}

int main(int argc, char **argv)
{
    setlinebuf(stdout);
    const char *disk = argc > 1 ? argv[1] : "/dev/vda";
    buf = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mkdir("/tmp/calls", 0700);
    if (mount("none", "/tmp/calls", "tmpfs", 0, "size=4m"))
        perror("mount");
    int t = open("/tmp/calls/f", O_RDWR | O_CREAT, 0600), b = open(disk, O_RDWR),
        n = open("/dev/null", O_RDWR), p[2];
    long size = lseek(b, 0, SEEK_END);
    if (pipe(p))
        return 1;
    puts("tmpfs");
    allocate(t, 65536);
    flags(t);
    ranges(t);
    direct("/tmp/calls/f");
    puts("disk");
    allocate(b, size);
    flags(b);
    ranges(b);
    direct(disk);
    puts("pipe");
    SAY(fallocate(p[1], 0, 0, 1));
    ranges(p[0]);
    puts("null");
    SAY(fallocate(n, 0, 0, 1));
    ranges(n);
    SAY(open("/dev/null", O_RDWR | O_DIRECT));
    SAY(open("/proc/self/maps", O_RDONLY | O_DIRECT));
    SAY(open("/tmp/calls", O_RDONLY | O_DIRECT) < 0 ? -1 : 0);
    return 0;
}
