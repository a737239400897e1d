/* SPDX-License-Identifier: MIT */
/* fallocate on shared memory: reserved pages count as blocks but are holes, not in core, and zero when first used. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 16
#define PAGE  4096L

static int fd;
static char *map;

static void show(const char *what)
{
    unsigned char vec[PAGES];
    struct stat st;

    fstat(fd, &st);
    printf("%-24s size %ld blocks %ld core ", what, st.st_size / PAGE, st.st_blocks / 8);
    mincore(map, PAGES * PAGE, vec);
    for (int i = 0; i < PAGES; i++)
        putchar('0' + (vec[i] & 1));
    long data = 0;
    while ((data = lseek(fd, data, SEEK_DATA)) >= 0) {
        long hole = lseek(fd, data, SEEK_HOLE);
        printf(" data %ld-%ld", data, hole);
        data = hole;
    }
    printf(" hole at %ld\n", lseek(fd, 0, SEEK_HOLE));
}

static void zeros(const char *what, const char *p, long n)
{
    long i = 0;

    while (i < n && !p[i])
        i++;
    printf("%s: %s\n", what, i == n ? "zeros" : "something else");
}

int main(void)
{
    char buf[PAGE];

    /* pages that once held something are the likely ones to be reserved */
    char *dirt = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(dirt, 'x', 64 * PAGE);
    munmap(dirt, 64 * PAGE);
    fd = memfd_create("reserved", 0);
    map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    show("empty");
    printf("fallocate: %d\n", fallocate(fd, 0, 0, PAGES * PAGE));
    show("reserved");
    zeros("pread", buf, pread(fd, buf, PAGE, 3 * PAGE) == PAGE ? PAGE : 0);
    zeros("mapped", map + 5 * PAGE, PAGE);
    map[7 * PAGE] = 1;
    show("read 5, stored 7");
    printf("write %ld, %ld\n", pwrite(fd, "abc", 3, 9 * PAGE + 100), pwrite(fd, buf, PAGE, 11 * PAGE));
    zeros("before the write", map + 9 * PAGE, 100);
    zeros("behind the write", map + 9 * PAGE + 103, PAGE - 103);
    show("written 9 and 11");
    printf("truncate: %d\n", ftruncate(fd, 12 * PAGE + 10));
    show("truncated in 12");
    printf("truncate: %d\n", ftruncate(fd, PAGES * PAGE));
    zeros("12 again", map + 12 * PAGE, PAGE);
    printf("fallocate keep size: %d\n", fallocate(fd, FALLOC_FL_KEEP_SIZE, 14 * PAGE, 8 * PAGE));
    show("beyond the end");
    printf("punch: %d\n", fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 8 * PAGE));
    show("punched 0-7");
    return 0;
}
