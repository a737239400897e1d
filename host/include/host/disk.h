/* SPDX-License-Identifier: MIT */
/*
 * A block device that is as bad as the law allows, and the cached file over it. Until a flush each sector that was written is in
 * doubt: after the power fails it holds any one of the versions since the last flush, or what was stable before, sector by sector, so
 * that writes are lost, torn and reordered. It may also fail requests, take its time, refuse to take more, or vanish.
 */
#ifndef HOST_DISK_H
#define HOST_DISK_H
#include <lib/rand.h>
#include <mm/readahead.h>

#define DISK_SECTOR 512u

struct disk_version;
struct host_disk {
    struct address_space mapping; /* the cached file; host_disk_open() */
    u64 size;
    u8 *stable, *current;         /* after the last flush; as it reads now */
    struct disk_version *doubt;   /* what was written since, oldest first */
    u64 nr_doubt, cap_doubt;
    u64 requests;
    u64 cut_at;                   /* the power fails in this request, part of the way; 0: never */
    u64 fail_at, fail_every;      /* -EIO once in this request; in each so-manyth; 0: never */
    u64 room;                     /* sectors that may still be written before -ENOSPC; U64_MAX: any */
    u64 request_ns;               /* virtual time of a request */
    bool lies;                    /* flushes do nothing */
    bool off;                     /* no power, or vanished: -EIO to everything */
    struct rand rand;
};

/* size bytes, zeros; seed decides what a cut leaves. Never fails. */
struct host_disk *host_disk_new(u64 size, u64 seed);
void host_disk_free(struct host_disk *d);
/* The cached file begins; ends, whatever is dirty in it being lost. */
void host_disk_open(struct host_disk *d);
void host_disk_close(struct host_disk *d);
/* fsync(): written back, and flushed. 0 or -errno. */
int host_disk_fsync(struct host_disk *d);
int host_disk_flush(struct host_disk *d);
/* After the power failed (or now): decides what is left, and switches it on again. The file must be closed. */
void host_disk_restart(struct host_disk *d);
#endif
