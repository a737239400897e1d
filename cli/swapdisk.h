/* SPDX-License-Identifier: MIT */
/* A raw image with the header that mkswap writes, for `pagoda run --swap`. */
#ifndef CLI_SWAPDISK_H
#define CLI_SWAPDISK_H
#include <stdint.h>

/* "512M": bytes; K, M, G or T, MiB without one. Ends the program when it is no size, or less than 64 KiB. */
uint64_t swap_size(const char *text);
/* Makes a sparse file with room for `bytes` of swap. 0 or -errno. */
int swap_disk_make(const char *path, uint64_t bytes);
#endif
