/* SPDX-License-Identifier: MIT */
/* The buddy, the memory map and the zones, on machines of many shapes. */
#include "../../common/machine.h"
#include <mm/phys_internal.h>
#include <lib/string.h>

struct block {
    struct page *page;
    unsigned order;
    u8 tag;
};

static void fill(const struct block *b)
{
    memset(page_to_virt(b->page), b->tag, PAGE_SIZE << b->order);
}

static void check_filled(const struct block *b)
{
    const u8 *p = page_to_virt(b->page);
    for (u64 i = 0; i < PAGE_SIZE << b->order; i += 509)
        if (p[i] != b->tag)
            fail_msg("block of order %u at pfn %lu was written by somebody else", b->order,
                     page_to_pfn(b->page));
}

static void blocks_are_aligned_and_apart(void **state)
{
    static struct block blocks[4096];
    unsigned n = 0;
    machine_up(64, 1, 1);
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        for (unsigned i = 0; i < 3; i++, n++) {
            blocks[n] = (struct block){alloc_pages(GFP_KERNEL, order), order, (u8)(n + 1)};
            assert_non_null(blocks[n].page);
            assert_true(IS_ALIGNED(page_to_pfn(blocks[n].page), 1UL << order));
            assert_int_equal(page_refs(blocks[n].page), 1);
            assert_int_equal(blocks[n].page->mapcount, -1);
            fill(&blocks[n]);
        }
    }
    assert_null(alloc_pages(GFP_KERNEL, MAX_ORDER + 1));
    for (unsigned i = 0; i < n; i++)
        check_filled(&blocks[i]);
    assert_machine_valid();
    for (unsigned i = 0; i < n; i++)
        free_pages(blocks[i].page, blocks[i].order);
    machine_down();
}

/* Pages of all orders come and go; after each step all is valid, and no two owners share a byte. */
static void random_steps(u64 seed, u32 mib, unsigned steps)
{
    static struct block live[512];
    unsigned n = 0;
    struct rand r;
    rand_init(&r, seed);
    machine_up(mib, 1, seed);
    for (unsigned step = 0; step < steps; step++) {
        if (n < ARRAY_SIZE(live) && rand_below(&r, 100) < 55) {
            unsigned order = rand_below(&r, 4) ? (unsigned)rand_below(&r, 3)
                                               : (unsigned)rand_below(&r, MAX_ORDER + 1);
            static const gfp_t kinds[] = {
                GFP_KERNEL,           GFP_HIGHUSER_MOVABLE,      GFP_KERNEL | GFP_RECLAIMABLE,
                GFP_ATOMIC,           GFP_KERNEL | GFP_DMA_ZONE, GFP_KERNEL | GFP_COMP,
                GFP_KERNEL | GFP_ZERO};
            gfp_t gfp = kinds[rand_below(&r, ARRAY_SIZE(kinds))] | GFP_NOWARN;
            struct block b = {alloc_pages(gfp, order), order, (u8)step};
            if (b.page) {
                if (gfp & GFP_ZERO)
                    assert_int_equal(mem_find_nonzero(page_to_virt(b.page), PAGE_SIZE << order),
                                     PAGE_SIZE << order);
                fill(&b);
                live[n++] = b;
            }
        } else if (n) {
            unsigned i = (unsigned)rand_below(&r, n);
            check_filled(&live[i]);
            free_pages(live[i].page, live[i].order);
            live[i] = live[--n];
        }
        if (step % 16 == 0)
            pcp_drain_local();
        const char *bad = phys_validate();
        if (bad)
            fail_msg("step %u: %s", step, bad);
    }
    while (n--) {
        check_filled(&live[n]);
        free_pages(live[n].page, live[n].order);
    }
    machine_down();
}

static void random_on_64_mib(void **state)
{
    for (u64 seed = 1; seed <= 3; seed++)
        random_steps(seed, 64, 600);
}

