/* SPDX-License-Identifier: MIT */
/* Protection keys: allocation, faults and stale rights on the software MMU, execute-only memory, fork, CPUs without keys. */
#include "../../common/machine.h"
#include <mm/cache.h>
#include <mm/fault.h>
#include <mm/pkey.h>
#include <mm/sys.h>
#include <uapi/errno.h>
#include <uapi/mman.h>

#define RW (UAPI_PROT_READ | UAPI_PROT_WRITE)

static struct mm *mm;

static void up(void)
{
    machine_up(32, 2, 1);
    mm = host_mm_new();
    host_mm_switch(mm);
    host_current->pkru = PKRU_INIT;
}

static void down(void)
{
    assert_machine_valid();
    host_mm_exit(mm);
    machine_down();
}

static u64 map_pages(u64 pages, u64 prot)
{
    s64 at = sys_mm_mmap(mm, 0, pages << PAGE_SHIFT, prot, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
    assert_true(at > 0);
    return (u64)at;
}

/* What a program's access answers when a key forbids it. */
#define PKUERR VM_FAULT_PKUERR

static void keys_run_out_and_come_back(void **state)
{
    up();
    assert_int_equal(sys_mm_pkey_alloc(mm, 1, 0), -EINVAL);
    assert_int_equal(sys_mm_pkey_alloc(mm, 0, 4), -EINVAL);
    for (int key = 1; key < 16; key++)
        assert_int_equal(sys_mm_pkey_alloc(mm, 0, 0), key);
    assert_int_equal(sys_mm_pkey_alloc(mm, 0, 0), -ENOSPC);
    assert_int_equal(sys_mm_pkey_free(mm, 16), -EINVAL);
    assert_int_equal(sys_mm_pkey_free(mm, 7), 0);
    assert_int_equal(sys_mm_pkey_free(mm, 7), -EINVAL);
    assert_int_equal(sys_mm_pkey_alloc(mm, 0, UAPI_PKEY_DISABLE_ACCESS), 7);
    assert_int_equal(host_current->pkru >> 14 & 3, PKRU_AD);
    assert_int_equal(host_current->pkru & ~(3u << 14), 0);
    down();
}

static void rights_hold_for_pages_there_and_to_come(void **state)
{
    up();
    u64 at = map_pages(3, RW);
    assert_int_equal(host_store_u8(at, 1), 0);
    int key = (int)sys_mm_pkey_alloc(mm, 0, 0);
    assert_int_equal(host_pkey_mprotect(at, 2 * PAGE_SIZE, RW, key), 0);
    assert_int_equal(mm->map_count, 2);
    assert_int_equal(host_store_u8(at, 2), 0);
    pkey_set_rights(key, PKRU_WD);
    assert_int_equal(host_store_u8(at, 3), PKUERR);
    u8 v = 0;
    assert_int_equal(host_load_u8(at, &v), 0);
    assert_int_equal(v, 2);
    assert_int_equal(host_store_u8(at + PAGE_SIZE, 3), PKUERR);
    pkey_set_rights(key, PKRU_AD);
    assert_int_equal(host_load_u8(at, &v), PKUERR);
    assert_int_equal(host_load_u8(at + PAGE_SIZE, &v), PKUERR);
    assert_int_equal(rss_sum(mm, RSS_ANON), 1); /* refused before a page was given */
    assert_int_equal(host_store_u8(at + 2 * PAGE_SIZE, 1), 0);
    /* Other eyes see it all the same. */
    assert_int_equal(access_remote(mm, at, &v, 1, 0), 1);
    assert_int_equal(v, 2);
    struct page *page;
    assert_int_equal(gup(mm, at, 1, 0, &page), -EFAULT);
    /* Back to key 0: the entry that the TLB knows goes, and the areas join. */
    assert_int_equal(host_pkey_mprotect(at, 2 * PAGE_SIZE, RW, 0), 0);
    assert_int_equal(host_load_u8(at, &v), 0);
    assert_int_equal(mm->map_count, 1);
    down();
}

static void mprotect_keeps_the_key(void **state)
{
    up();
    u64 at = map_pages(1, RW);
    int key = (int)sys_mm_pkey_alloc(mm, 0, 0);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, key), 0);
    assert_int_equal(host_mprotect(at, PAGE_SIZE, UAPI_PROT_READ), 0);
    assert_int_equal(vma_pkey(vma_find(mm, at)), key);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, key + 1), -EINVAL);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, -2), -EINVAL);
    down();
}

