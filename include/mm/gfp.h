/* SPDX-License-Identifier: MIT */
/* Allocation flags, with Linux's names. */
#ifndef MM_GFP_H
#define MM_GFP_H
#include <lib/types.h>
typedef u32 gfp_t;
#define GFP_DMA_ZONE   0x01u
#define GFP_DMA32_ZONE 0x02u
#define GFP_MOVABLE    0x04u
#define GFP_RECLAIM    0x08u /* may sleep and reclaim */
#define GFP_IO         0x10u
#define GFP_FS         0x20u
#define GFP_HIGH       0x40u /* may use the reserve below the min watermark */
#define GFP_ZERO       0x80u
#define GFP_NOWARN     0x100u
#define GFP_NORETRY    0x200u
#define GFP_NOFAIL     0x400u
#define GFP_ACCOUNT    0x800u
#define GFP_COMP       0x1000u /* set up as a compound page */
#define GFP_THISNODE   0x2000u
#define GFP_MEMALLOC   0x4000u /* may use all of the reserve: reclaim itself, OOM victims */
#define GFP_OOM_VICTIM 0x10000u /* may use half of what GFP_HIGH leaves: set from THREAD_OOM_VICTIM */
#define GFP_RECLAIMABLE 0x8000u /* kept near other reclaimable kernel memory (slab caches that can shrink) */

/* The bits that say which zone and which kind of page block: an index below 8. */
#define GFP_ZONE_BITS (GFP_DMA_ZONE | GFP_DMA32_ZONE | GFP_MOVABLE)

/* Of the running thread (sched_mem_flags() in port/sched.h): what holds for all its allocations. */
#define THREAD_MEMALLOC 1u /* it frees memory: may use all of the reserve, never reclaims */
#define THREAD_KSWAPD   2u
#define THREAD_NOIO     4u /* as if without GFP_IO and GFP_FS */
#define THREAD_NOFS     8u /* as if without GFP_FS */
#define THREAD_OOM_VICTIM 16u /* being killed to free memory: may use half of the reserve */

#define GFP_ATOMIC  GFP_HIGH
#define GFP_NOWAIT  0u
#define GFP_NOFS    (GFP_RECLAIM | GFP_IO)
#define GFP_KERNEL  (GFP_RECLAIM | GFP_IO | GFP_FS)
#define GFP_USER    GFP_KERNEL
#define GFP_HIGHUSER_MOVABLE (GFP_USER | GFP_MOVABLE)

/* The flags as words, NUL-terminated; as the number that Linux gives them. */
void gfp_text(gfp_t gfp, char *buf, size_t size);
u32 gfp_linux(gfp_t gfp);
#endif
