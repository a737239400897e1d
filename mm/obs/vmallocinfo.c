/* SPDX-License-Identifier: MIT */
/*
 * /proc/vmallocinfo. Addresses are shown hashed, as Linux does unless told otherwise: equal ones
 * stay equal.
 */
#include <mm/obs.h>
#include <mm/slab.h>
#include <lib/hash.h>
#include <port/random.h>

static u64 secret;

static u64 hashed(u64 va)
{
    return mix64(va ^ secret) & U32_MAX;
}

static void put_area(void *ctx, const struct vmalloc_info *a)
{
    struct seq *s = ctx;
    seq_printf(s, "0x%016lx-0x%016lx %7lu ", hashed(a->start), hashed(a->end), a->end - a->start);
    if (a->unpurged) {
        seq_puts(s, "unpurged vm_area\n");
        return;
    }
    seq_printf(s, "pages=%lu vmalloc", a->pages);
    for (unsigned n = 0; n < MAX_NODES; n++)
        if (a->node_pages[n])
            seq_printf(s, " N%u=%u", n, a->node_pages[n]);
    seq_putc(s, '\n');
}

void proc_text_vmallocinfo(struct seq *s)
{
    if (!secret)
        secret = random_u64() | 1;
    vmalloc_for_each(put_area, s);
}
