/* SPDX-License-Identifier: MIT */
/* The page cache against a plain array of bytes: reads, writes, truncation, holes, write-back, failing devices. */
#include <host/failpoint.h>
#include <lib/rand.h>
#include <mm/cache.h>
#include <mm/stat.h>
#include "../../common/scene.h"

#define FILE_PAGES 40
#define FILE_BYTES (FILE_PAGES * PAGE_SIZE)

static struct scene s;
static u8 model[FILE_BYTES], buf[FILE_BYTES];

static int up(void **state)
{
    scene_up(&s);
    memset(model, 0, sizeof(model));
    return 0;
}

static int down(void **state)
{
    assert_machine_valid();
    scene_down(&s);
    return 0;
}

/* The whole file reads as the model does up to its size. */
static void assert_file(struct address_space *m, u64 size)
{
    assert_int_equal(m->size, size);
    assert_int_equal(cache_read_kernel(m, 0, buf, sizeof(buf)), size);
    assert_memory_equal(buf, model, size);
    assert_null(mapping_validate(m));
}

static void random_calls(struct host_file *f, u64 seed, bool punch)
{
    struct address_space *m = &f->mapping;
    struct rand r;
    rand_init(&r, seed);
    u64 size = m->size;
    for (int i = 0; i < 1500; i++) {
        u64 pos = rand_below(&r, FILE_BYTES), n = 1 + rand_below(&r, 3 * PAGE_SIZE);
        n = min(n, FILE_BYTES - pos);
        switch (rand_below(&r, 6)) {
        case 0:
        case 1:
            for (u64 k = 0; k < n; k++)
                model[pos + k] = (u8)rand_next(&r);
            assert_int_equal(cache_write_kernel(m, pos, model + pos, n), n);
            size = max(size, pos + n);
            break;
        case 2: {
            u64 want = pos >= size ? 0 : min(n, size - pos);
            assert_int_equal(cache_read_kernel(m, pos, buf, n), want);
            assert_memory_equal(buf, model + pos, want);
            break;
        }
        case 3:
            assert_int_equal(cache_truncate(m, pos), 0);
            if (pos < size)
                memset(model + pos, 0, FILE_BYTES - pos);
            size = pos;
            break;
        case 4:
            if (punch) {
                assert_int_equal(cache_punch(m, pos, pos + n), 0);
                memset(model + pos, 0, n);
            }
            break;
        default:
            assert_int_equal(cache_sync(m, 0, U64_MAX), 0);
            cache_invalidate(m, 0, U64_MAX);
        }
        if (i % 50 == 0)
            assert_file(m, size);
    }
    assert_file(m, size);
}

static void shared_memory_against_the_model(void **state)
{
    assert_int_equal(cache_truncate(&s.shared->mapping, 0), 0);
    for (u64 seed = 1; seed < 6; seed++)
        random_calls(s.shared, seed, true);
}

static void writes_reach_the_device(void **state)
{
    struct address_space *m = &s.file->mapping;
    u8 text[3 * PAGE_SIZE];
    memset(text, 0x5a, sizeof(text));
    assert_int_equal(cache_write_kernel(m, 100, text, sizeof(text)), sizeof(text));
    assert_int_equal(s.file->disk[100], 0);
    assert_int_equal(m->nrdirty, 4);
    assert_int_equal(cache_sync(m, 0, U64_MAX), 0);
    assert_int_equal(m->nrdirty, 0);
    assert_int_equal(s.file->disk[99], 0);
    assert_memory_equal(s.file->disk + 100, text, sizeof(text));
    assert_int_equal(cache_invalidate(m, 0, U64_MAX) > 0, 1);
    assert_int_equal(m->nrpages, 0);
    assert_int_equal(cache_read_kernel(m, 100, buf, sizeof(text)), sizeof(text));
    assert_memory_equal(buf, text, sizeof(text));
}

static void whole_pages_are_not_read_before_they_are_written(void **state)
{
    u64 reads = s.file->reads;
    memset(buf, 1, 4 * PAGE_SIZE);
    assert_int_equal(cache_write_kernel(&s.file->mapping, 0, buf, 4 * PAGE_SIZE), 4 * PAGE_SIZE);
    assert_int_equal(s.file->reads, reads);
    assert_int_equal(cache_write_kernel(&s.file->mapping, 20 * PAGE_SIZE + 1, buf, 1), 1);
    assert_true(s.file->reads > reads);
}

