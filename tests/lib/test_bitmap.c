/* SPDX-License-Identifier: MIT */
/* Bitmaps against a plain array of bools, at random, with lengths around the ends of words. */
#include "test.h"
#include <lib/bitmap.h>
#include <lib/rand.h>

enum { MOST = 300 };

struct model {
    bool bit[MOST];
    u64 map[BITMAP_WORDS(MOST) + 1];
    u64 nbits;
};

static u64 model_next(const struct model *m, u64 from, bool want)
{
    for (u64 i = from; i < m->nbits; i++) {
        if (m->bit[i] == want)
            return i;
    }
    return m->nbits;
}

static u64 model_prev_set(const struct model *m, u64 before)
{
    while (before-- > 0) {
        if (m->bit[before])
            return before;
    }
    return m->nbits;
}

static u64 model_zero_range(const struct model *m, u64 from, u64 n, u64 align)
{
    for (u64 a = ALIGN_UP(from, align); a + n <= m->nbits; a += align) {
        if (model_next(m, a, true) >= a + n)
            return a;
    }
    return m->nbits;
}

static void change(struct model *m, struct rand *r)
{
    u64 start = rand_below(r, m->nbits), n = rand_below(r, m->nbits - start + 1);
    bool set = rand_below(r, 2);
    if (rand_below(r, 2))
        n = min(n, 3UL);
    if (set)
        bitmap_set_range(m->map, start, n);
    else
        bitmap_clear_range(m->map, start, n);
    memset(m->bit + start, set, n);
}

static void compare(const struct model *m, struct rand *r)
{
    u64 from = rand_below(r, m->nbits + 2), weight = 0;
    assert_int_equal(bitmap_find_next_set(m->map, m->nbits, from), model_next(m, from, true));
    assert_int_equal(bitmap_find_next_zero(m->map, m->nbits, from), model_next(m, from, false));
    assert_int_equal(bitmap_find_first_set(m->map, m->nbits), model_next(m, 0, true));
    assert_int_equal(bitmap_find_first_zero(m->map, m->nbits), model_next(m, 0, false));
    u64 before = min(from, m->nbits);
    assert_int_equal(bitmap_find_prev_set(m->map, m->nbits, before), model_prev_set(m, before));
    u64 n = 1 + rand_below(r, 70), align = 1UL << rand_below(r, 6);
    assert_int_equal(bitmap_find_zero_range(m->map, m->nbits, from, n, align),
                     model_zero_range(m, from, n, align));
    for (u64 i = 0; i < m->nbits; i++)
        weight += m->bit[i];
    assert_int_equal(bitmap_weight(m->map, m->nbits), weight);
    assert_int_equal(bitmap_empty(m->map, m->nbits), weight == 0);
    assert_int_equal(bitmap_full(m->map, m->nbits), weight == m->nbits);
    u64 bit, walked = 0;
    for_each_set_bit(bit, m->map, m->nbits)
    {
        assert_true(m->bit[bit]);
        walked++;
    }
    assert_int_equal(walked, weight);
}

static void random_against_model(void **state)
{
    struct rand r;
    rand_init(&r, 1);
    for (u32 round = 0; round < 200; round++) {
        static const u64 sizes[] = {1, 63, 64, 65, 127, 128, 129, 300};
        struct model m = {.nbits = sizes[round % ARRAY_SIZE(sizes)]};
        /* Bits beyond the end must neither matter nor change. */
        u64 junk = round & 8 ? U64_MAX : 0, last = BITMAP_WORDS(m.nbits);
        u64 outside = m.nbits % 64 ? U64_MAX << (m.nbits % 64) : 0;
        m.map[last - 1] = junk & outside;
        m.map[last] = junk;
        for (u32 op = 0; op < 100; op++) {
            change(&m, &r);
            compare(&m, &r);
        }
        assert_true((m.map[last - 1] & outside) == (junk & outside));
        assert_true(m.map[last] == junk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
