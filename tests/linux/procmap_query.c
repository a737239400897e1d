/* SPDX-License-Identifier: MIT */
/* PROCMAP_QUERY: areas as numbers, filters, names, build ids, and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define AT   0x200000000UL

struct query {
    uint64_t size, flags, addr, start, end, rights, page_size, offset, inode;
    uint32_t major, minor, name_size, build_id_size;
    uint64_t name_addr, build_id_addr;
};
#define QUERY _IOWR('f', 17, struct query)

static int maps;
static char name[4096];
static unsigned char id[64];

static int ask(struct query *q, uint64_t addr, uint64_t flags)
{
    *q = (struct query){.size = sizeof(*q), .flags = flags, .addr = addr};
    q->name_addr = (uintptr_t)name;
    q->name_size = sizeof(name);
    memset(name, '~', 16);
    return ioctl(maps, QUERY, q) ? errno : 0;
}

static void show(const char *what, uint64_t addr, uint64_t flags)
{
    struct query q;
    int err = ask(&q, addr, flags);

    if (err) {
        printf("%s: %s\n", what, strerror(err));
        return;
    }
    printf("%s: %lx-%lx rights %lx page %lx offset %lx file %s name %u \"%.*s\"\n", what, (long)q.start, (long)q.end,
           (long)q.rights, (long)q.page_size, (long)q.offset, q.inode ? "yes" : "no", q.name_size,
           q.name_size ? 64 : 0, name);
}

static void map(int page, int pages, int prot, int type, int fd, int from)
{
    if (mmap((void *)(AT + page * PAGE), pages * PAGE, prot, type | MAP_FIXED, fd, from * PAGE) == MAP_FAILED)
        perror("mmap");
}

static void filters(void)
{
    show("exactly", AT, 0);
    show("inside", AT + PAGE + 5, 0);
    show("a hole", AT + 2 * PAGE, 0);
    show("the next", AT + 2 * PAGE, 16);
    show("writable", AT, 2);
    show("read only asks for write", AT + 4 * PAGE, 2);
    show("the next writable", AT + 4 * PAGE, 2 | 16);
    show("executable", AT, 4 | 16);
    show("shared", AT, 8 | 16);
    show("of a file", AT, 32 | 16);
    show("of a file, here", AT, 32);
    show("none", AT + 12 * PAGE, 1 | 2 | 4 | 8);
    show("file from 2 on", AT + 8 * PAGE, 0);
    show("shared memory", AT + 10 * PAGE, 0);
    show("behind all", ~0UL, 16);
    show("unknown flag", AT, 64);
}

static void refusals(void)
{
    struct {
        struct query q;
        uint64_t more;
    } big = {.q = {.addr = AT}};
    struct query q = {.addr = AT};
    static const uint64_t sizes[] = {0, 8, 16, 23, 24, 32, 40, 103, 104};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        q = (struct query){.size = sizes[i], .addr = AT};
        printf("size %d: %s", (int)sizes[i], ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
        printf(" %lx %lx %lx\n", (long)q.start, (long)q.end, (long)q.page_size);
    }
    big.q.size = 112;
    printf("larger: %s\n", ioctl(maps, QUERY, &big) ? strerror(errno) : "ok");
    big.q.size = 112;
    big.more = 1;
    printf("larger, not zero: %s\n", ioctl(maps, QUERY, &big) ? strerror(errno) : "ok");
    q = (struct query){.size = 5000, .addr = AT};
    printf("too large: %s\n", ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
    printf("bad pointer: %s\n", ioctl(maps, QUERY, 16) ? strerror(errno) : "ok");
    q = (struct query){.size = sizeof(q), .addr = AT + 8 * PAGE, .name_size = 10};
    printf("size without address: %s\n", ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
    q = (struct query){.size = sizeof(q), .addr = AT + 8 * PAGE, .name_addr = (uintptr_t)name};
    printf("address without size: %s\n", ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
    q = (struct query){.size = sizeof(q), .addr = AT + 8 * PAGE, .name_addr = (uintptr_t)name, .name_size = 3};
    printf("short: %s\n", ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
    q = (struct query){.size = sizeof(q), .addr = AT + 8 * PAGE, .name_addr = 16, .name_size = 100};
    printf("bad name: %s\n", ioctl(maps, QUERY, &q) ? strerror(errno) : "ok");
    printf("another ioctl: %s\n", ioctl(maps, _IO('f', 99)) ? strerror(errno) : "ok");
}

static void build_id(const char *what, uint64_t addr, uint32_t room)
{
    struct query q = {.size = sizeof(q), .addr = addr, .build_id_addr = (uintptr_t)id, .build_id_size = room};

    memset(id, 0, sizeof(id));
    if (ioctl(maps, QUERY, &q)) {
        printf("build id of %s: %s\n", what, strerror(errno));
        return;
    }
    printf("build id of %s: %u ", what, q.build_id_size);
    for (unsigned i = 0; i < q.build_id_size; i++)
        printf("%02x", id[i]);
    puts("");
}

int main(void)
{
    int file = memfd_create("f", 0), sh = open("/bin/sh", O_RDONLY);

    if (ftruncate(file, 16 * PAGE))
        return 1;
    maps = open("/proc/self/maps", O_RDONLY);
    map(0, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map(4, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map(6, 1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map(8, 1, PROT_READ, MAP_PRIVATE, file, 2);
    map(10, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    map(12, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    map(14, 1, PROT_READ, MAP_PRIVATE, sh, 0);
    filters();
    refusals();
    build_id("a program", AT + 14 * PAGE, sizeof(id));
    build_id("a program, little room", AT + 14 * PAGE, 10);
    build_id("no program", AT + 8 * PAGE, sizeof(id));
    build_id("no file", AT, sizeof(id));
    return 0;
}
