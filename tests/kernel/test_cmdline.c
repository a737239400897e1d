/* SPDX-License-Identifier: MIT */
/* The command line's leavings for the first program. */
#include "../lib/test.h"
#include "../../kernel/cmdline.c"

static struct init_args a;
static char line[4096];

static void split(const char *text)
{
    snprintf(line, sizeof(line), "%s", text);
    cmdline_split(line, &a);
}

static void nothing(void **state)
{
    split("  ");
    assert_int_equal(a.argc, 1);
    assert_int_equal(a.envc, 2);
    assert_string_equal(a.envp[0], "HOME=/");
    assert_string_equal(a.envp[1], "TERM=linux");
    assert_null(a.envp[2]);
    assert_null(a.init);
}

static void kernel_words_stay(void **state)
{
    split("console=ttyS0 quiet panic=-1 ro root=/dev/vda zswap.enabled=1 nosmp single FOO=bar");
    assert_int_equal(a.argc, 2);
    assert_string_equal(a.argv[1], "single");
    assert_int_equal(a.envc, 3);
    assert_string_equal(a.envp[2], "FOO=bar");
}

static void init_and_what_follows(void **state)
{
    split("early init=/bin/sh rdinit=/x late -- -c \"echo hi\" quiet A=b");
    assert_string_equal(a.init, "/bin/sh");
    assert_string_equal(a.rdinit, "/x");
    assert_int_equal(a.argc, 6);
    assert_string_equal(a.argv[1], "late");
    assert_string_equal(a.argv[2], "-c");
    assert_string_equal(a.argv[3], "echo hi");
    assert_string_equal(a.argv[4], "quiet");
    assert_string_equal(a.argv[5], "A=b");
    assert_null(a.argv[6]);
}

static void the_last_value_counts(void **state)
{
    split("TERM=vt100 X=1 X=2 TERMX=3");
    assert_int_equal(a.envc, 4);
    assert_string_equal(a.envp[1], "TERM=vt100");
    assert_string_equal(a.envp[2], "X=2");
    assert_string_equal(a.envp[3], "TERMX=3");
}

static void too_many(void **state)
{
    char text[2000] = "";
    for (int i = 0; i < 100; i++)
        sprintf(text + strlen(text), "w%d v%d=1 ", i, i);
    split(text);
    assert_int_equal(a.argc, INIT_MAX);
    assert_int_equal(a.envc, INIT_MAX);
    assert_null(a.argv[a.argc]);
    assert_null(a.envp[a.envc]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing),
        cmocka_unit_test(kernel_words_stay),
        cmocka_unit_test(init_and_what_follows),
        cmocka_unit_test(the_last_value_counts),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
