/* SPDX-License-Identifier: MIT */
/* Allocation flags as people know them from Linux's logs: "0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP)". */
#include <lib/fmt.h>
#include <mm/gfp.h>

#define RECLAIM_BITS 0xc00u /* of Linux's: reclaim directly, and wake kswapd */
#define KSWAPD_BIT   0x800u
#define USER_BITS    0x100002u /* HARDWALL, HIGHMEM: what GFP_HIGHUSER_MOVABLE has besides */

u32 gfp_linux(gfp_t gfp)
{
    static const struct {
        gfp_t ours;
        u32 theirs;
    } bits[] = {
        {GFP_DMA_ZONE, 0x1},     {GFP_DMA32_ZONE, 0x4}, {GFP_MOVABLE, 0x8},
        {GFP_RECLAIMABLE, 0x10}, {GFP_HIGH, 0x20},      {GFP_IO, 0x40},
        {GFP_FS, 0x80},          {GFP_ZERO, 0x100},     {GFP_RECLAIM, RECLAIM_BITS},
        {GFP_NOWARN, 0x2000},    {GFP_NOFAIL, 0x8000},  {GFP_NORETRY, 0x10000},
        {GFP_MEMALLOC, 0x20000}, {GFP_COMP, 0x40000},   {GFP_THISNODE, 0x200000},
        {GFP_ACCOUNT, 0x400000},
    };
    u32 v = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
        if (gfp & bits[i].ours)
            v |= bits[i].theirs;
    if ((gfp & GFP_HIGHUSER_MOVABLE) == GFP_HIGHUSER_MOVABLE)
        v |= USER_BITS;
    if (gfp & GFP_HIGH)
        v |= KSWAPD_BIT;
    return v;
}

void gfp_text(gfp_t gfp, char *buf, size_t size)
{
    static const struct {
        gfp_t bits;
        const char *name;
    } names[] = {
        {GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE"},
        {GFP_KERNEL, "GFP_KERNEL"},
        {GFP_NOFS, "GFP_NOFS"},
        {GFP_ATOMIC, "GFP_ATOMIC"},
        {GFP_RECLAIM, "__GFP_RECLAIM"},
        {GFP_IO, "__GFP_IO"},
        {GFP_FS, "__GFP_FS"},
        {GFP_DMA_ZONE, "GFP_DMA"},
        {GFP_DMA32_ZONE, "GFP_DMA32"},
        {GFP_MOVABLE, "__GFP_MOVABLE"},
        {GFP_ZERO, "__GFP_ZERO"},
        {GFP_NOWARN, "__GFP_NOWARN"},
        {GFP_NORETRY, "__GFP_NORETRY"},
        {GFP_NOFAIL, "__GFP_NOFAIL"},
        {GFP_ACCOUNT, "__GFP_ACCOUNT"},
        {GFP_COMP, "__GFP_COMP"},
        {GFP_THISNODE, "__GFP_THISNODE"},
        {GFP_MEMALLOC, "__GFP_MEMALLOC"},
        {GFP_RECLAIMABLE, "__GFP_RECLAIMABLE"},
    };
    struct seq s;
    seq_init(&s, buf, size - 1);
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if ((gfp & names[i].bits) != names[i].bits)
            continue;
        gfp &= ~names[i].bits;
        if (s.len)
            seq_putc(&s, '|');
        seq_puts(&s, names[i].name);
    }
    if (!s.len)
        seq_puts(&s, "GFP_NOWAIT");
    buf[s.len] = 0;
}
