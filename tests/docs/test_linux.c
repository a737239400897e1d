/* SPDX-License-Identifier: MIT */
/*
 * docs/LINUX.md tells the truth about absent system calls: each call of kernel/syscall/numbers.h is either defined in
 * kernel/ by SYSCALL(name) (or a macro of capitals at the beginning of a line), or named in the block "absent" of the document, and never both.
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(absent_calls_are_listed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
