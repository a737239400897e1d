/* SPDX-License-Identifier: MIT */
/*
 * A writer for tests/powercut: log_writer PATH SEED BYTES. Appends to a log from the second page on, by write, through a mapping and past
 * the cache, keeps a counter in the first page, syncs in one of several ways and then prints "synced COUNTER END". The log's block b
 * is the number b * 0x9E3779B97F4A7C15, 512 times.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul

static uint64_t state;
static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static uint8_t *log_bytes; /* of the whole log, ahead */

static void must(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct stat st;
    if (argc < 4)
        return 2;
    unsigned long most = strtoul(argv[3], NULL, 0), end = 0;
    state = strtoul(argv[2], NULL, 0) * 7919 + 1;
    int fd = open(argv[1], O_RDWR | O_CREAT, 0600), ds = open(argv[1], O_RDWR | O_DSYNC);
    must(fd >= 0 && ds >= 0 && !fstat(fd, &st), argv[1]);
    log_bytes = malloc(most);
    for (unsigned long i = 0; i < most / 8; i++)
        ((uint64_t *)log_bytes)[i] = (i / 512) * 0x9E3779B97F4A7C15u;
    if (S_ISREG(st.st_mode))
        must(!ftruncate(fd, (off_t)(PAGE + most)), "ftruncate");
    uint8_t *map = mmap(NULL, PAGE + most, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(map != MAP_FAILED, "mmap");
    for (uint64_t counter = 1; end < most; counter++) {
        for (unsigned k = draw(6); k; k--) {
            unsigned long n = 1 + draw(draw(3) ? 900 : 40000);
            n = n < most - end ? n : most - end;
            if (draw(3))
                must(pwrite(fd, log_bytes + end, n, (off_t)(PAGE + end)) == (ssize_t)n, "pwrite");
            else
                memcpy(map + PAGE + end, log_bytes + end, n);
            end += n;
        }
        switch (draw(4)) {
        case 0:
            must(pwrite(fd, &counter, 8, 0) == 8 && !fsync(fd), "fsync");
            break;
        case 1:
            must(pwrite(ds, &counter, 8, 0) == 8 && !fdatasync(ds), "fdatasync");
            break;
        case 2:
            memcpy(map, &counter, 8);
            must(!msync(map, PAGE + most, MS_SYNC), "msync");
            break;
        default:
            must(pwrite(fd, &counter, 8, 0) == 8 && !fdatasync(fd), "fdatasync");
        }
        char line[64];
        int n = snprintf(line, sizeof(line), "synced %lu %lu\n", (unsigned long)counter, end);
        must(write(1, line, (size_t)n) == n, "write");
    }
    puts("full");
    pause();
    return 0;
}
