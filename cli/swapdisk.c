/* SPDX-License-Identifier: MIT */
/* See swapdisk.h. One page is the header, the others are slots. */
#include "swapdisk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "util.h"

#define PAGE 4096u

uint64_t swap_size(const char *text)
{
    static const char units[] = "kmgt";
    char *end;
    uint64_t n = strtoul(text, &end, 10);
    const char *unit = *end ? strchr(units, *end | 0x20) : units + 1;

    if (end == text || !unit || (*end && end[1]) || n > UINT32_MAX)
        die(EXIT_USAGE, "--swap %s: a size such as 512M or 1G", text);
    n <<= 10 * (unsigned)(unit - units + 1);
    if (n < 65536 || n / PAGE > UINT32_MAX - 1)
        die(EXIT_USAGE, "--swap %s: from 64K to 16T", text);
    return n;
}

int swap_disk_make(const char *path, uint64_t bytes)
{
    struct {
        char boot[1024];
        uint32_t version, last_page, bad_pages;
        char rest[PAGE - 1036 - 10], magic[10];
    } h = {.version = 1, .last_page = (uint32_t)(bytes / PAGE)};
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    _Static_assert(sizeof(h) == PAGE, "the header is one page");
    memcpy(h.magic, "SWAPSPACE2", 10);
    if (fd < 0)
        return -errno;
    int err = ftruncate(fd, (off_t)((bytes / PAGE + 1) * PAGE)) < 0 || pwrite(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ? -errno : 0;
    close(fd);
    return err;
}
