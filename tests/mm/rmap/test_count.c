/* SPDX-License-Identifier: MIT */
/* How many address spaces map a page, also where several shared tables hold it; PSS, which follows from it. */
#include "../../common/machine.h"
#include <mm/obs_mm.h>
#include <mm/rmap.h>

#define PAGES 40u
#define LEN   (PAGES * PAGE_SIZE)

static struct mm *fork_from(struct mm *mm)
{
    int err = 0;
    host_mm_switch(mm);
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    return child;
}

static u32 count_at(struct mm *mm, u64 addr)
{
    struct map_counter c = {0};
    mmap_read_lock(mm);
    pte_t *p = pt_find(mm, addr);
    u32 n = p && pte_mapped(pte_load(p)) ? map_count(&c, vma_find(mm, addr), addr, pfn_to_page(pte_pfn(pte_load(p))), U32_MAX) : 0;
    mmap_read_unlock(mm);
    return n;
}

static void store(struct mm *mm, u64 addr, u8 v)
{
    host_mm_switch(mm);
    assert_int_equal(host_store_u8(addr, v), 0);
}

static u64 field(struct mm *mm, const char *name)
{
    static char text[16384];
    struct seq s;
    seq_init(&s, text, sizeof(text) - 1);
    obs_smaps_rollup(&s, mm);
    assert_false(s.overflow);
    text[s.len] = 0;
    const char *at = strstr(text, name);
    assert_non_null(at);
    return strtoul(at + strlen(name), NULL, 10);
}

/*
 *   P ── fork ── C1     one table, two sharers
 *   P writes page 0     P has a copy of it; pages 1.. lie in both
 *   P ── fork ── C2     the copy has two sharers, the old table, too, after C1 ── fork ── C3
 */
static void pages_in_two_shared_tables(void **state)
{
    machine_up(64, 2, 1);
    sysctl_fork_share = 1;
    struct mm *p = host_mm_new();
    host_mm_switch(p);
    u64 at = (u64)host_mmap_anon(LEN);
    for (u64 i = 0; i < PAGES; i++)
        store(p, at + i * PAGE_SIZE, 1);
    assert_int_equal(count_at(p, at), 1);
    struct mm *c1 = fork_from(p);
    assert_int_equal(count_at(p, at), 2);
    store(p, at, 2);
    assert_int_equal(count_at(p, at), 1);
    assert_int_equal(count_at(c1, at), 1);
    assert_int_equal(count_at(p, at + PAGE_SIZE), 2);
    struct mm *c2 = fork_from(p), *c3 = fork_from(c1);
    struct mm *all[] = {p, c1, c2, c3};
    u64 pss = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
        assert_int_equal(count_at(all[i], at), 2);
        assert_int_equal(count_at(all[i], at + PAGE_SIZE), 4);
        pss += field(all[i], "Pss:");
        assert_int_equal(field(all[i], "Rss:"), LEN >> 10);
        assert_int_equal(field(all[i], "Shared_Dirty:"), LEN >> 10);
    }
    assert_int_equal(pss, (LEN + PAGE_SIZE) >> 10); /* each frame once */
    store(c2, at + PAGE_SIZE, 3); /* an own table for C2, and one mapping less of the old page */
    assert_int_equal(count_at(p, at + PAGE_SIZE), 3);
    assert_int_equal(count_at(c2, at + PAGE_SIZE), 1);
    assert_int_equal(count_at(c3, at + 2 * PAGE_SIZE), 4);
    struct page *page = pfn_to_page(pte_pfn(pte_load(pt_find(p, at + 2 * PAGE_SIZE))));
    page_get(page);
    assert_int_equal(page_map_count(page), 4);
    page_put(page);
    for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
        host_mm_exit(all[i]);
    machine_down();
}

/* Pages of a file in tables of two families, each shared by fork because something private lies beside them. */
static void file_pages_of_two_families(void **state)
{
    machine_up(64, 2, 1);
    sysctl_fork_share = 1;
    struct host_file *f = host_file_new(8 * PAGE_SIZE, true);
    struct map_file mf = host_map_file(f);
    struct mm *all[5];
    u64 at[2];
    for (unsigned k = 0; k < 2; k++) {
        struct mm *mm = all[2 * k] = host_mm_new();
        host_mm_switch(mm);
        u8 v;
        at[k] = (u64)host_mmap(0, 8 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_PRIVATE, &mf, 0);
        store(mm, at[k], 1); /* the area gets an anon_vma */
        for (unsigned i = 1; i < 8; i++)
            assert_int_equal(host_load_u8(at[k] + i * PAGE_SIZE, &v), 0);
        all[2 * k + 1] = fork_from(mm);
    }
    all[4] = fork_from(all[0]);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(count_at(all[i], at[i == 2 || i == 3] + 5 * PAGE_SIZE), 5);
        assert_int_equal(count_at(all[i], at[i == 2 || i == 3]), i == 2 || i == 3 ? 2 : 3);
    }
    for (unsigned i = 0; i < 5; i++)
        host_mm_exit(all[i]);
    host_file_put(f);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_in_two_shared_tables),
        cmocka_unit_test(file_pages_of_two_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