static void execute_only_memory_has_a_key_of_its_own(void **state)
{
    up();
    u64 at = map_pages(2, RW);
    u8 v;
    assert_int_equal(host_store_u8(at, 1), 0);
    assert_int_equal(host_mprotect(at, PAGE_SIZE, UAPI_PROT_EXEC), 0);
    int key = mm->exec_pkey;
    assert_int_equal(key, 1);
    assert_int_equal(host_load_u8(at, &v), PKUERR);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, key), -EINVAL);
    assert_int_equal(sys_mm_pkey_free(mm, key), -EINVAL);
    assert_int_equal(host_mprotect(at, PAGE_SIZE, RW), 0);
    assert_int_equal(host_load_u8(at, &v), 0);
    assert_int_equal(vma_pkey(vma_find(mm, at)), 0);
    at = map_pages(1, UAPI_PROT_EXEC);
    assert_int_equal(vma_pkey(vma_find(mm, at)), key);
    down();
}

static void a_child_has_its_parents_keys(void **state)
{
    up();
    u64 at = map_pages(1, RW);
    int key = (int)sys_mm_pkey_alloc(mm, 0, 0), err;
    assert_int_equal(host_store_u8(at, 5), 0);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, key), 0);
    struct mm *child = host_fork(&err);
    assert_non_null(child);
    assert_true(pkey_in_use(child, key));
    host_mm_switch(child);
    pkey_set_rights(key, PKRU_AD);
    u8 v;
    assert_int_equal(host_load_u8(at, &v), PKUERR);
    pkey_set_rights(key, 0);
    assert_int_equal(host_store_u8(at, 6), 0);
    host_mm_switch(mm);
    assert_int_equal(host_load_u8(at, &v), 0);
    assert_int_equal(v, 5);
    host_mm_exit(child);
    down();
}

static void without_keys_in_the_cpu(void **state)
{
    struct host_config cfg = {.ram = 32 << 20, .seed = 1, .no_pkeys = true};
    machine_up_config(&cfg);
    mm = host_mm_new();
    host_mm_switch(mm);
    u64 at = map_pages(1, RW);
    u8 v;
    assert_int_equal(sys_mm_pkey_alloc(mm, 0, 0), -EINVAL);
    assert_int_equal(sys_mm_pkey_free(mm, 0), -EINVAL);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, 0), -EINVAL);
    assert_int_equal(host_pkey_mprotect(at, PAGE_SIZE, RW, -1), 0);
    assert_int_equal(host_mprotect(at, PAGE_SIZE, UAPI_PROT_EXEC), 0);
    assert_int_equal(host_load_u8(at, &v), 0);
    down();
}

static void secret_pages_leave_the_linear_map(void **state)
{
    up();
    static struct address_space m;
    static const struct mapping_ops ops;
    mapping_init(&m, &ops, NULL, AS_SECRET | AS_UNEVICTABLE);
    m.size = 4 * PAGE_SIZE;
    struct map_file file = {.mapping = &m, .readable = true, .writable = true, .max_size = 1 << 20};
    s64 at = sys_mm_mmap(mm, 0, 4 * PAGE_SIZE, RW, UAPI_MAP_SHARED, &file, 0);
    assert_true(at > 0);
    u8 v = 0;
    assert_int_equal(host_store_u8((u64)at, 42), 0);
    assert_int_equal(host_load_u8((u64)at, &v), 0);
    assert_int_equal(v, 42);
    struct page *page;
    assert_int_equal(gup(mm, (u64)at, 1, 0, &page), -EFAULT);
    assert_int_equal(gup(mm, (u64)at + PAGE_SIZE, 1, FAULT_WRITE, &page), -EFAULT);
    assert_int_equal(access_remote(mm, (u64)at, &v, 1, FAULT_FORCE), 0);
    assert_int_equal(sys_mm_munmap(mm, (u64)at, 4 * PAGE_SIZE), 0);
    mapping_destroy(&m); /* the machine's end finds a frame that was left out */
    down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_run_out_and_come_back),
        cmocka_unit_test(rights_hold_for_pages_there_and_to_come),
        cmocka_unit_test(mprotect_keeps_the_key),
        cmocka_unit_test(execute_only_memory_has_a_key_of_its_own),
        cmocka_unit_test(a_child_has_its_parents_keys),
        cmocka_unit_test(without_keys_in_the_cpu),
        cmocka_unit_test(secret_pages_leave_the_linear_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
