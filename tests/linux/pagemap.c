/* SPDX-License-Identifier: MIT */
/* What /proc/self/pagemap, clear_refs, PAGEMAP_SCAN and Referenced say of pages in every state; the same under two kernels. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul

struct page_region {
    uint64_t start, end, categories;
};
struct pm_scan_arg {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)

static int map_fd;
static const char *const names[64] = {
    [55] = "soft-dirty", [56] = "exclusive", [57] = "uffd-wp", [61] = "file", [62] = "swap", [63] = "present"};

static void show(const char *what, const char *p, unsigned pages)
{
    uint64_t words[64];
    printf("%s:", what);
    if (pread(map_fd, words, pages * 8, (off_t)((uintptr_t)p / PAGE * 8)) != (ssize_t)(pages * 8)) {
        printf(" %s\n", strerror(errno));
        return;
    }
    for (unsigned i = 0; i < pages; i++) {
        printf(" [");
        for (unsigned b = 55; b < 64; b++)
            if (words[i] >> b & 1)
                printf(" %s", names[b] ? names[b] : "?");
        printf("%s ]", words[i] & ((1ul << 55) - 1) ? " pfn" : "");
    }
    printf("\n");
}

static int clear_refs(const char *what)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    int n = (int)write(fd, what, strlen(what));
    int err = n < 0 ? errno : 0;
    close(fd);
    return err ? -err : n;
}

static void wait_child(pid_t pid)
{
    int status;
    fflush(stdout);
    waitpid(pid, &status, 0);
    printf("child: %x\n", status);
}

/* "key: value" of the area at p in smaps. */
static void smaps(const char *what, const char *p, const char *key)
{
    char line[512];
    unsigned long start, end;
    bool here = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
            here = (unsigned long)p >= start && (unsigned long)p < end;
        else if (here && !strncmp(line, key, strlen(key)))
            printf("%s: %s", what, line);
    }
    if (f)
        fclose(f);
}

static void touch(char *p, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        *(volatile char *)(p + i * PAGE) = 1;
}

/* clear_refs does not flush: a CPU may go on with a translation and not set the bit again. */
static void flush_tlb(char *p, unsigned pages)
{
    mprotect(p, pages * PAGE, PROT_NONE);
    mprotect(p, pages * PAGE, PROT_READ | PROT_WRITE);
}

static char *map(unsigned pages, int flags, int fd)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void states(int fd)
{
    char *p = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    show("untouched", p, 2);
    (void)*(volatile char *)p;
    touch(p, 1, 3);
    show("zero page, written", p, 4);
    mprotect(p + PAGE, PAGE, PROT_NONE);
    show("no access", p, 3);
    mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        show("child of fork", p, 4);
        touch(p, 1, 2);
        show("child wrote", p, 4);
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
    show("after the child's end", p, 4);
    char *q = map(4, MAP_SHARED, fd), *r = map(4, MAP_PRIVATE, fd);
    touch(q, 0, 1);
    (void)*(volatile char *)(q + PAGE);
    show("file, shared", q, 2);
    touch(r, 1, 2);
    show("file, private", r + PAGE, 1);
    (void)*(volatile char *)r;
    show("file, private, read", r, 1);
    munmap(q, 4 * PAGE);
    munmap(r, 4 * PAGE);
    q = map(4, MAP_SHARED | MAP_ANONYMOUS, -1);
    touch(q, 0, 1);
    show("shared anonymous", q, 1);
    munmap(q, 4 * PAGE);
    munmap(p, 8 * PAGE);
    show("unmapped", p, 2);
}