static void a_failing_device_is_told(void **state)
{
    struct address_space *m = &s.file->mapping;
    host_fail_nth(FAIL_IO, 1, false);
    assert_int_equal(cache_read_kernel(m, 0, buf, 1), 1); /* readahead failed, and the page was tried once more alone */
    host_fail_none();
    cache_invalidate(m, 0, U64_MAX);
    host_fail_nth(FAIL_IO, 1, true);
    assert_int_equal(cache_read_kernel(m, 0, buf, 1), -EIO);
    host_fail_none();
    assert_int_equal(m->nrpages, 0); /* nothing half-read stays */
    assert_int_equal(cache_read_kernel(m, 0, buf, 1), 1);
    buf[0] = 3;
    assert_int_equal(cache_write_kernel(m, 0, buf, 1), 1);
    host_fail_nth(FAIL_IO, 1, false);
    assert_int_equal(cache_sync(m, 0, U64_MAX), -EIO);
    host_fail_none();
    errseq_t since = 0;
    assert_int_equal(errseq_check(&m->wb_err, &since), -EIO);
}

static void no_memory_for_the_cache(void **state)
{
    struct address_space *m = &s.shared->mapping;
    for (u64 n = 1; n < 4; n++) {
        host_fail_nth(FAIL_PAGE_ALLOC, n, true);
        ssize_t done = cache_write_kernel(m, 0, model, 8 * PAGE_SIZE);
        host_fail_none();
        assert_true(done == -ENOMEM || (done > 0 && done < 8 * (ssize_t)PAGE_SIZE && done % PAGE_SIZE == 0));
        assert_int_equal(m->size, SCENE_PAGES * PAGE_SIZE + PAGE_SIZE);
        assert_null(mapping_validate(m));
        assert_int_equal(cache_truncate(m, 0), 0);
        assert_int_equal(cache_truncate(m, (SCENE_PAGES + 1) * PAGE_SIZE), 0);
    }
    assert_int_equal(cache_write_kernel(m, 0, model, 8 * PAGE_SIZE), 8 * PAGE_SIZE);
}

static void a_hole_reads_as_zeros_and_keeps_its_neighbours(void **state)
{
    struct address_space *m = &s.shared->mapping;
    memset(buf, 7, 4 * PAGE_SIZE);
    cache_write_kernel(m, 0, buf, 4 * PAGE_SIZE);
    u64 pages = m->nrpages;
    assert_int_equal(cache_punch(m, PAGE_SIZE - 10, 3 * PAGE_SIZE + 10), 0);
    assert_int_equal(m->nrpages, pages - 2);
    memset(model, 7, 4 * PAGE_SIZE);
    memset(model + PAGE_SIZE - 10, 0, 2 * PAGE_SIZE + 20);
    assert_int_equal(cache_read_kernel(m, 0, buf, 4 * PAGE_SIZE), 4 * PAGE_SIZE);
    assert_memory_equal(buf, model, 4 * PAGE_SIZE);
    assert_int_equal(cache_punch(m, 5, 9), 0); /* within one page */
    assert_int_equal(cache_read_kernel(m, 0, buf, 10), 10);
    assert_int_equal(buf[4], 7);
    assert_int_equal(buf[5], 0);
    assert_int_equal(buf[9], 7);
}

