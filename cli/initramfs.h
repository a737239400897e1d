/* SPDX-License-Identifier: MIT */
/* Writes a newc cpio archive, the form of initramfs every kernel reads. */
#ifndef CLI_INITRAMFS_H
#define CLI_INITRAMFS_H

#include <stddef.h>
#include <sys/types.h>

struct initramfs {
    char *data;
    size_t len, room;
    unsigned next_ino;
};

void initramfs_begin(struct initramfs *a);
void initramfs_dir(struct initramfs *a, const char *path, mode_t mode);
void initramfs_node(struct initramfs *a, const char *path, mode_t mode, unsigned major,
                    unsigned minor);
void initramfs_link(struct initramfs *a, const char *path, const char *target);
void initramfs_data(struct initramfs *a, const char *path, mode_t mode, const void *data,
                    size_t len);
/* Copies a file of the host; 0/-errno. */
int initramfs_file(struct initramfs *a, const char *path, mode_t mode, const char *host_path);
/* Ends the archive and writes it to `host_path`; 0/-errno. The archive is freed either way. */
int initramfs_finish(struct initramfs *a, const char *host_path);

#endif
