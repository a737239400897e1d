/* SPDX-License-Identifier: MIT */
/* Frames and objects that move between CPUs, all schedules (tests/common/pairs.h). */
#include "../common/pairs.h"
#include <mm/phys.h>
#include <mm/slab.h>

#define NR 3

static struct slab_cache *cache;
static void *obj[EXPLORE_MAX_THREADS][NR];
static struct page *page[EXPLORE_MAX_THREADS][NR];

static void clear(void)
{
    memset(obj, 0, sizeof(obj));
    memset(page, 0, sizeof(page));
}

static u32 me(void)
{
    return cpu_id() - 1;
}

/* ---- objects ---- */

static void a_cache(void)
{
    clear();
    cache = slab_cache_create("pairs", 1800, 0, 0);
    must(cache, "no cache");
}
static void a_cache_in_use(void)
{
    a_cache();
    for (u32 i = 0; i < NR; i++)
        obj[0][i] = slab_alloc(cache, GFP_KERNEL);
}
static void take_objects(void)
{
    for (u32 i = 0; i < NR; i++) {
        void *o = slab_alloc(cache, GFP_KERNEL);
        must(o, "no object");
        *(u64 *)o = (u64)o;
        obj[me()][i] = o;
    }
}
static void free_objects(void)
{
    for (u32 i = 0; i < NR; i++) {
        slab_free(cache, obj[0][i]);
        obj[0][i] = NULL;
    }
}
static void shrink(void)
{
    slab_shrink(cache);
}
static void no_object_twice(void)
{
    for (u32 i = 0; i < EXPLORE_MAX_THREADS * NR; i++) {
        void *o = obj[i / NR][i % NR];
        if (!o)
            continue;
        for (u32 k = 0; k < i; k++)
            must(obj[k / NR][k % NR] != o, "one object for two");
    }
    for (u32 i = 0; i < EXPLORE_MAX_THREADS * NR; i++)
        if (obj[i / NR][i % NR])
            slab_free(cache, obj[i / NR][i % NR]);
    must(slab_cache_destroy(cache) == 0, "objects are left");
}

/* ---- frames ---- */

static void frames_in_use(void)
{
    clear();
    for (u32 i = 0; i < NR; i++)
        page[0][i] = alloc_page(GFP_KERNEL);
}
static void take_frames(void)
{
    for (u32 i = 0; i < NR; i++) {
        page[me()][i] = alloc_page(GFP_KERNEL | GFP_ZERO);
        must(page[me()][i], "no frame");
        *(u64 *)page_to_virt(page[me()][i]) = me();
    }
}
static void take_movable(void)
{
    for (u32 i = 0; i < NR; i++)
        page[me()][i] = alloc_page(GFP_HIGHUSER_MOVABLE);
}
static void take_block(void)
{
    struct page *p = alloc_pages(GFP_KERNEL, 3);
    if (p)
        free_pages(p, 3);
}
static void free_frames(void)
{
    for (u32 i = 0; i < NR; i++) {
        page_put(page[0][i]);
        page[0][i] = NULL;
    }
}
static void drain(void)
{
    pcp_drain_all();
}
static void no_frame_twice(void)
{
    for (u32 i = 0; i < EXPLORE_MAX_THREADS * NR; i++) {
        struct page *p = page[i / NR][i % NR];
        for (u32 k = 0; p && k < i; k++)
            must(page[k / NR][k % NR] != p, "one frame for two");
    }
    for (u32 i = 0; i < EXPLORE_MAX_THREADS * NR; i++)
        if (page[i / NR][i % NR])
            page_put(page[i / NR][i % NR]);
}

/* ---- address space of the kernel ---- */

static void map_kernel(void)
{
    char *p = vmalloc(2 * PAGE_SIZE);
    must(p, "vmalloc");
    p[0] = 1;
    p[PAGE_SIZE] = 2;
    must(p[0] == 1 && p[PAGE_SIZE] == 2, "vmalloc memory");
    vfree(p);
}
static void map_kernel_too(void)
{
    map_kernel();
}
static void purge(void)
{
    vmalloc_purge();
}

static const struct pair pairs[] = {
    {"slab alloc/alloc", a_cache, {KERNEL(take_objects), KERNEL(take_objects)}, no_object_twice, 0},
    {"slab alloc/free from another CPU", a_cache_in_use, {KERNEL(free_objects), KERNEL(take_objects)}, no_object_twice, 0},
    {"slab alloc/shrink", a_cache, {KERNEL(take_objects), KERNEL(shrink)}, no_object_twice, 0},
    {"slab free/shrink", a_cache_in_use, {KERNEL(free_objects), KERNEL(shrink)}, no_object_twice, 0},
    {"pcp alloc/alloc", clear, {KERNEL(take_frames), KERNEL(take_frames)}, no_frame_twice, 0},
    {"pcp drain/alloc", clear, {KERNEL(drain), KERNEL(take_frames)}, no_frame_twice, 0},
    {"pcp drain/free", frames_in_use, {KERNEL(free_frames), KERNEL(drain)}, no_frame_twice, 0},
    {"pcp free/alloc of a block", frames_in_use, {KERNEL(free_frames), KERNEL(take_block)}, no_frame_twice, 0},
    {"pcp alloc/alloc, two kinds", clear, {KERNEL(take_frames), KERNEL(take_movable)}, no_frame_twice, 0},
    {"vmalloc/vmalloc", clear, {KERNEL(map_kernel), KERNEL(map_kernel_too)}, NULL, 0},
    {"vmalloc/purge", clear, {KERNEL(map_kernel), KERNEL(purge)}, NULL, 0},
};

int main(void)
{
    return run_pairs(pairs, ARRAY_SIZE(pairs));
}