static void random_on_4_mib(void **state)
{
    for (u64 seed = 1; seed <= 5; seed++)
        random_steps(seed, 4, 600);
}

/* Takes everything, singly, then all comes back and merges into the largest blocks again. */
static void all_of_memory(void **state)
{
    struct page *list = NULL, *page;
    u64 n = 0;
    machine_up(32, 1, 7);
    u64 before = phys_free_all();
    while ((page = alloc_page(GFP_MEMALLOC | GFP_NOWARN))) {
        page->owner = (u64)(uptr)list;
        list = page;
        n++;
    }
    assert_int_equal(n, before);
    assert_int_equal(phys_free_all(), 0);
    assert_null(phys_validate());
    while (list) {
        page = list;
        list = (struct page *)(uptr)page->owner;
        free_pages(page, 0);
    }
    pcp_drain_all();
    assert_int_equal(phys_free(), before);
    struct zone *z;
    u64 large = 0;
    for_each_zone (z)
        for (unsigned t = 0; t < NR_MIGRATE_TYPES; t++)
            large += zone_free_blocks(z, MAX_ORDER, t);
    assert_true(large >= 4);
    machine_down();
}

static void ordinary_allocations_stop_at_min(void **state)
{
    struct page *list = NULL, *page;
    machine_up(16, 1, 7);
    while ((page = alloc_page(GFP_KERNEL | GFP_NOWARN))) {
        page->owner = (u64)(uptr)list;
        list = page;
    }
    struct zone *z;
    for_each_zone (z)
        assert_true(z->nr_free + 64 >= z->watermark[WMARK_MIN]);
    assert_true(phys_free() > 0);
    page = alloc_page(GFP_ATOMIC | GFP_NOWARN);
    assert_non_null(page);
    free_pages(page, 0);
    while (list) {
        page = list;
        list = (struct page *)(uptr)page->owner;
        free_pages(page, 0);
    }
    machine_down();
}

/* Two halves of a largest block that differ in kind become one block of one kind. */
static void merging_ends_a_difference_of_kind(void **state)
{
    machine_up(16, 1, 1);
    struct page *page = alloc_pages(GFP_KERNEL, MAX_ORDER);
    assert_non_null(page);
    struct zone *z = &nodes[page_node(page)]->zone[page_zone_index(page)];
    pageblock_set_type(z, page_to_pfn(page) + PAGEBLOCK_PAGES, MIGRATE_MOVABLE);
    pageblock_set_type(z, page_to_pfn(page), MIGRATE_UNMOVABLE);
    free_pages(page + PAGEBLOCK_PAGES, PAGEBLOCK_ORDER);
    assert_machine_valid();
    free_pages(page, PAGEBLOCK_ORDER);
    machine_down();
}

static void compound_pages(void **state)
{
    machine_up(16, 1, 3);
    struct page *head = alloc_pages(GFP_KERNEL | GFP_COMP, 3);
    assert_non_null(head);
    assert_true(page_test(head, PG_head));
    assert_int_equal(page_order(head), 3);
    for (unsigned i = 0; i < 8; i++)
        assert_ptr_equal(page_head(head + i), head);
    page_get(head);
    page_put(head);
    page_put(head);
    machine_down();
}

/* Unmovable pages keep to their own page blocks while memory lasts. */
static void kinds_are_kept_apart(void **state)
{
    struct page *un[300], *mov[300];
    machine_up(64, 1, 3);
    for (unsigned i = 0; i < 300; i++) {
        un[i] = alloc_page(GFP_KERNEL);
        mov[i] = alloc_page(GFP_HIGHUSER_MOVABLE);
    }
    for (unsigned i = 0; i < 300; i++)
        for (unsigned j = 0; j < 300; j++)
            assert_int_not_equal(page_to_pfn(un[i]) >> PAGEBLOCK_ORDER,
                                 page_to_pfn(mov[j]) >> PAGEBLOCK_ORDER);
    struct zone *z;
    u64 unmovable = 0, movable = 0;
    for_each_zone (z) {
        unmovable += zone_pageblocks(z, MIGRATE_UNMOVABLE);
        movable += zone_pageblocks(z, MIGRATE_MOVABLE);
    }
    assert_true(unmovable >= 1 && movable > unmovable);
    for (unsigned i = 0; i < 300; i++) {
        free_pages(un[i], 0);
        free_pages(mov[i], 0);
    }
    machine_down();
}

