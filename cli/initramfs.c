/* SPDX-License-Identifier: MIT */
/*
 * An entry of a newc archive is a header of a magic number and thirteen 8-digit hexadecimal fields,
 * the name with its NUL, padding to 4, the data, padding to 4. The entry "TRAILER!!!" ends the
 * archive.
 */
#include "initramfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util.h"

static void put(struct initramfs *a, const void *data, size_t len)
{
    if (a->len + len > a->room) {
        a->room = (a->len + len) * 2;
        a->data = xrealloc(a->data, a->room);
    }
    if (len)
        memcpy(a->data + a->len, data, len);
    a->len += len;
}

static void pad(struct initramfs *a)
{
    put(a, "\0\0\0", -a->len & 3);
}

static void entry(struct initramfs *a, const char *path, mode_t mode, unsigned major,
                  unsigned minor, const void *data, size_t len)
{
    char header[6 + 13 * 8 + 1];
    size_t name_len = strlen(path) + 1;

    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             a->next_ino++, (unsigned)mode, 0, 0, 1, 0, (unsigned)len, 0, 0, major, minor,
             (unsigned)name_len, 0);
    put(a, header, sizeof(header) - 1);
    put(a, path, name_len);
    pad(a);
    put(a, data, len);
    pad(a);
}

void initramfs_begin(struct initramfs *a)
{
    *a = (struct initramfs){.next_ino = 1};
}

void initramfs_dir(struct initramfs *a, const char *path, mode_t mode)
{
    entry(a, path, S_IFDIR | mode, 0, 0, NULL, 0);
}

void initramfs_node(struct initramfs *a, const char *path, mode_t mode, unsigned major,
                    unsigned minor)
{
    entry(a, path, mode, major, minor, NULL, 0);
}

void initramfs_link(struct initramfs *a, const char *path, const char *target)
{
    entry(a, path, S_IFLNK | 0777, 0, 0, target, strlen(target));
}

void initramfs_data(struct initramfs *a, const char *path, mode_t mode, const void *data,
                    size_t len)
{
    entry(a, path, S_IFREG | mode, 0, 0, data, len);
}

int initramfs_file(struct initramfs *a, const char *path, mode_t mode, const char *host_path)
{
    size_t len;
    char *data = file_read(host_path, &len);

    if (!data)
        return -errno;
    initramfs_data(a, path, mode, data, len);
    free(data);
    return 0;
}

int initramfs_finish(struct initramfs *a, const char *host_path)
{
    int err;

    entry(a, "TRAILER!!!", 0, 0, 0, NULL, 0);
    put(a, "\0\0\0", -a->len & 3);
    err = file_write(host_path, a->data, a->len);
    free(a->data);
    a->data = NULL;
    return err;
}
