/* SPDX-License-Identifier: MIT */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H
#include <lib/types.h>

/* CRC-32 of gzip (polynomial 0xedb88320). Start with crc = 0; feed the result back to go on. */
u32 crc32_update(u32 crc, const void *data, size_t n);
#endif
