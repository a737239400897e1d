/* SPDX-License-Identifier: MIT */
/* Translation buffers against a plain model, and against Cachegrind's six counters on real programs (test_cachegrind.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lab/machine.h"
#include "../../lab/tlb.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t seed = 1;
static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % n);
}

/* Each page's last use: it is there when fewer than `ways` others of its set were used since. */
static void any_shape_is_lru_by_set(void **state)
{
    static const uint32_t shapes[][2] = {{1, 1}, {1, 4}, {16, 1}, {16, 4}, {128, 12}, {3, 5}, {7, 2}};
    enum { PAGES = 600 };
    for (size_t s = 0; s < LEN(shapes); s++) {
        struct tlb t;
        uint64_t used[PAGES] = {0};
        assert_int_equal(tlb_init(&t, shapes[s][0], shapes[s][1]), 0);
        for (uint64_t now = 1; now < 20000; now++) {
            uint32_t p = draw(4) ? draw(40) : draw(PAGES), younger = 0;
            for (uint32_t q = p % shapes[s][0]; q < PAGES; q += shapes[s][0])
                younger += used[q] > used[p];
            assert_int_equal(tlb_miss(&t, p), !used[p] || younger >= shapes[s][1]);
            used[p] = now;
        }
        tlb_flush(&t);
        assert_true(tlb_miss(&t, 1));
        tlb_free(&t);
    }
}

static void bad_shapes(void **state)
{
    struct tlb_pair p;
    static const uint32_t good[2] = {64, 4}, odd[2] = {64, 3}, none[2] = {64, 0}, huge[2] = {1u << 30, 1};
    assert_int_equal(tlb_pair_init(&p, good, odd, good), -EINVAL);
    assert_int_equal(tlb_pair_init(&p, none, good, good), -EINVAL);
    assert_int_equal(tlb_pair_init(&p, good, good, huge), -EINVAL);
}

static void counts_by_kind(void **state)
{
    static const uint32_t one[2] = {1, 1}, two[2] = {2, 2};
    static const struct trace_ref refs[] = {
        {.addr = 0x1000, .size = 4, .count = 3, .kind = REF_FETCH}, /* miss, miss */
        {.addr = 0x1000, .size = 4, .count = 1, .kind = REF_LOAD},  /* miss in data, hit in shared */
        {.addr = 0x1ffe, .size = 4, .count = 1, .kind = REF_STORE}, /* pages 1 and 2: one miss in each level */
        {.addr = 0x2000, .size = 4, .count = 9, .kind = REF_MODIFY}, /* there, nine times */
        {.addr = 0x1000, .size = 4, .count = 1, .kind = REF_MODIFY}, /* miss in data, hit in shared */
    };
    struct tlb_pair p;
    assert_int_equal(tlb_pair_init(&p, one, one, two), 0);
    tlb_pair_play(&p, refs, LEN(refs));
    static const uint64_t want[NR_TLB_COUNTS] = {1, 1, 2, 0, 1, 1, 3, 11, 1};
    for (unsigned i = 0; i < NR_TLB_COUNTS; i++)
        assert_int_equal(p.count[i], want[i]);
    tlb_pair_free(&p);
}

static void descriptions(void **state)
{
    struct machine m;
    char why[256], path[] = "/tmp/pagoda-machine-XXXXXX";
    machine_default(&m);
    assert_int_equal(machine_set(&m, "tlb.data=72x6", why, sizeof(why)), 0);
    assert_int_equal(m.data[0], 72);
    assert_int_equal(m.data[1], 6);
    static const char *const bad[][2] = {
        {"tlb.data", "is not KEY=VALUE"}, {"tlb.data=7x2", "that its ways divide"}, {"tlb.data=x", "as in 64x4"},
        {"tlb.data=64x4x", "as in 64x4"}, {"tlb.nope=1", "no 'tlb.nope'"},        {"tlb.fetch=99999999x1", "up to 2^24"},
    };
    for (size_t i = 0; i < LEN(bad); i++) {
        assert_int_equal(machine_set(&m, bad[i][0], why, sizeof(why)), -1);
        assert_non_null(strstr(why, bad[i][1]));
    }
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs("; a small one\n[machine]\nname = toy\n[tlb]\nfetch = 4x4\nshared = 8x3\n", f);
    fclose(f);
    assert_int_equal(machine_read(&m, path, why, sizeof(why)), -1);
    char want[80];
    snprintf(want, sizeof(want), "%s:6: tlb.shared", path);
    assert_non_null(strstr(why, want));
    assert_string_equal(m.name, "toy");
    assert_int_equal(m.fetch[0], 4);
    remove(path);
    assert_int_equal(machine_read(&m, path, why, sizeof(why)), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_shape_is_lru_by_set),
        cmocka_unit_test(bad_shapes),
        cmocka_unit_test(counts_by_kind),
        cmocka_unit_test(descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