static void soft_dirty(int fd)
{
    char *p = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1), *q = map(4, MAP_SHARED, fd);
    touch(p, 0, 4);
    touch(q, 0, 2);
    smaps("before", p, "VmFlags");
    printf("clear_refs 4: %d\n", clear_refs("4\n"));
    smaps("cleared", p, "VmFlags");
    smaps("cleared, shared", q, "VmFlags");
    show("cleared", p, 6);
    show("cleared, shared", q, 3);
    touch(p, 1, 2);
    (void)*(volatile char *)p;
    (void)*(volatile char *)(p + 4 * PAGE);
    touch(p, 5, 6);
    touch(q, 1, 3);
    show("written again", p, 6);
    show("written again, shared", q, 3);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        show("child", p, 6);
        touch(p, 2, 3);
        show("child wrote", p, 6);
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
    show("parent", p, 6);
    clear_refs("4");
    mprotect(p, 8 * PAGE, PROT_READ);
    mprotect(p, 8 * PAGE, PROT_READ | PROT_WRITE);
    show("mprotect there and back", p, 6);
    touch(p, 0, 1);
    show("one write later", p, 6);
    char *room = map(16, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    clear_refs("4");
    char *m = mremap(p, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 4 * PAGE);
    show("moved", m, 8);
    munmap(room, 16 * PAGE);

    p = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    munmap(p + 4 * PAGE, 4 * PAGE);
    clear_refs("4");
    mmap(p + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    smaps("grown", p, "VmFlags");
    show("grown", p, 8);
    munmap(p, 8 * PAGE);
    char *b = sbrk(4 * PAGE);
    b = (char *)(((uintptr_t)b + PAGE - 1) & ~(PAGE - 1));
    touch(b, 0, 2);
    clear_refs("4");
    show("heap", b, 2);
    sbrk(PAGE);
    show("heap grown", b, 2);
    munmap(q, 4 * PAGE);
}

static void referenced(int fd)
{
    char *p = map(8, MAP_PRIVATE | MAP_ANONYMOUS, -1), *q = map(4, MAP_SHARED, fd);
    touch(p, 0, 4);
    touch(q, 0, 2);
    smaps("touched", p, "Referenced");
    static const char *const what[] = {"2", "3", "1"};
    for (unsigned i = 0; i < 3; i++) {
        printf("clear_refs %s: %d\n", what[i], clear_refs(what[i]));
        smaps("anonymous", p, "Referenced");
        smaps("file", q, "Referenced");
        flush_tlb(p, 8);
        flush_tlb(q, 4);
        touch(p, 0, 3);
        touch(q, 0, 1);
        smaps("anonymous, touched", p, "Referenced");
        smaps("file, touched", q, "Referenced");
    }
    munmap(p, 8 * PAGE);
    munmap(q, 4 * PAGE);
    static const char *const odd[] = {"0", "6", "", "x", " 1 ", "1x", "+1", "-1", "01", "1 2", "5", "0x1"};
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        printf("clear_refs '%s': %d\n", odd[i], clear_refs(odd[i]));
}

static long scan(const char *what, struct pm_scan_arg a, char *base, unsigned room)
{
    struct page_region r[16];
    memset(r, 0, sizeof(r));
    a.size = sizeof(a);
    a.vec = room ? (uintptr_t)r : 0;
    a.vec_len = room;
    long n = ioctl(map_fd, PAGEMAP_SCAN, &a);
    if (n < 0) {
        printf("%s: %s\n", what, strerror(errno));
        return n;
    }
    printf("%s: %ld, end %ld:", what, n, (long)(a.walk_end - (uintptr_t)base) / (long)PAGE);
    for (long i = 0; i < n && i < 16; i++)
        printf(" %ld-%ld=%lx", (long)(r[i].start - (uintptr_t)base) / (long)PAGE,
               (long)(r[i].end - (uintptr_t)base) / (long)PAGE, (unsigned long)r[i].categories);
    printf("\n");
    return n;
}

static void scans(int fd)
{
    char *p = map(32, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    mmap(p + 16 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    munmap(p + 24 * PAGE, 2 * PAGE);
    touch(p, 0, 3);
    (void)*(volatile char *)(p + 4 * PAGE);
    touch(p, 6, 8);
    touch(p, 16, 18);
    touch(p, 28, 30);
    uintptr_t s = (uintptr_t)p, e = s + 32 * PAGE;
    struct pm_scan_arg a = {.start = s, .end = e, .return_mask = 0xff};
    scan("all", a, p, 16);
    for (unsigned bit = 0; bit < 8; bit++) {
        struct pm_scan_arg b = a;
        char name[32];
        b.category_mask = 1u << bit;
        snprintf(name, sizeof(name), "mask %x", 1u << bit);
        scan(name, b, p, 16);
        b.category_inverted = 1u << bit;
        snprintf(name, sizeof(name), "not %x", 1u << bit);
        scan(name, b, p, 16);
    }
    a.category_anyof_mask = 4 | 32;
    scan("file or zero", a, p, 16);
    a.category_mask = 8;
    a.category_inverted = 4;
    scan("present, no file", a, p, 16);
    a = (struct pm_scan_arg){.start = s, .end = e, .category_mask = 8, .return_mask = 8};
    for (unsigned n = 1; n <= 9; n += 2) {
        a.max_pages = n;
        scan("max_pages", a, p, 16);
    }
    a.max_pages = 0;
    for (unsigned room = 0; room < 5; room++)
        scan("room", a, p, room);
    a.max_pages = 2;
    scan("max_pages without room", a, p, 0);
    a.max_pages = 0;
    a.return_mask = 0;
    scan("nothing returned", a, p, 16);
    a.return_mask = 0xff;
    a.category_mask = 0;
    clear_refs("4");
    touch(p, 1, 2);
    a.category_mask = 128;
    scan("soft-dirty", a, p, 16);
    a.category_mask = 2;
    a.return_mask = 2;
    scan("written", a, p, 16);
    a.return_mask = 0x1000;
    scan("unknown category", a, p, 16);
    a.return_mask = 0;
    a.flags = 4;
    scan("unknown flag", a, p, 16);
    a.flags = 2;
    scan("CHECK_WPASYNC", a, p, 16);
    a.flags = 1;
    scan("WP_MATCHING", a, p, 16);
    a.flags = 0;
    a.start = s + 1;
    scan("start", a, p, 16);
    a.start = e;
    a.end = s;
    scan("end before start", a, p, 16);
    a.start = s;
    a.end = s + 1;
    a.category_mask = 8;
    scan("end within a page", a, p, 16);
    a.end = s;
    scan("empty", a, p, 16);
    struct pm_scan_arg bad = {.size = 8, .start = s, .end = e};
    printf("size: %d %d\n", ioctl(map_fd, PAGEMAP_SCAN, &bad), errno);
    bad = (struct pm_scan_arg){.size = sizeof(bad), .start = s, .end = e, .vec_len = 4};
    printf("no vec: %d %d\n", ioctl(map_fd, PAGEMAP_SCAN, &bad), errno);
    bad.vec = 8;
    bad.return_mask = bad.category_mask = 8;
    printf("bad vec: %d %d\n", ioctl(map_fd, PAGEMAP_SCAN, &bad), errno);
    printf("bad arg: %d %d\n", ioctl(map_fd, PAGEMAP_SCAN, 8), errno);
    printf("other ioctl: %d %d\n", ioctl(map_fd, 0x5401, &bad), errno);
    munmap(p, 32 * PAGE);
}

static void reads(void)
{
    char buf[64];
    uint64_t w[4];
    printf("odd length: %zd %d\n", pread(map_fd, buf, 12, 0), errno);
    printf("odd offset: %zd %d\n", pread(map_fd, buf, 8, 4), errno);
    printf("nothing: %zd\n", pread(map_fd, buf, 0, 8));
    printf("beyond: %zd\n", pread(map_fd, buf, 64, (off_t)(1ul << 57 >> 12 << 3)));
    printf("last: %zd\n", pread(map_fd, buf, 64, (off_t)(((1ul << 47) - 2 * PAGE) / PAGE * 8)));
    printf("seek end: %ld %d\n", (long)lseek(map_fd, 0, SEEK_END), errno);
    printf("seek: %ld %ld\n", (long)lseek(map_fd, 800, SEEK_SET), (long)lseek(map_fd, 8, SEEK_CUR));
    printf("write: %zd %d\n", write(map_fd, buf, 8), errno);
    int fd = open("/proc/kpageflags", O_RDONLY), count = open("/proc/kpagecount", O_RDONLY), cg = open("/proc/kpagecgroup", O_RDONLY);
    printf("odd: %zd %zd %zd\n", pread(fd, buf, 4, 0), pread(count, buf, 8, 4), pread(cg, buf, 0, 0));
    printf("far: %zd %zd\n", pread(fd, buf, 8, 1l << 50), pread(count, buf, 8, 1l << 50));
    char *p = map(2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    touch(p, 0, 1);
    (void)*(volatile char *)(p + PAGE);
    pread(map_fd, w, 16, (off_t)((uintptr_t)p / PAGE * 8));
    for (int i = 0; i < 2; i++) {
        uint64_t pfn = w[i] & ((1ul << 55) - 1), flags = 0, n = 0;
        pread(fd, &flags, 8, (off_t)(pfn * 8));
        pread(count, &n, 8, (off_t)(pfn * 8));
        /* without LRU, referenced and active, which reclaim decides when it likes, and KSM, which 6.12 sets for all */
        printf("page %d: flags %lx count %lu\n", i, (unsigned long)(flags & 0x305dff090ul), i ? 0 : (unsigned long)n);
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        uint64_t n = 0;
        pread(count, &n, 8, (off_t)((w[0] & ((1ul << 55) - 1)) * 8));
        printf("forked: count %lu\n", (unsigned long)n);
        fflush(stdout);
        _exit(0);
    }
    wait_child(pid);
    setresuid(1000, 1000, 1000);
    prctl(PR_SET_DUMPABLE, 1);
    int mine = open("/proc/self/pagemap", O_RDONLY);
    printf("unprivileged: %d\n", mine >= 0);
    pread(mine, w, 8, (off_t)((uintptr_t)p / PAGE * 8));
    printf("pfn hidden: %d, present %d\n", !(w[0] & ((1ul << 55) - 1)), (int)(w[0] >> 63));
    printf("others': %d", open("/proc/1/pagemap", O_RDONLY));
    printf(" %d\n", errno);
    munmap(p, 2 * PAGE);
}

int main(void)
{
    int fd = open("/dev/shm/pagemap.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    map_fd = open("/proc/self/pagemap", O_RDONLY);
    if (map_fd < 0 || fd < 0 || ftruncate(fd, 4 * PAGE))
        return 1;
    unlink("/dev/shm/pagemap.data");
    states(fd);
    soft_dirty(fd);
    referenced(fd);
    scans(fd);
    reads();
    return 0;
}
