/* SPDX-License-Identifier: MIT */
/*
 * Which cache lines do faults of two CPUs in one area both write? In the build with points (make check-points) the compiler
 * reports each write of the core; two threads fault in pages below tables of their own, and what both wrote is sorted by
 * what lies there. docs/ARCHITECTURE.md names the kinds.
 */
#include "../common/machine.h"
#include <host/explore.h>
#include <uapi/mman.h>

#define AREA  0x7f0000000000UL
#define PAGES 24u /* fewer than a CPU's stack of frames holds */
#define WARM  8u  /* pages touched before: table, stack of frames and slabs are there */

#ifdef HOST_POINTS
#define MAX_LINES 4096
static struct lines {
    uptr line[MAX_LINES];
    u32 n;
} written[2];
extern u8 __start_core_data[], __stop_core_data[], __start_core_bss[], __stop_core_bss[]; /* the core's variables */
static u32 writer;
static struct mm *space;

static void note(const void *p)
{
    struct lines *w = &written[writer];
    uptr line = (uptr)p / 64;
    const u8 *b = p;
    bool variable = (b >= __start_core_data && b < __stop_core_data) || (b >= __start_core_bss && b < __stop_core_bss);
    if (!variable && !host_in_machine(p))
        return; /* a stack, or the home's own */
    for (u32 i = 0; i < w->n; i++)
        if (w->line[i] == line)
            return;
    assert_true(w->n < MAX_LINES);
    w->line[w->n++] = line;
}

static int fault_in(void *arg)
{
    u64 first = AREA + (uptr)arg * 4 * PMD_SIZE;
    host_mm_load(space);
    for (u32 i = 0; i < WARM + PAGES; i++) {
        if (i == WARM)
            host_on_write = note;
        assert_int_equal(host_store_u8(first + i * PAGE_SIZE, 1), 0);
    }
    host_on_write = NULL;
    host_mm_load(NULL);
    return 0;
}

static bool holds(uptr line, const void *start, size_t size)
{
    return (line + 1) * 64 > (uptr)start && line * 64 < (uptr)start + size;
}

enum kind { AREA_ITSELF, LRUVEC, FRAMES, ZONE, OTHER, NR_KINDS };

static enum kind kind_of(uptr line, const struct vma *vma)
{
    const struct node *node = nodes[0];
    if (holds(line, vma, sizeof(*vma)))
        return AREA_ITSELF;
    if (holds(line, &node->lruvec, sizeof(node->lruvec)))
        return LRUVEC;
    if (holds(line, memmap, host_machine.max_pfn * sizeof(struct page)))
        return FRAMES;
    for (u32 i = 0; i < MAX_ZONES; i++)
        if (holds(line, &node->zone[i], sizeof(node->zone[i])))
            return ZONE;
    return OTHER;
}

static void nothing_but_the_area_and_the_lruvec(void **state)
{
    const struct host_config cfg = {.seed = 1, .cpus = 3, .ram = 128UL << 20, .never_switch = true};
    u32 common[NR_KINDS] = {0};
    machine_up_config(&cfg);
    struct mm *mm = space = host_mm_new();
    host_mm_switch(mm);
    assert_int_equal(host_mmap(AREA, 16 * PMD_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE,
                               UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS | UAPI_MAP_FIXED, NULL, 0), AREA);
    assert_int_equal(host_store_u8(AREA + 15 * PMD_SIZE, 1), 0); /* anon_vma and upper tables */
    const struct vma *vma = vma_find(mm, AREA);
    for (writer = 0; writer < 2; writer++) {
        written[writer].n = 0;
        host_thread_join(host_thread_start(fault_in, (void *)(uptr)writer, "faults", writer + 1));
    }
    assert_true(written[0].n > PAGES / 2 && written[1].n > PAGES / 2);
    for (u32 i = 0; i < written[0].n; i++)
        for (u32 k = 0; k < written[1].n; k++)
            if (written[0].line[i] == written[1].line[k])
                common[kind_of(written[0].line[i], vma)]++;
    printf("  %u faults wrote %u and %u lines; both: area %u, lruvec %u, struct pages %u, zone %u, other %u\n", PAGES,
           written[0].n, written[1].n, common[AREA_ITSELF], common[LRUVEC], common[FRAMES], common[ZONE], common[OTHER]);
    assert_int_equal(common[AREA_ITSELF], 1); /* the count of its readers */
    assert_int_equal(common[OTHER], 0);
    assert_int_equal(common[ZONE], 0);
    assert_true(common[LRUVEC] <= LRU_SHARDS);
    assert_true(common[FRAMES] <= 2 + LRU_SHARDS); /* neighbours of the tables', and on the lists */
    host_mm_switch(NULL);
    host_mm_exit(mm);
    machine_down();
}
#else
static void nothing_but_the_area_and_the_lruvec(void **state)
{
    skip(); /* no writes are reported */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_but_the_area_and_the_lruvec)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
