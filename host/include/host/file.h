/* SPDX-License-Identifier: MIT */
/*
 * Files of the hosted machine: a page cache (mm/cache.h) over a device that is an array of bytes outside the machine's
 * memory. Reading and writing the device sleeps, and fails where FAIL_IO says so. Areas count the file through vma_ops.
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H
#include <mm/readahead.h>
#include <mm/sys.h>

struct host_file {
    struct address_space mapping;
    struct file_ra_state ra; /* of all areas over it */
    s32 refs; /* the creator's and one for each area */
    u8 *disk;
    u64 disk_size;
    u64 reads, writes; /* pages moved */
    u64 requests;      /* that read */
    bool delayed;      /* begin_read is offered: its pages come when host_file_deliver() is called */
    struct page *awaited[WRITE_PAGES_MAX * 16];
    unsigned nr_awaited;
    u64 page_ns;       /* virtual time that the device takes for a page it writes; 0: none to speak of */
    bool shmem;        /* no device: pages begin as zeros and stay */
};

/* size bytes, all zero on the device. Never fails. */
struct host_file *host_file_new(u64 size, bool shmem);
/* The creator's reference. The last one drops every page and the file. */
void host_file_put(struct host_file *f);
/* ftruncate(): cache and device; the device keeps its size and reads as zeros beyond. The caller serialises. 0 or -errno. */
int host_file_truncate(struct host_file *f, u64 size);
/* With f->delayed: what was begun is read, well or not. */
void host_file_deliver(struct host_file *f, bool good);
/* Frees what the home keeps of a file whose machine was thrown away. */
void host_file_forget(struct host_file *f);
/* What a program passes to mmap() after open(O_RDWR). */
struct map_file host_map_file(struct host_file *f);
#endif