static void user_memory_of_the_same_file(void **state)
{
    /* write() whose source is a mapping of the page it writes to */
    scene_make(&s, "SS");
    assert_int_equal(host_store_u8(scene_addr(0) + 1, 0x66), 0);
    assert_int_equal(cache_write(&s.shared->mapping, PAGE_SIZE, scene_addr(0), PAGE_SIZE), PAGE_SIZE);
    assert_int_equal(cache_write(&s.shared->mapping, 0, scene_addr(1), PAGE_SIZE), PAGE_SIZE);
    u8 v = 0;
    assert_int_equal(host_load_u8(scene_addr(1) + 1, &v), 0);
    assert_int_equal(v, 0x66);
    assert_int_equal(cache_write(&s.shared->mapping, 0, scene_addr(30), 10), -EFAULT);
    u64 pages = s.shared->mapping.nrpages;
    assert_int_equal(cache_write(&s.shared->mapping, 8 * PAGE_SIZE, scene_addr(30), PAGE_SIZE), -EFAULT);
    assert_int_equal(cache_write(&s.shared->mapping, 9 * PAGE_SIZE + 5, scene_addr(30), 10), -EFAULT);
    assert_int_equal(s.shared->mapping.nrpages, pages); /* a write of nothing leaves no page */
    assert_int_equal(cache_read(&s.shared->mapping, NULL, 0, scene_addr(30), 10), -EFAULT);
}

/* Frames that hold something else are reserved; whoever looks first, by whatever way, finds zeros. */
static void reserved_pages_begin_as_zeros(void **state)
{
    static u8 ones[2 * PAGE_SIZE];
    scene_make(&s, "SSSSSS");
    struct address_space *m = &s.shared->mapping;
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(cache_write_kernel(m, 0, ones, sizeof(ones)), sizeof(ones));
    assert_int_equal(cache_punch(m, 0, sizeof(ones)), 0); /* back to the allocator, full of ones */
    for (u64 i = 0; i < 5; i++)
        assert_int_equal(cache_reserve(m, i), 0);
    assert_int_equal(cache_reserve(m, 0), 0); /* there is one already */
    assert_int_equal(m->nrpages, 5);
    assert_int_equal(m->nrdirty, 5); /* in use, though nobody wrote */
    assert_null(cache_find(m, 0));
    u8 v = 1;
    assert_int_equal(host_load_u8(scene_addr(0) + 9, &v), 0);
    assert_int_equal(v, 0);
    assert_int_equal(host_store_u8(scene_addr(1) + 9, 7), 0);
    assert_int_equal(cache_read_kernel(m, 2 * PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
    for (u64 i = 0; i < PAGE_SIZE; i++)
        assert_int_equal(buf[i], 0);
    assert_null(cache_find(m, 2)); /* a reader gets zeros and leaves it as it is */
    assert_int_equal(cache_write_kernel(m, 3 * PAGE_SIZE + 1, ones, 1), 1);
    assert_int_equal(cache_read_kernel(m, PAGE_SIZE, buf, 4 * PAGE_SIZE), 4 * PAGE_SIZE);
    for (u64 i = 0; i < 4 * PAGE_SIZE; i++)
        assert_int_equal(buf[i], i == 9 ? 7 : i == 2 * PAGE_SIZE + 1 ? 0xff : 0);
    assert_int_equal(m->nrpages, 5);
    host_fail_nth(FAIL_PAGE_ALLOC, 1, true);
    assert_int_equal(cache_reserve(m, 6), -ENOMEM);
    host_fail_none();
    u64 beyond = DIV_ROUND_UP(m->size, PAGE_SIZE) + 1;
    assert_int_equal(cache_reserve(m, beyond), 0);
    assert_int_equal(cache_punch(m, beyond * PAGE_SIZE + 5, beyond * PAGE_SIZE + 9), 0);
    assert_int_equal(m->nrpages, 6);
    assert_int_equal(cache_truncate(m, m->size), 0); /* takes what was reserved beyond */
    assert_int_equal(m->nrpages, 5);
    assert_int_equal(cache_truncate(m, 4 * PAGE_SIZE + 100), 0);
    assert_int_equal(cache_truncate(m, 0), 0);
    assert_int_equal(m->nrpages, 0);
}

#define SCENE_TEST(fn) cmocka_unit_test_setup_teardown(fn, up, down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(shared_memory_against_the_model),
        SCENE_TEST(writes_reach_the_device),
        SCENE_TEST(whole_pages_are_not_read_before_they_are_written),
        SCENE_TEST(a_failing_device_is_told),
        SCENE_TEST(no_memory_for_the_cache),
        SCENE_TEST(a_hole_reads_as_zeros_and_keeps_its_neighbours),
        SCENE_TEST(user_memory_of_the_same_file),
        SCENE_TEST(reserved_pages_begin_as_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