/* Holes, edges that are not aligned, reserved memory in the middle, several nodes and zones. */
static void odd_maps(void **state)
{
    struct host_config cfg = {.seed = 5, .cpus = 4, .nodes = 3, .nr_ranges = 6};
    cfg.ranges[0] = (struct mem_range){0, 0x9f000, 0, MEM_FREE};
    cfg.ranges[1] = (struct mem_range){0x100000, 0x345000, 0, MEM_RESERVED};
    cfg.ranges[2] = (struct mem_range){0x445000, 0x2bbb000, 0, MEM_FREE};
    cfg.ranges[3] = (struct mem_range){0x3000000, 0x1005000, 1, MEM_FREE};
    cfg.ranges[4] = (struct mem_range){0x4005000, 0x3000, 1, MEM_RESERVED};
    cfg.ranges[5] = (struct mem_range){0x4008000, 0x2000000, 2, MEM_FREE};
    cfg.cpu_node[1] = 1;
    cfg.cpu_node[2] = 2;
    cfg.cpu_node[3] = 2;
    machine_up_config(&cfg);
    assert_int_equal(nr_nodes, 3);
    assert_int_equal(phys_present(), 0x9e + 0x345 + 0x2bbb + 0x1005 + 3 + 0x2000);
    for (unsigned node = 0; node < 3; node++) {
        struct page *page = alloc_pages_node(node, GFP_KERNEL | GFP_THISNODE, 2);
        assert_non_null(page);
        assert_int_equal(page_node(page), node);
        free_pages(page, 2);
    }
    struct page *dma = alloc_pages(GFP_KERNEL | GFP_DMA_ZONE, 0);
    assert_non_null(dma);
    assert_true(page_to_phys(dma) < 16 << 20);
    free_pages(dma, 0);
    machine_down();
}

/* A node that is full sends its allocations to the nearest other one, unless told not to. */
static void nodes_fall_back_by_distance(void **state)
{
    struct host_config cfg = {.seed = 5, .cpus = 1, .nodes = 3, .nr_ranges = 3};
    cfg.ranges[0] = (struct mem_range){0, 32 << 20, 0, MEM_FREE};
    cfg.ranges[1] = (struct mem_range){32 << 20, 32 << 20, 1, MEM_FREE};
    cfg.ranges[2] = (struct mem_range){64 << 20, 32 << 20, 2, MEM_FREE};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++)
            cfg.distance[i][j] = i == j ? 10 : 30;
    cfg.distance[0][2] = cfg.distance[2][0] = 20;
    machine_up_config(&cfg);
    struct page *list = NULL, *page;
    unsigned seen_other = 0;
    while (!seen_other) {
        page = alloc_pages_node(0, GFP_KERNEL, 0);
        assert_non_null(page);
        seen_other = page_node(page);
        page->owner = (u64)(uptr)list;
        list = page;
    }
    assert_int_equal(seen_other, 2);
    assert_true(stat_event_sum(NUMA_MISS) > 0);
    assert_true(stat_event_sum(NUMA_FOREIGN) > 0);
    assert_null(alloc_pages_node(0, GFP_KERNEL | GFP_THISNODE | GFP_NOWARN, 9));
    while (list) {
        page = list;
        list = (struct page *)(uptr)page->owner;
        free_pages(page, 0);
    }
    machine_down();
}

