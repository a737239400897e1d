/* SPDX-License-Identifier: MIT */
/* Partition tables of disks: kernel/block/partition.c. Pure; hosted test: tests/kernel/block/test_partition.c. */
#ifndef KERNEL_PARTITION_H
#define KERNEL_PARTITION_H
#include <lib/types.h>

#define SECTOR_SIZE 512u

struct partition {
    u32 number;
    u64 start, sectors;
};
/* Reads n sectors of 512 bytes at sector into buf. 0 or -errno. */
typedef int partition_read_fn(void *ctx, u64 sector, void *buf, u32 n);
/*
 * GPT (with both headers' check sums) or MBR with its extended partitions, as far as they lie within the disk. Returns how many were found,
 * at most max; 0 when there is no table. scratch: 4096 bytes. Pure but for read.
 */
u32 partition_scan(partition_read_fn *read, void *ctx, u64 disk_sectors, u32 block_size, void *scratch, struct partition *out, u32 max);
#endif
