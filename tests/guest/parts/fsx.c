/* SPDX-License-Identifier: MIT */
/* Plays tests/common/fsx.h on a file or a disk: fsx PATH SEED GAMES STEPS [SECONDS]. Prints "ok", or the steps that fail. */
#include "../../common/fsx.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLSBUF 0x1261

static const char *path;
static int fd, direct;
static bool disk;
static time_t until;

static void begin(void)
{
    fd = open(path, O_RDWR | (disk ? 0 : O_CREAT | O_TRUNC), 0600);
    direct = open(path, O_RDWR | O_DIRECT);
    if (fd < 0 || direct < 0) {
        perror(path);
        exit(2);
    }
    if (disk) {
        static char zeros[FSX_MAX];
        if (pwrite(fd, zeros, FSX_MAX, 0) != FSX_MAX)
            perror(path);
    }
}

static void end(void)
{
    close(fd);
    close(direct);
}

static long get(uint64_t pos, void *buf, uint64_t n)
{
    uint64_t most =
        disk && pos < FSX_MAX && n > FSX_MAX - pos ? FSX_MAX - pos : n; /* the disk goes on */
    return pread(fd, buf, most, (off_t)pos);
}

static long put(uint64_t pos, const void *buf, uint64_t n)
{
    return pwrite(fd, buf, n, (off_t)pos);
}

static long get_direct(uint64_t pos, void *buf, uint64_t n)
{
    return pread(direct, buf, n, (off_t)pos);
}

static long put_direct(uint64_t pos, const void *buf, uint64_t n)
{
    return pwrite(direct, buf, n, (off_t)pos);
}

static long mapped(uint64_t pos, void *in, const void *out, uint64_t n)
{
    uint64_t base = pos & ~4095ull;
    char *p = mmap(NULL, pos - base + n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)base);
    if (p == MAP_FAILED)
        return -errno;
    if (in)
        memcpy(in, p + (pos - base), n);
    else if (out)
        memcpy(p + (pos - base), out, n);
    munmap(p, pos - base + n);
    return (long)n;
}

static long map_read(uint64_t pos, void *buf, uint64_t n)
{
    return mapped(pos, buf, NULL, n);
}

static long map_write(uint64_t pos, const void *buf, uint64_t n)
{
    return mapped(pos, NULL, buf, n);
}

static int cut(uint64_t size)
{
    return ftruncate(fd, (off_t)size) ? -errno : 0;
}

static int punch(uint64_t pos, uint64_t n)
{
    if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)n))
        return 0;
    return -errno;
}

static int allocate(uint64_t pos, uint64_t n, bool keep)
{
    return fallocate(fd, keep ? FALLOC_FL_KEEP_SIZE : 0, (off_t)pos, (off_t)n) ? -errno : 0;
}

static int sync_some(unsigned how)
{
    int r = how % 3 == 0   ? fsync(fd)
            : how % 3 == 1 ? fdatasync(direct)
                           : sync_file_range(fd, 0, 0, 7);
    return r ? -errno : 0;
}

static void drop(void)
{
    int f;
    if (disk)
        ioctl(fd, FLSBUF, 0);
    else
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (fsx.size % 7 == 0 && (f = open("/proc/sys/vm/drop_caches", O_WRONLY)) >= 0) {
        if (write(f, "1", 1) != 1)
            perror("drop_caches");
        close(f);
    }
}

static bool stop(void)
{
    return until && time(NULL) >= until;
}

int main(int argc, char **argv)
{
    struct stat st;
    if (argc < 5)
        return 2;
    path = argv[1];
    until = argc > 5 ? time(NULL) + atoi(argv[5]) : 0;
    disk = !stat(path, &st) && S_ISBLK(st.st_mode);
    struct fsx_home home = {.begin = begin,
                            .end = end,
                            .read = get,
                            .write = put,
                            .map_read = map_read,
                            .map_write = map_write,
                            .direct_read = get_direct,
                            .direct_write = put_direct,
                            .truncate = cut,
                            .punch = punch,
                            .allocate = allocate,
                            .sync = sync_some,
                            .drop = drop,
                            .stop = stop};
    if (disk) {
        home.truncate = NULL;
        home.allocate = NULL;
        home.fixed_size = FSX_MAX;
        home.punch_align = 512;
    } else {
        int f = open(path, O_RDWR | O_CREAT, 0600);
        if (fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1) && errno == EOPNOTSUPP)
            home.punch = NULL, home.allocate = NULL;
        close(f);
    }
    setlinebuf(stdout);
    int failed = fsx_games(&home, (uint64_t)atoll(argv[2]), (unsigned)atoi(argv[3]),
                           (unsigned)atoi(argv[4]));
    if (!failed)
        puts("ok");
    return failed;
}