static void reserved_memory_can_be_given(void **state)
{
    struct host_config cfg = {.seed = 5, .cpus = 1, .nr_ranges = 3};
    cfg.ranges[0] = (struct mem_range){0, 16 << 20, 0, MEM_FREE};
    cfg.ranges[1] = (struct mem_range){16 << 20, 0x355000, 0, MEM_RESERVED};
    cfg.ranges[2] = (struct mem_range){(16 << 20) + 0x355000, 16 << 20, 0, MEM_FREE};
    host_machine_start(&cfg);
    host_machine_boot();
    u64 managed = phys_managed(), free = phys_free_all();
    phys_give((16 << 20) >> PAGE_SHIFT, ((16 << 20) + 0x355000) >> PAGE_SHIFT);
    assert_int_equal(phys_managed(), managed + 0x355);
    assert_int_equal(phys_free_all(), free + 0x355);
    assert_null(phys_validate());
    host_machine_stop();
}

/* The memory map of untouched memory is not filled in at boot. */
static void boot_leaves_memory_virgin(void **state)
{
    machine_up(1024, 1, 1);
    struct zone *z;
    u64 virgin = 0;
    for_each_zone (z)
        virgin += z->nr_virgin_pages;
    assert_true(virgin > phys_managed() * 9 / 10);
    machine_down();
}

static void movable_zone(void **state)
{
    const struct host_config cfg = {.seed = 1, .cpus = 1, .ram = 64 << 20};
    host_machine_start(&cfg);
    phys_movablecore = (16 << 20) >> PAGE_SHIFT;
    host_machine_boot();
    assert_int_equal(nodes[0]->zone[ZONE_MOVABLE].present, (16 << 20) >> PAGE_SHIFT);
    struct page *a = alloc_page(GFP_HIGHUSER_MOVABLE), *b = alloc_page(GFP_KERNEL);
    assert_int_equal(page_zone_index(a), ZONE_MOVABLE);
    assert_int_not_equal(page_zone_index(b), ZONE_MOVABLE);
    free_pages(a, 0);
    free_pages(b, 0);
    assert_null(phys_validate());
    phys_movablecore = 0;
    host_machine_stop();
}

static void free_twice(void *arg)
{
    struct page *page = alloc_pages(GFP_KERNEL, 1);
    free_pages(page, 1);
    free_pages(page, 1);
}

static void free_mapped(void *arg)
{
    struct page *page = alloc_page(GFP_KERNEL);
    page->mapcount = 0;
    free_pages(page, 0);
}

static void bad_frees_are_named(void **state)
{
    machine_up(16, 1, 1);
    const char *text = host_catch_panic(free_twice, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "Bad page state"));
    machine_abandon();
    machine_up(16, 1, 1);
    text = host_catch_panic(free_mapped, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "mapcount:0"));
    machine_abandon();
}

/* The validator notices what it is there for. */
static void validator_sees_damage(void **state)
{
    machine_up(16, 1, 1);
    struct zone *z = phys_first_zone();
    z->nr_free++;
    assert_non_null(phys_validate());
    z->nr_free--;
    assert_null(phys_validate());
    struct page *page = alloc_page(GFP_KERNEL);
    u32 flags = page->flags;
    page->flags |= 1u << PG_buddy;
    assert_non_null(phys_validate());
    page->flags = flags;
    free_pages(page, 0);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(random_on_64_mib),
        cmocka_unit_test(random_on_4_mib),
        cmocka_unit_test(all_of_memory),
        cmocka_unit_test(ordinary_allocations_stop_at_min),
        cmocka_unit_test(merging_ends_a_difference_of_kind), cmocka_unit_test(compound_pages),
        cmocka_unit_test(kinds_are_kept_apart),
        cmocka_unit_test(odd_maps),
        cmocka_unit_test(nodes_fall_back_by_distance),
        cmocka_unit_test(reserved_memory_can_be_given),
        cmocka_unit_test(boot_leaves_memory_virgin),
        cmocka_unit_test(movable_zone),
        cmocka_unit_test(bad_frees_are_named),
        cmocka_unit_test(validator_sees_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
