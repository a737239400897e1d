/* SPDX-License-Identifier: MIT */
/* numa_maps: what a line says of an area's pages, words that stay words, and parts that are the whole. */
#include "../../common/machine.h"
#include <mm/obs_mm.h>

static void put_name(struct seq *s, const struct vma *vma)
{
    seq_puts(s, "/a b=c\td");
}
static const struct obs_files files = {.name = put_name};

static char text[8192];

static const char *lines(struct mm *mm, size_t room)
{
    struct seq s;
    seq_init(&s, text, room);
    obs_numa_maps(&s, mm, &files);
    text[s.len] = 0;
    return s.overflow ? NULL : text;
}

static bool has(const char *all, u64 at, const char *rest)
{
    char want[200];
    snprintf(want, sizeof(want), "%08lx default%s\n", (unsigned long)at, rest);
    return strstr(all, want) != NULL;
}

static void areas(void **state)
{
    machine_up(32, 1, 1);
    sysctl_fork_share = 1;
    struct mm *mm = host_mm_new();
    host_mm_switch(mm);
    u64 at = (u64)host_mmap_anon(8 * PAGE_SIZE), none = (u64)host_mmap(0, PAGE_SIZE, 0, UAPI_MAP_PRIVATE | UAPI_MAP_ANONYMOUS, NULL, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(host_store_u8(at + i * PAGE_SIZE, 1), 0);
    u8 v;
    assert_int_equal(host_load_u8(at + 4 * PAGE_SIZE, &v), 0); /* the zero page is on no node */
    assert_true(has(lines(mm, sizeof(text) - 1), at, " anon=3 dirty=3 active=0 N0=3 kernelpagesize_kB=4"));
    assert_true(has(text, none, ""));
    int err;
    struct mm *child = host_fork(&err);
    assert_true(has(lines(mm, sizeof(text) - 1), at, " anon=3 dirty=3 mapmax=2 active=0 N0=3 kernelpagesize_kB=4"));
    host_mm_exit(child);
    struct host_file *f = host_file_new(4 * PAGE_SIZE, true);
    struct map_file mf = host_map_file(f);
    u64 sh = (u64)host_mmap(0, 4 * PAGE_SIZE, UAPI_PROT_READ | UAPI_PROT_WRITE, UAPI_MAP_SHARED, &mf, 0);
    assert_int_equal(host_store_u8(sh, 1), 0);
    assert_true(has(lines(mm, sizeof(text) - 1), sh, " file=/a\\040b\\075c\\011d dirty=1 active=0 N0=1 kernelpagesize_kB=4"));
    size_t whole = strlen(text);
    for (size_t room = 1; room < whole; room++) /* whatever does not fit, nothing is written beyond the end */
        (void)lines(mm, room);
    assert_int_equal(host_munmap(sh, 4 * PAGE_SIZE), 0);
    host_file_put(f);
    host_mm_exit(mm);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(areas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
