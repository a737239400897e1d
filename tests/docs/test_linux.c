/* SPDX-License-Identifier: MIT */
/*
 * docs/LINUX.md tells the truth about absent system calls: each call of kernel/syscall/numbers.h is either defined in
 * kernel/ by SYSCALL(name) (or a macro of capitals at the beginning of a line), or named in the block "absent" of the document, and never both.
 * And about faults: the bounds of tests/linux/fault_table.c are the rows of the block "faults", each with its reason.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MAX_CALLS 1024
static char defined[MAX_CALLS][40];
static size_t nr_defined;

static int scan(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *dot = strrchr(path, '.');
    char line[512];
    (void)st;
    (void)ftw;
    if (type != FTW_F || !dot || strcmp(dot, ".c"))
        return 0;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (nr_defined < MAX_CALLS && sscanf(line, "%*[A-Z_](%39[a-z0-9_]", defined[nr_defined]) == 1)
            nr_defined++;
    if (f)
        fclose(f);
    return 0;
}

static bool is_defined(const char *name)
{
    for (size_t i = 0; i < nr_defined; i++)
        if (!strcmp(defined[i], name))
            return true;
    return false;
}

/* The words between "```absent" and "```", as one string with a space on both sides of each. */
static char *absent_words(void)
{
    static char words[16384];
    char line[512];
    bool inside = false;
    FILE *f = fopen("docs/LINUX.md", "r");
    assert_non_null(f);
    strcpy(words, " ");
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "```", 3)) {
            inside = !strncmp(line, "```absent", 9);
        } else if (inside) {
            line[strcspn(line, "\n")] = ' ';
            strncat(words, line, sizeof(words) - strlen(words) - 1);
        }
    }
    fclose(f);
    return words;
}

static void absent_calls_are_listed(void **state)
{
    char line[256], name[40], word[48];
    const char *absent = absent_words();
    size_t calls = 0, wrong = 0;
    unsigned nr;
    (void)state;
    nftw("kernel", scan, 16, FTW_PHYS);
    FILE *f = fopen("kernel/syscall/numbers.h", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "X(%u, %39[a-z0-9_])", &nr, name) != 2)
            continue;
        calls++;
        snprintf(word, sizeof(word), " %s ", name);
        bool listed = strstr(absent, word) != NULL;
        if (listed == is_defined(name)) {
            print_error("%s: %s\n", name, listed ? "listed as absent, but there" : "absent, but not listed");
            wrong++;
        }
    }
    fclose(f);
    assert_true(calls > 350);
    assert_int_equal(wrong, 0);
}

/* "name minor|pte number" of each BOUND(name, minor, pte) of the program; returns how many. */
static size_t bounds_of_program(char out[][80], size_t room)
{
    char line[512], name[40];
    size_t n = 0;
    long minor, pte;
    FILE *f = fopen("tests/linux/fault_table.c", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        for (char *at = line; (at = strstr(at, "BOUND(")); at++) {
            if (sscanf(at, "BOUND(%39[a-z0-9_], %ld, %ld)", name, &minor, &pte) != 3)
                continue;
            if (minor >= 0 && n < room)
                snprintf(out[n++], 80, "%s minor %ld ", name, minor);
            if (pte >= 0 && n < room)
                snprintf(out[n++], 80, "%s pte %ld ", name, pte);
        }
    }
    fclose(f);
    return n;
}

static void lower_fault_counts_have_reasons(void **state)
{
    static char bounds[64][80];
    size_t n = bounds_of_program(bounds, 64), rows = 0;
    char line[512];
    bool inside = false;
    FILE *f = fopen("docs/LINUX.md", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "```", 3)) {
            inside = !strncmp(line, "```faults", 9);
            continue;
        }
        if (!inside)
            continue;
        size_t k = 0;
        while (k < n && strncmp(line, bounds[k], strlen(bounds[k])))
            k++;
        if (k == n)
            fail_msg("no bound in fault_table.c: %s", line);
        assert_true(strlen(line) > strlen(bounds[k]) + 10); /* a reason */
        rows++;
    }
    fclose(f);
    assert_int_equal(rows, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(absent_calls_are_listed), cmocka_unit_test(lower_fault_counts_have_reasons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
