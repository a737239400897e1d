/* SPDX-License-Identifier: MIT */
#include "test.h"
#include <lib/list.h>

struct item {
    int v;
    struct list_head link;
};

/* The list as digits, forward; checks invariant 1 on the way. */
static const char *text(struct list_head *head)
{
    static char buf[32];
    size_t n = 0;
    struct item *it;
    list_for_each_entry (it, head, link) {
        assert_ptr_equal(it->link.next->prev, &it->link);
        assert_ptr_equal(it->link.prev->next, &it->link);
        buf[n++] = (char)('0' + it->v);
    }
    buf[n] = '\0';
    return buf;
}

static void fill(struct item *items, int n, int from, struct list_head *head)
{
    for (int i = 0; i < n; i++) {
        items[i].v = from + i;
        list_add_tail(&items[i].link, head);
    }
}

static void add_and_remove(void **state)
{
    LIST_HEAD(head);
    struct item it[4];
    assert_true(list_empty(&head));
    assert_null(list_first_entry_or_null(&head, struct item, link));
    fill(it, 3, 1, &head);
    assert_string_equal(text(&head), "123");
    it[3].v = 9;
    list_add(&it[3].link, &head);
    assert_string_equal(text(&head), "9123");
    assert_ptr_equal(list_first_entry(&head, struct item, link), &it[3]);
    assert_ptr_equal(list_last_entry(&head, struct item, link), &it[2]);
    list_del(&it[1].link);
    assert_ptr_equal(it[1].link.next, LIST_POISON_NEXT);
    assert_ptr_equal(it[1].link.prev, LIST_POISON_PREV);
    list_del_init(&it[0].link);
    assert_true(list_empty(&it[0].link));
    list_del_init(&it[0].link);
    assert_string_equal(text(&head), "93");
    assert_false(list_is_singular(&head));
    list_del(&it[3].link);
    assert_true(list_is_singular(&head));
    list_replace(&it[2].link, &it[0].link);
    assert_string_equal(text(&head), "1");
}

static void move_and_rotate(void **state)
{
    struct list_head a, b;
    struct item it[5];
    list_init(&a);
    list_init(&b);
    fill(it, 3, 1, &a);
    fill(it + 3, 2, 4, &b);
    list_move(&it[4].link, &a);
    assert_string_equal(text(&a), "5123");
    list_move_tail(&it[1].link, &b);
    assert_string_equal(text(&b), "42");
    list_rotate(&a);
    assert_string_equal(text(&a), "135");
    struct item *p;
    char back[4] = "";
    size_t n = 0;
    list_for_each_entry_reverse(p, &a, link) back[n++] = (char)('0' + p->v);
    assert_string_equal(back, "531");
}

static void splice(void **state)
{
    LIST_HEAD(a);
    LIST_HEAD(b);
    struct item it[6];
    list_splice_init(&b, &a);
    assert_true(list_empty(&a));
    fill(it, 2, 1, &a);
    fill(it + 2, 2, 3, &b);
    list_splice_init(&b, &a);
    assert_string_equal(text(&a), "3412");
    assert_true(list_empty(&b));
    fill(it + 4, 2, 5, &b);
    list_splice_tail_init(&b, &a);
    assert_string_equal(text(&a), "341256");
    assert_true(list_empty(&b));
}

static void remove_while_walking(void **state)
{
    LIST_HEAD(head);
    struct item it[6], *p, *tmp;
    fill(it, 6, 1, &head);
    list_for_each_entry_safe (p, tmp, &head, link) {
        if (p->v % 2)
            list_del(&p->link);
    }
    assert_string_equal(text(&head), "246");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_and_remove),
        cmocka_unit_test(move_and_rotate),
        cmocka_unit_test(splice),
        cmocka_unit_test(remove_while_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
