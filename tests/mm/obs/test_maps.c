/* SPDX-License-Identifier: MIT */
/* maps and smaps in parts: whatever the buffer, the parts together are the whole text. */
#include "../../common/machine.h"

#include <mm/obs_mm.h>
#include <mm/sys.h>
#include <uapi/mman.h>

#define AREAS 200

static const struct obs_files no_files;

typedef void show_fn(struct seq *s, struct mm *mm, const struct obs_files *files);

static size_t in_parts(show_fn *show, struct mm *mm, char *text, size_t room, size_t size)
{
    size_t len = 0;
    struct seq s = {.cursor = 0};
    char *buf = malloc(size);
    do {
        u64 cursor = s.cursor;
        seq_init(&s, buf, size);
        s.cursor = cursor;
        show(&s, mm, &no_files);
        assert_false(s.overflow);
        assert_true(len + s.len <= room);
        memcpy(text + len, buf, s.len);
        len += s.len;
    } while (s.more);
    free(buf);
    return len;
}

static void parts_are_the_whole(void **state)
{
    static char whole[1 << 20], parts[1 << 20];
    static show_fn *const shows[] = {obs_maps, obs_smaps};
    machine_up(32, 1, 1);
    struct mm *mm = host_mm_new();
    host_mm_switch(mm);
    s64 at = host_mmap_anon(AREAS * 2 * PAGE_SIZE);
    for (u64 i = 0; i < AREAS; i++)
        assert_int_equal(sys_mm_mprotect(mm, (u64)at + i * 2 * PAGE_SIZE, PAGE_SIZE, UAPI_PROT_READ, -1), 0);
    for (size_t k = 0; k < 2; k++) {
        size_t n = in_parts(shows[k], mm, whole, sizeof(whole), sizeof(whole)), lines = 0;
        for (size_t i = 0; i < n; i++)
            lines += whole[i] == '\n';
        assert_true(lines >= 2 * AREAS);
        for (size_t size = 1000; size < n; size += size / 3) {
            assert_int_equal(in_parts(shows[k], mm, parts, sizeof(parts), size), n);
            assert_memory_equal(whole, parts, n);
        }
        struct seq s;
        seq_init(&s, parts, 20); /* not even one record fits */
        shows[k](&s, mm, &no_files);
        assert_true(s.overflow && !s.more);
    }
    host_mm_exit(mm);
    machine_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_are_the_whole)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
