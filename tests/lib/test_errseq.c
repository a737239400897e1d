/* SPDX-License-Identifier: MIT */
/* Errors that each observer is told once. */
#include "test.h"
#include <lib/errno.h>
#include <lib/errseq.h>

static void each_observer_is_told_once(void **state)
{
    errseq_t e = 0, a = errseq_sample(&e), b = errseq_sample(&e);
    assert_int_equal(errseq_check(&e, &a), 0);
    errseq_set(&e, -EIO);
    assert_int_equal(errseq_check(&e, &a), -EIO);
    assert_int_equal(errseq_check(&e, &a), 0);
    assert_int_equal(errseq_check(&e, &b), -EIO);
    assert_int_equal(errseq_check(&e, &b), 0);
}

static void who_comes_later_hears_only_what_nobody_heard(void **state)
{
    errseq_t e = 0;
    errseq_set(&e, -ENOSPC);
    errseq_t a = errseq_sample(&e);
    assert_int_equal(errseq_check(&e, &a), -ENOSPC);
    errseq_t b = errseq_sample(&e);
    assert_int_equal(errseq_check(&e, &b), 0);
    errseq_set(&e, -EIO);
    assert_int_equal(errseq_check(&e, &b), -EIO);
    assert_int_equal(errseq_check(&e, &a), -EIO);
}

static void the_same_error_again_is_news(void **state)
{
    errseq_t e = 0, a = 0;
    for (int i = 0; i < 5; i++) {
        errseq_set(&e, -EIO);
        assert_int_equal(errseq_check(&e, &a), -EIO);
        assert_int_equal(errseq_check(&e, &a), 0);
    }
    errseq_set(&e, -EIO);
    errseq_set(&e, -ENOSPC); /* unseen errors are replaced: the last one counts */
    assert_int_equal(errseq_check(&e, &a), -ENOSPC);
    assert_int_equal(errseq_check(&e, &a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_observer_is_told_once),
        cmocka_unit_test(who_comes_later_hears_only_what_nobody_heard),
        cmocka_unit_test(the_same_error_again_is_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
