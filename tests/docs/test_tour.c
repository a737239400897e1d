/* SPDX-License-Identifier: MIT */
/*
 * docs/TOUR.md stays true: every function it names (`name()`) is defined somewhere in the tree, and every file it links to is
 * there. Run from the top of the tree, as `make check` does.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char *sources; /* the text of every .c, .h and .S file, one after another */
static size_t sources_len;

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = NULL;
    size_t n = 0, got;
    do {
        text = realloc(text, n + 65537);
        got = fread(text + n, 1, 65536, f);
        n += got;
    } while (got);
    text[n] = 0;
    fclose(f);
    *len = n;
    return text;
}

static int add_source(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *dot = strrchr(path, '.');
    (void)st;
    (void)ftw;
    if (type != FTW_F || !dot || (strcmp(dot, ".c") && strcmp(dot, ".h") && strcmp(dot, ".S")))
        return 0;
    size_t len;
    char *text = slurp(path, &len);
    if (!text)
        return 0;
    sources = realloc(sources, sources_len + len + 1);
    memcpy(sources + sources_len, text, len + 1);
    sources_len += len;
    free(text);
    return 0;
}

/* A definition: the name at the end of a line's beginning that is not indented, followed by '('. */
static bool is_defined(const char *name, size_t len)
{
    for (const char *at = sources; (at = strstr(at, name)); at += len) {
        if (at[len] != '(' || at == sources || isalnum((unsigned char)at[-1]) || at[-1] == '_')
            continue;
        const char *line = at;
        while (line > sources && line[-1] != '\n')
            line--;
        if (!isspace((unsigned char)*line) && *line != '*' && *line != '#' && *line != '/')
            return true;
    }
    return false;
}

static void functions_exist(void **state)
{
    size_t len, checked = 0, missing = 0;
    char *tour = slurp("docs/TOUR.md", &len);
    (void)state;
    assert_non_null(tour);
    for (const char *p = tour; (p = strchr(p, '`')); p++) {
        const char *name = p + 1, *q = name;
        while (isalnum((unsigned char)*q) || *q == '_')
            q++;
        if (q == name || strncmp(q, "()`", 3))
            continue;
        char buf[64];
        snprintf(buf, sizeof(buf), "%.*s", (int)(q - name), name);
        if (!is_defined(buf, (size_t)(q - name)))
            print_error("docs/TOUR.md names %s(), which is defined nowhere\n", buf), missing++;
        checked++;
    }
    free(tour);
    assert_int_equal(missing, 0);
    assert_true(checked >= 20);
}

static void links_exist(void **state)
{
    size_t len, checked = 0, missing = 0;
    char *tour = slurp("docs/TOUR.md", &len);
    (void)state;
    assert_non_null(tour);
    for (const char *p = tour; (p = strstr(p, "](")); p += 2) {
        char path[256];
        const char *end = strchr(p, ')');
        assert_non_null(end);
        snprintf(path, sizeof(path), "docs/%.*s", (int)(end - p - 2), p + 2);
        if (access(path, F_OK))
            print_error("docs/TOUR.md links to %s, which is not there\n", path), missing++;
        checked++;
    }
    free(tour);
    assert_int_equal(missing, 0);
    assert_true(checked >= 10);
}

static int load(void **state)
{
    static const char *const roots[] = {"lib", "mm", "include", "arch", "kernel", "host"};
    (void)state;
    for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++)
        nftw(roots[i], add_source, 16, FTW_PHYS);
    return sources ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    free(sources);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(functions_exist), cmocka_unit_test(links_exist)};
    return cmocka_run_group_tests(tests, load, unload);
}
