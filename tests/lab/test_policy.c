/* SPDX-License-Identifier: MIT */
/* Replacement policies: textbooks' tables, and what must hold on any string. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lab/policy.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t misses_of(const char *name, uint32_t frames, const uint32_t *s, size_t n, uint32_t pages)
{
    const struct policy_ops *ops = policy_find(name);
    assert_non_null(ops);
    struct policy *p = policy_new(ops, frames);
    assert_non_null(p);
    assert_int_equal(policy_grow(p, pages), 0);
    if (ops->needs_future)
        assert_int_equal(policy_min_prepare(p, s, n, pages), 0);
    uint64_t misses = 0;
    for (size_t i = 0, step; i < n; i += step) { /* in pieces: a policy keeps its state from call to call */
        step = n - i < 7 ? n - i : 7;
        misses += policy_play(p, s + i, step);
        assert_in_range(policy_resident(p), 1, frames);
    }
    policy_free(p);
    return misses;
}

/* Arpaci-Dusseau, Operating Systems: Three Easy Pieces, chapter 22: cold misses included. */
static void three_easy_pieces(void **state)
{
    static const uint32_t s[] = {0, 1, 2, 0, 1, 3, 0, 3, 1, 2, 1};
    assert_int_equal(misses_of("MIN", 3, s, LEN(s), 4), 5);
    assert_int_equal(misses_of("LRU", 3, s, LEN(s), 4), 5);
    assert_int_equal(misses_of("FIFO", 3, s, LEN(s), 4), 7);
}

/* Belady, Nelson, Shedler 1969: more frames, more faults. */
static void beladys_anomaly(void **state)
{
    static const uint32_t s[] = {1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5};
    static const struct {
        const char *name;
        unsigned misses[3];
    } table[] = {{"FIFO", {9, 10, 5}}, {"LRU", {10, 8, 5}}, {"MIN", {7, 6, 5}}};
    for (size_t i = 0; i < LEN(table); i++)
        for (unsigned f = 3; f <= 5; f++)
            assert_int_equal(misses_of(table[i].name, f, s, LEN(s), 6), table[i].misses[f - 3]);
}

/* Silberschatz, Galvin, Gagne, Operating System Concepts, section 10.4. */
static void operating_system_concepts(void **state)
{
    static const uint32_t s[] = {7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1};
    assert_int_equal(misses_of("FIFO", 3, s, LEN(s), 8), 15);
    assert_int_equal(misses_of("LRU", 3, s, LEN(s), 8), 12);
    assert_int_equal(misses_of("MIN", 3, s, LEN(s), 8), 9);
}

/* java.util.Random(42).nextInt(50): the generator is given in its documentation. */
static void javas_random(void **state)
{
    uint32_t s[2000];
    uint64_t x = (42 ^ 0x5deece66dull) & ((1ull << 48) - 1);
    for (size_t i = 0; i < LEN(s); i++) {
        uint32_t bits;
        do {
            x = (x * 0x5deece66dull + 11) & ((1ull << 48) - 1);
            bits = (uint32_t)(x >> 17);
        } while (bits - bits % 50 + 49 > INT32_MAX);
        s[i] = bits % 50;
    }
    assert_int_equal(misses_of("MIN", 8, s, LEN(s), 50), 1129);
}

/* ---- any string ---- */

static uint64_t seed;
static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % n);
}

/* Scans, loops and popular pages in turn. */
static void fill(uint32_t *s, size_t n, uint32_t pages)
{
    for (size_t i = 0; i < n;) {
        unsigned kind = draw(3);
        uint32_t start = draw(pages), len = 1 + draw(pages);
        for (uint32_t k = 0; k < len && i < n; k++, i++)
            s[i] = kind == 0 ? (start + k) % pages : kind == 1 ? (start + k % 5) % pages : draw(1 + draw(pages));
    }
}

static void nothing_beats_min(void **state)
{
    static uint32_t s[3000];
    for (seed = 1; seed < 60; seed++) {
        uint64_t keep = seed;
        uint32_t pages = 2 + draw(60), frames = 1 + draw(40);
        fill(s, LEN(s), pages);
        uint64_t least = misses_of("MIN", frames, s, LEN(s), pages);
        for (unsigned i = 0; policy_at(i); i++) {
            uint64_t m = misses_of(policy_at(i)->name, frames, s, LEN(s), pages);
            assert_in_range(m, least, LEN(s));
            if (frames >= pages)
                assert_int_equal(m, least);
        }
        seed = keep;
    }
}

