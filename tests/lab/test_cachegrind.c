/* SPDX-License-Identifier: MIT */
/*
 * The translation buffers against Cachegrind: caches whose lines are pages are TLBs, so a lackey trace of a program played here must give
 * all six of its counters. Skipped where valgrind is not installed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lab/tlb.h"
#include "../../lab/trace.h"

static const char *const programs[] = {
    "/bin/true",
    "/bin/ls /etc",
    "/bin/sh -c 'i=0; while [ $i -lt 100 ]; do i=$((i + 1)); done'",
    "/usr/bin/sort -r /etc/passwd",
    "/usr/bin/awk 'BEGIN { for (i = 0; i < 2000; i++) a[i * 7919 % 10007] = i \"\" }'",
    "/bin/sed -n s/a/b/gp /etc/passwd",
};

static bool have_valgrind(void)
{
    return system("valgrind --version >/dev/null 2>&1") == 0;
}

/* "==1== I1  misses:   1,353 (  1,304 rd   +      49 wr)": the numbers of the line that begins so. */
static int numbers_of(const char *log, const char *label, uint64_t *out, int most)
{
    const char *s = strstr(log, label);
    int n = 0;
    assert_non_null(s);
    for (s += strlen(label); *s && *s != '\n' && n < most; s++) {
        if (*s < '0' || *s > '9')
            continue;
        uint64_t v = 0;
        for (; (*s >= '0' && *s <= '9') || *s == ','; s++)
            if (*s != ',')
                v = v * 10 + (uint64_t)(*s - '0');
        out[n++] = v;
    }
    return n;
}

static void ask_cachegrind(const char *program, uint64_t want[NR_TLB_COUNTS])
{
    char command[1024];
    static char log[1 << 16];
    snprintf(command, sizeof(command),
             "valgrind --tool=cachegrind --cache-sim=yes --I1=524288,8,4096 --D1=262144,4,4096 --LL=6291456,12,4096 "
             "--cachegrind-out-file=/dev/null --log-fd=9 %s 9>&1 >/dev/null 2>/dev/null </dev/null",
             program);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    log[fread(log, 1, sizeof(log) - 1, f)] = 0;
    pclose(f);
    uint64_t v[3];
    numbers_of(log, "I   refs:", &want[TLB_FETCHES], 1);
    numbers_of(log, "I1  misses:", &want[TLB_I1], 1);
    numbers_of(log, "LLi misses:", &want[TLB_I2], 1);
    assert_int_equal(numbers_of(log, "D   refs:", v, 3), 3);
    want[TLB_LOADS] = v[1];
    want[TLB_STORES] = v[2];
    assert_int_equal(numbers_of(log, "D1  misses:", v, 3), 3);
    want[TLB_DR1] = v[1];
    want[TLB_DW1] = v[2];
    assert_int_equal(numbers_of(log, "LLd misses:", v, 3), 3);
    want[TLB_DR2] = v[1];
    want[TLB_DW2] = v[2];
}

static void play_lackey(const char *program, struct tlb_pair *tlb)
{
    char command[1024], path[32], why[512];
    static struct trace_ref refs[4096];
    snprintf(command, sizeof(command), "valgrind --tool=lackey --trace-mem=yes --log-fd=9 %s 9>&1 >/dev/null 2>/dev/null </dev/null", program);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    snprintf(path, sizeof(path), "/dev/fd/%d", fileno(f));
    struct trace *t = trace_open(path, NULL, why, sizeof(why));
    assert_non_null(t);
    long n;
    while ((n = trace_read(t, refs, 4096)) > 0)
        tlb_pair_play(tlb, refs, (uint64_t)n);
    if (n < 0)
        fail_msg("%s", trace_error(t));
    trace_close(t);
    pclose(f);
}

static void six_counters(void **state)
{
    static const uint32_t fetch[2] = {128, 8}, data[2] = {64, 4}, shared[2] = {1536, 12};
    if (!have_valgrind())
        skip();
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct tlb_pair tlb;
        uint64_t want[NR_TLB_COUNTS];
        assert_int_equal(tlb_pair_init(&tlb, fetch, data, shared), 0);
        ask_cachegrind(programs[i], want);
        play_lackey(programs[i], &tlb);
        for (unsigned c = 0; c < NR_TLB_COUNTS; c++)
            if (tlb.count[c] != want[c])
                fail_msg("%s: counter %u is %llu here, %llu in Cachegrind", programs[i], c, (unsigned long long)tlb.count[c],
                         (unsigned long long)want[c]);
        tlb_pair_free(&tlb);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(six_counters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
