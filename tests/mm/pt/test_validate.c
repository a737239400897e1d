/* SPDX-License-Identifier: MIT */
/* The validators notice what they are there for. Each case breaks one thing, looks, and mends it. */
#include "pt_fixture.h"

static struct mm *mm;
static struct vma *vma;
static struct page *page;
static pte_t *entry;

static void build(void)
{
    mm = scene_start();
    vma = scene_map(mm, BASE, 8, RW_FLAGS);
    page = scene_touch(vma, BASE);
    entry = pt_find(mm, BASE);
    scene_check(mm);
}

#define expect(text, part)                                                                         \
    do {                                                                                           \
        const char *got_ = (text);                                                                 \
        assert_non_null(got_);                                                                     \
        if (!strstr(got_, part))                                                                   \
            fail_msg("expected \"%s\", got \"%s\"", part, got_);                                   \
    } while (0)

static void with_entry(u64 v, const char *part)
{
    pte_t good = *entry;
    entry->v = v;
    expect(pt_validate(mm), part);
    *entry = good;
    scene_check(mm);
}

static void tables(void **state)
{
    build();
    struct page *table = pt_table_page(entry);
    table->mapcount++;
    expect(pt_validate(mm), "used entries");
    table->mapcount--;
    pt_count(table, RSS_FILE, 1);
    expect(pt_validate(mm), "by kind are miscounted");
    pt_count(table, RSS_FILE, -1);
    page_get(table);
    expect(pt_validate(mm), "shared table that may be written");
    page_put(table);
    page_clear(table, PG_table);
    expect(pt_validate(mm), "without PG_table");
    page_set(table, PG_table);
    mm->pgtables_bytes += PAGE_SIZE;
    expect(pt_validate(mm), "pgtables_bytes");
    mm->pgtables_bytes -= PAGE_SIZE;
    scene_end(mm);
}

static void leaves(void **state)
{
    build();
    u64 good = entry->v;
    with_entry(good & ~PTE_US, "without PTE_US");
    with_entry(good & ~PTE_XD, "VM_EXEC");
    with_entry((good & ~PTE_P) | PTE_PROTNONE, "PROT_NONE entry in an accessible");
    with_entry(0x1000 | PTE_A, "neither a mapping nor a marker nor a swap entry nor empty");
    with_entry(pte_make(zero_pfn, vma->prot | PTE_SPECIAL | PTE_RW).v, "zero page is writable");
    with_entry(pte_make(page_to_pfn(pt_table_page(entry)), vma->prot).v, "table frame");
    vma->flags &= ~VM_WRITE;
    expect(pt_validate(mm), "without VM_WRITE");
    vma->flags &= ~VM_ACCESS;
    expect(pt_validate(mm), "PROT_NONE area");
    vma->flags |= RW_FLAGS;
    page->mapcount++;
    expect(pt_validate(mm), "fewer references");
    page_get(page);
    expect(pt_validate(mm), "writable and shared");
    page->mapcount--;
    page_put(page);
    /* An entry where no area is. */
    scene_install(vma, BASE + 8 * PAGE_SIZE, (pte_t){good});
    expect(pt_validate(mm), "outside of every area");
    pt_take(entry + 8);
    pt_count(pt_table_page(entry), RSS_ANON, -1);
    scene_end(mm);
}

static void owners(void **state)
{
    static struct address_space file, other;
    build();
    s32 mapcount = page->mapcount;
    page->mapcount = -1;
    expect(pt_validate(mm), "no mapcount");
    page->mapcount = mapcount;
    page->owner += 64;
    expect(pt_validate(mm), "another anon_vma");
    page->owner -= 64;
    page->index++;
    expect(pt_validate(mm), "index");
    page->index--;

    mapping_init(&file, &shmem_mapping_ops, NULL, AS_SHMEM);
    struct vma *cached = scene_map_file(mm, BASE + PMD_SIZE, 2, RW_FLAGS, &file, 0);
    struct page *file_page = scene_map_cached(cached, BASE + PMD_SIZE, false);
    scene_check(mm);
    file_page->owner = (u64)&other;
    expect(pt_validate(mm), "another mapping");
    file_page->owner = (u64)&file;
    pte_t *p = pt_find(mm, BASE + PMD_SIZE);
    p->v |= PTE_RW;
    expect(pt_validate(mm), "writable in a private area");
    p->v &= ~PTE_RW;
    file_page->refcount = 1;
    expect(rmap_validate_all(), "the cache's reference");
    file_page->refcount = 2;
    scene_check(mm);
    scene_unmap(mm, BASE + PMD_SIZE, 2);
    mapping_destroy(&file);
    scene_end(mm);
}

static void upper_levels(void **state)
{
    build();
    /* The entry of level 2 that leads to the table. */
    pte_t *t = phys_to_virt(mm->mmu.root);
    for (unsigned level = pt_levels(); level > 2; level--)
        t = phys_to_virt(t[pt_index(BASE, level)].v & PTE_PFN_MASK);
    pte_t *upper = t + pt_index(BASE, 2), good = *upper;
    upper->v = 0x1000;
    expect(pt_validate(mm), "points to no table");
    upper->v = good.v | PTE_PS;
    expect(pt_validate(mm), "points to no table");
    *upper = good;
    scene_check(mm);
    pte_t leaf = *entry;
    entry->v = pte_make(1UL << 30, vma->prot).v;
    expect(rmap_validate_all(), "not RAM");
    *entry = leaf;
    scene_end(mm);
}

static void census(void **state)
{
    build();
    page->mapcount++;
    expect(rmap_validate_all(), "mapcount is not");
    page->mapcount--;
    rss_add(mm, RSS_ANON, 1);
    expect(rmap_validate_all(), "rss");
    rss_add(mm, RSS_ANON, -1);
    stat_node_add(0, NR_ANON_MAPPED, 1);
    expect(rmap_validate_all(), "NR_ANON_MAPPED");
    stat_node_add(0, NR_ANON_MAPPED, -1);
    stat_node_add(0, NR_FILE_MAPPED, 1);
    expect(rmap_validate_all(), "NR_FILE_MAPPED");
    stat_node_add(0, NR_FILE_MAPPED, -1);
    pte_t good = *entry;
    *entry = (pte_t){0};
    rss_add(mm, RSS_ANON, -1);
    expect(rmap_validate_all(), "mapcount is not");
    rss_add(mm, RSS_ANON, 1);
    *entry = good;
    page->refcount = 0;
    expect(rmap_validate_all(), "not in use");
    page->refcount = 1;
    struct mm *child;
    assert_int_equal(mm_fork(mm, &child), 0);
    page->refcount = 1;
    expect(rmap_validate_all(), "fewer references");
    page->refcount = 2;
    mm_put(child);
    scene_end(mm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),       cmocka_unit_test(leaves), cmocka_unit_test(owners),
        cmocka_unit_test(upper_levels), cmocka_unit_test(census),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
