/* SPDX-License-Identifier: MIT */
/* PAGEMAP_SCAN with userfaultfd's write-protection: asynchronous, with and without pages and tables; the same under two kernels. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE  4096ul
#define PAGES 16ul

struct page_region {
    uint64_t start, end, categories;
};
struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
enum { WP_MATCHING = 1, CHECK_WPASYNC = 2 };
enum { WPALLOWED = 1, WRITTEN = 2, PRESENT = 8 };

#define FEATURE_WP             (1ul << 0)
#define FEATURE_WP_HUGE_SHMEM  (1ul << 12)
#define FEATURE_WP_UNPOPULATED (1ul << 13)
#define FEATURE_WP_ASYNC       (1ul << 15)

static int map_fd, uffd;
static char *base;
static unsigned long pages = PAGES;

static void scan(const char *what, unsigned flags, unsigned mask, unsigned long most, unsigned room)
{
    struct page_region r[16];
    struct pm_scan_arg a = {.size = sizeof(a), .flags = flags, .start = (uintptr_t)base, .end = (uintptr_t)base + pages * PAGE,
                            .vec = room ? (uintptr_t)r : 0, .vec_len = room, .max_pages = most, .category_mask = mask,
                            .return_mask = 0xff};
    long n = ioctl(map_fd, PAGEMAP_SCAN, &a);
    if (n < 0) {
        printf("%s: %s\n", what, strerror(errno));
        return;
    }
    printf("%s: %ld, end %lu:", what, n, (unsigned long)(a.walk_end - (uintptr_t)base) / PAGE);
    for (long i = 0; i < n; i++)
        printf(" %lu-%lu=%lx", (unsigned long)(r[i].start - (uintptr_t)base) / PAGE,
               (unsigned long)(r[i].end - (uintptr_t)base) / PAGE, (unsigned long)r[i].categories);
    printf("\n");
}

static void touch(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        *(volatile char *)(base + i * PAGE) = 1;
}

static void words(void)
{
    uint64_t w[PAGES];
    if (pread(map_fd, w, sizeof(w), (off_t)((uintptr_t)base / PAGE * 8)) != sizeof(w))
        return;
    for (unsigned i = 0; i < PAGES; i++)
        printf(" %lx", (unsigned long)(w[i] >> 55));
    printf("\n");
}

static int protect(unsigned long n)
{
    struct uffdio_writeprotect w = {.range = {(uintptr_t)base, n * PAGE}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    return ioctl(uffd, UFFDIO_WRITEPROTECT, &w);
}

static int begin(const char *what, unsigned long features, int flags, int fd)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_WP};
    uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    if (ioctl(uffd, UFFDIO_API, &api)) {
        printf("%s: features: %s\n", what, strerror(errno));
        return -1;
    }
    base = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    reg.range.start = (uintptr_t)base;
    reg.range.len = pages * PAGE;
    int err = ioctl(uffd, UFFDIO_REGISTER, &reg);
    printf("%s: registered %d\n", what, err);
    return err;
}

static void end(void)
{
    munmap(base, pages * PAGE);
    close(uffd);
}

static void synchronous(unsigned long features)
{
    if (begin("synchronous", features, MAP_PRIVATE | MAP_ANONYMOUS, -1))
        return;
    touch(0, 4);
    (void)*(volatile char *)(base + 5 * PAGE);
    scan("all", 0, 0, 0, 16);
    printf("protect %d\n", protect(8));
    scan("protected", 0, 0, 0, 16);
    scan("check", CHECK_WPASYNC, 0, 0, 16);
    scan("check and protect", CHECK_WPASYNC | WP_MATCHING, WRITTEN, 0, 16);
    scan("protect", WP_MATCHING, WRITTEN, 0, 16);
    words();
    end();
}

static void asynchronous(const char *what, int flags, int fd)
{
    if (begin(what, FEATURE_WP | FEATURE_WP_UNPOPULATED | FEATURE_WP_HUGE_SHMEM | FEATURE_WP_ASYNC, flags, fd))
        return;
    touch(0, 4);
    (void)*(volatile char *)(base + 5 * PAGE);
    scan("all", 0, 0, 0, 16);
    scan("check", CHECK_WPASYNC, 0, 0, 16);
    printf("protect %d\n", protect(8));
    scan("protected", 0, 0, 0, 16);
    scan("rest", CHECK_WPASYNC | WP_MATCHING, WRITTEN, 0, 16);
    scan("all", 0, 0, 0, 16);
    touch(1, 2);
    touch(6, 7);
    touch(9, 10);
    scan("written", 0, WRITTEN, 0, 16);
    scan("two of them", WP_MATCHING, WRITTEN, 2, 16);
    scan("left", 0, WRITTEN, 0, 16);
    scan("without room", WP_MATCHING, WRITTEN, 0, 0);
    scan("left", 0, WRITTEN, 0, 16);
    touch(2, 5);
    scan("written again", WP_MATCHING, WRITTEN, 0, 16);
    madvise(base, 4 * PAGE, MADV_DONTNEED);
    scan("given back", 0, WRITTEN, 0, 16);
    scan("given back, all", 0, 0, 0, 16);
    scan("allowed", 0, WPALLOWED, 0, 16);
    scan("present", 0, PRESENT, 0, 16);
    scan("one range", WP_MATCHING, 0, 0, 1);
    scan("all", 0, 0, 0, 16);
    words();
    end();
}

int main(void)
{
    int fd = open("/dev/shm/pagemap_wp.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("/dev/shm/pagemap_wp.data");
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    map_fd = open("/proc/self/pagemap", O_RDONLY);
    if (map_fd < 0 || fd < 0 || ftruncate(fd, (off_t)(2048 * PAGE)))
        return 1;
    synchronous(FEATURE_WP);
    synchronous(FEATURE_WP | FEATURE_WP_UNPOPULATED);
    asynchronous("private", MAP_PRIVATE | MAP_ANONYMOUS, -1);
    asynchronous("shared memory", MAP_SHARED, fd);
    asynchronous("private file", MAP_PRIVATE, fd);
    pages = 2048; /* tables that are not there */
    if (!begin("sparse", FEATURE_WP | FEATURE_WP_UNPOPULATED | FEATURE_WP_ASYNC, MAP_PRIVATE | MAP_ANONYMOUS, -1)) {
        touch(700, 701);
        scan("first", WP_MATCHING, WRITTEN, 0, 16);
        touch(3, 5);
        touch(1500, 1501);
        scan("second", WP_MATCHING, WRITTEN, 0, 16);
        scan("third", WP_MATCHING, WRITTEN, 0, 16);
        end();
    }
    return 0;
}