/* The plain form of MIN: look ahead for each resident page. */
static uint64_t min_by_looking(uint32_t frames, const uint32_t *s, size_t n)
{
    uint32_t in[64], used = 0;
    uint64_t misses = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t k = 0, worst = 0;
        size_t farthest = 0;
        while (k < used && in[k] != s[i])
            k++;
        if (k < used)
            continue;
        misses++;
        for (k = 0; k < used; k++) {
            size_t d = i + 1;
            while (d < n && s[d] != in[k])
                d++;
            if (d > farthest) {
                farthest = d;
                worst = k;
            }
        }
        in[used < frames ? used++ : worst] = s[i];
    }
    return misses;
}

static void min_is_the_optimum_by_definition(void **state)
{
    static uint32_t s[400];
    for (seed = 100; seed < 130; seed++) {
        uint64_t keep = seed;
        uint32_t pages = 2 + draw(40), frames = 1 + draw(30);
        fill(s, LEN(s), pages);
        assert_int_equal(misses_of("MIN", frames, s, LEN(s), pages), min_by_looking(frames, s, LEN(s)));
        seed = keep;
    }
}

/* Stack algorithms: what is resident with f frames is so with f + 1; so misses never rise. */
static void lru_and_min_include(void **state)
{
    static uint32_t s[2000];
    for (seed = 200; seed < 220; seed++) {
        uint64_t keep = seed;
        uint32_t pages = 2 + draw(50);
        fill(s, LEN(s), pages);
        uint64_t lru = UINT64_MAX, min = UINT64_MAX;
        for (uint32_t f = 1; f <= pages; f++) {
            uint64_t l = misses_of("LRU", f, s, LEN(s), pages), m = misses_of("MIN", f, s, LEN(s), pages);
            assert_true(l <= lru && m <= min);
            lru = l;
            min = m;
        }
        seed = keep;
    }
}

static void the_curve_is_lru_at_each_size(void **state)
{
    static uint32_t s[30000];
    for (seed = 300; seed < 306; seed++) {
        uint64_t keep = seed;
        uint32_t pages = seed & 1 ? 3000 : 2 + draw(100);
        fill(s, LEN(s), pages);
        struct lru_curve *c = lru_curve_new();
        assert_non_null(c);
        for (size_t i = 0; i < LEN(s); i += 1000) {
            uint32_t most = 0;
            for (size_t k = 0; k < i + 1000; k++)
                most = s[k] > most ? s[k] : most;
            assert_int_equal(lru_curve_play(c, s + i, 1000, most + 1), 0);
        }
        for (uint32_t f = 1; f <= pages + 1; f += 1 + pages / 16)
            assert_int_equal(lru_curve_misses(c, f), misses_of("LRU", f, s, LEN(s), pages));
        lru_curve_free(c);
        seed = keep;
    }
}

static void second_chance_is_clock(void **state)
{
    static uint32_t s[3000];
    for (seed = 400; seed < 430; seed++) {
        uint64_t keep = seed;
        uint32_t pages = 2 + draw(60), frames = 1 + draw(40);
        fill(s, LEN(s), pages);
        assert_int_equal(misses_of("second-chance", frames, s, LEN(s), pages), misses_of("CLOCK", frames, s, LEN(s), pages));
        seed = keep;
    }
}

/* A loop over one page more than fits: LRU misses always, ARC's and S3-FIFO's ghosts help, MRU keeps nearly all. */
static void a_loop(void **state)
{
    static uint32_t s[11 * 100];
    for (size_t i = 0; i < LEN(s); i++)
        s[i] = i % 11;
    assert_int_equal(misses_of("LRU", 10, s, LEN(s), 11), LEN(s));
    assert_int_equal(misses_of("FIFO", 10, s, LEN(s), 11), LEN(s));
    assert_int_equal(misses_of("MRU", 10, s, LEN(s), 11), 11 + (LEN(s) - 11) / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_easy_pieces),
        cmocka_unit_test(beladys_anomaly),
        cmocka_unit_test(operating_system_concepts),
        cmocka_unit_test(javas_random),
        cmocka_unit_test(nothing_beats_min),
        cmocka_unit_test(min_is_the_optimum_by_definition),
        cmocka_unit_test(lru_and_min_include),
        cmocka_unit_test(the_curve_is_lru_at_each_size),
        cmocka_unit_test(second_chance_is_clock),
        cmocka_unit_test(a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
