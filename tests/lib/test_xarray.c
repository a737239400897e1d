/* SPDX-License-Identifier: MIT */
/*
 * The xarray against a table of every index that the test uses, with the validator after every
 * operation, and with every allocation failing in turn.
 */
#include "test.h"
#include <lib/rand.h>
#include <lib/xarray.h>

static u64 live_nodes;
static s64 fail_after = -1; /* allocations that still succeed; -1: all */

static void *node_alloc(void)
{
    if (fail_after == 0)
        return NULL;
    if (fail_after > 0)
        fail_after--;
    void *p = aligned_alloc(8, sizeof(struct xa_node));
    assert_non_null(p);
    memset(p, 0xa5, sizeof(struct xa_node));
    live_nodes++;
    return p;
}

static void node_free(void *node)
{
    assert_true(live_nodes > 0);
    live_nodes--;
    free(node);
}

static const struct xa_ops ops = {.alloc = node_alloc, .free_rcu = node_free};

static void *entry(u64 v)
{
    return (void *)(v * 8 + 0x10000);
}

static void small_and_large(void **state)
{
    struct xarray xa = XA_INIT(&ops);
    void *old = &xa;
    assert_true(xa_empty(&xa));
    assert_null(xa_load(&xa, 0));
    assert_int_equal(xa_store(&xa, 0, entry(1), &old), 0);
    assert_null(old);
    assert_int_equal(live_nodes, 0);
    assert_ptr_equal(xa_load(&xa, 0), entry(1));
    assert_null(xa_load(&xa, 1));
    assert_int_equal(xa_store(&xa, 63, entry(2), NULL), 0);
    assert_int_equal(live_nodes, 1);
    assert_int_equal(xa_store(&xa, 64, entry(3), NULL), 0);
    assert_int_equal(live_nodes, 3);
    assert_int_equal(xa_store(&xa, U64_MAX, entry(4), NULL), 0);
    assert_valid(xa_validate(&xa));
    assert_ptr_equal(xa_load(&xa, 0), entry(1));
    assert_ptr_equal(xa_load(&xa, 63), entry(2));
    assert_ptr_equal(xa_load(&xa, 64), entry(3));
    assert_ptr_equal(xa_load(&xa, U64_MAX), entry(4));
    assert_null(xa_load(&xa, 1UL << 63));
    assert_ptr_equal(xa_erase(&xa, U64_MAX), entry(4));
    assert_int_equal(live_nodes, 3);
    assert_int_equal(xa_store(&xa, 64, NULL, &old), 0);
    assert_ptr_equal(old, entry(3));
    assert_int_equal(live_nodes, 1);
    assert_null(xa_erase(&xa, 64));
    assert_ptr_equal(xa_erase(&xa, 63), entry(2));
    assert_int_equal(live_nodes, 0);
    assert_ptr_equal(xa_erase(&xa, 0), entry(1));
    assert_null(xa_erase(&xa, 0));
    assert_true(xa_empty(&xa));
}

static void values_and_insert(void **state)
{
    struct xarray xa = XA_INIT(&ops);
    void *old;
    for (u64 v = 0; v < 8; v++) {
        assert_true(xa_is_value(xa_mk_value(v)));
        assert_int_equal(xa_to_value(xa_mk_value(v)), v);
        assert_int_equal(xa_insert(&xa, v, xa_mk_value(v)), 0);
        assert_int_equal(xa_insert(&xa, v, entry(v)), -EBUSY);
        assert_valid(xa_validate(&xa));
    }
    assert_false(xa_is_value(entry(1)));
    for (u64 v = 0; v < 8; v++)
        assert_int_equal(xa_to_value(xa_load(&xa, v)), v);
    assert_int_equal(xa_store(&xa, 5, entry(5), &old), 0);
    assert_true(xa_is_value(old) && xa_to_value(old) == 5);
    xa_destroy(&xa);
    assert_int_equal(live_nodes, 0);
    assert_int_equal(xa_insert(&xa, 0, entry(1)), 0);
    assert_int_equal(xa_insert(&xa, 0, entry(2)), -EBUSY);
    xa_destroy(&xa);
    assert_true(xa_empty(&xa));
}

static void marks(void **state)
{
    struct xarray xa = XA_INIT(&ops);
    xa_set_mark(&xa, 0, XA_MARK_0);
    assert_false(xa_get_mark(&xa, 0, XA_MARK_0));
    assert_int_equal(xa_store(&xa, 0, entry(0), NULL), 0);
    xa_set_mark(&xa, 0, XA_MARK_1);
    assert_true(xa_marked(&xa, XA_MARK_1) && !xa_marked(&xa, XA_MARK_0));
    assert_int_equal(xa_store(&xa, 5000, entry(1), NULL), 0);
    assert_true(xa_get_mark(&xa, 0, XA_MARK_1));
    xa_set_mark(&xa, 5000, XA_MARK_2);
    xa_set_mark(&xa, 4999, XA_MARK_2);
    assert_false(xa_get_mark(&xa, 4999, XA_MARK_2));
    assert_valid(xa_validate(&xa));
    assert_int_equal(xa_store(&xa, 5000, entry(2), NULL), 0);
    assert_true(xa_get_mark(&xa, 5000, XA_MARK_2));
    assert_ptr_equal(xa_erase(&xa, 5000), entry(2));
    assert_true(xa_get_mark(&xa, 0, XA_MARK_1));
    assert_false(xa_marked(&xa, XA_MARK_2));
    assert_int_equal(live_nodes, 0);
    xa_clear_mark(&xa, 0, XA_MARK_1);
    assert_false(xa_marked(&xa, XA_MARK_1));
    xa_set_mark(&xa, 0, XA_MARK_0);
    xa_erase(&xa, 0);
    assert_valid(xa_validate(&xa));
    assert_int_equal(xa_store(&xa, 0, entry(0), NULL), 0);
    assert_false(xa_get_mark(&xa, 0, XA_MARK_0));
    xa_destroy(&xa);
}

static void loops(void **state)
{
    static const u64 at[] = {0, 1, 63, 64, 4095, 4096, 1UL << 40, U64_MAX};
    struct xarray xa = XA_INIT(&ops);
    u64 index, n = 0;
    void *e;
    for (u64 i = 0; i < ARRAY_SIZE(at); i++) {
        assert_int_equal(xa_store(&xa, at[i], entry(i), NULL), 0);
        if (i % 2)
            xa_set_mark(&xa, at[i], XA_MARK_0);
    }
    xa_for_each (&xa, index, e) {
        assert_true(index == at[n]);
        assert_ptr_equal(e, entry(n));
        n++;
    }
    assert_int_equal(n, ARRAY_SIZE(at));
    n = 1;
    xa_for_each_marked(&xa, index, e, XA_MARK_0)
    {
        assert_true(index == at[n]);
        n += 2;
    }
    assert_int_equal(n, ARRAY_SIZE(at) + 1);
    n = 0;
    xa_for_each_range(&xa, index, e, 1, 4095) n++;
    assert_int_equal(n, 4);
    index = 65;
    assert_null(xa_find(&xa, &index, 4094));
    assert_int_equal(index, 65);
    assert_null(xa_find(&xa, &index, 64));
    assert_ptr_equal(xa_find(&xa, &index, 4095), entry(4));
    index = U64_MAX;
    assert_null(xa_find_after(&xa, &index, U64_MAX));
    xa_for_each (&xa, index, e)
        xa_erase(&xa, index);
    assert_true(xa_empty(&xa));
    assert_int_equal(live_nodes, 0);
}

static void batches(void **state)
{
    struct xarray xa = XA_INIT(&ops);
    void *out[200];
    assert_int_equal(xa_load_batch(&xa, 0, out, 3), 0);
    assert_null(out[2]);
    xa_store(&xa, 0, entry(0), NULL);
    assert_int_equal(xa_load_batch(&xa, 0, out, 200), 1);
    assert_ptr_equal(out[0], entry(0));
    assert_null(out[1]);
    assert_int_equal(xa_load_batch(&xa, 1, out, 1), 0);
    assert_int_equal(xa_load_batch(&xa, 0, out, 0), 0);
    for (u64 i = 0; i < 1000; i++) {
        if (i % 3 != 0 && (i < 100 || i > 300))
            xa_store(&xa, i, entry(i), NULL);
    }
    for (u64 first = 0; first < 1000; first += 37) {
        u32 present = 0;
        u32 n = xa_load_batch(&xa, first, out, 200);
        for (u64 i = 0; i < 200; i++) {
            assert_ptr_equal(out[i], xa_load(&xa, first + i));
            present += out[i] != NULL;
        }
        assert_int_equal(n, present);
    }
    xa_destroy(&xa);
    assert_int_equal(live_nodes, 0);
}

/* ---- random operations against the model
 * ------------------------------------------------------------------------- */

enum { INDEXES = 96 };

struct model {
    struct xarray xa;
    u64 at[INDEXES]; /* ascending */
    void *entry[INDEXES];
    bool mark[INDEXES][XA_NR_MARKS];
};

/* Clusters of different density, from neighbours to the far ends. */
static void model_init(struct model *m, struct rand *r)
{
    memset(m, 0, sizeof(*m));
    xa_init(&m->xa, &ops);
    u64 at = rand_below(r, 2);
    for (u32 i = 0; i < INDEXES; i++) {
        m->at[i] = at;
        u64 reach = rand_below(r, 10);
        u64 step = reach < 7 ? 1 : 1 + rand_below(r, 1UL << (reach == 9 ? 50 : 8));
        at += step;
    }
    if (rand_below(r, 2))
        m->at[INDEXES - 1] = U64_MAX;
}

static u32 model_next(const struct model *m, u64 from, s32 mark)
{
    for (u32 i = 0; i < INDEXES; i++) {
        if (m->at[i] >= from && m->entry[i] && (mark < 0 || m->mark[i][mark]))
            return i;
    }
    return INDEXES;
}

static void compare(const struct model *m, struct rand *r)
{
    bool any[XA_NR_MARKS] = {false};
    for (u32 i = 0; i < INDEXES; i++) {
        assert_ptr_equal(xa_load(&m->xa, m->at[i]), m->entry[i]);
        for (u32 k = 0; k < XA_NR_MARKS; k++) {
            assert_int_equal(xa_get_mark(&m->xa, m->at[i], k), m->mark[i][k]);
            any[k] |= m->mark[i][k];
        }
    }
    for (u32 k = 0; k < XA_NR_MARKS; k++)
        assert_int_equal(xa_marked(&m->xa, k), any[k]);
    u64 from = m->at[rand_below(r, INDEXES)] + rand_below(r, 3) - 1;
    u64 last = rand_below(r, 2) ? U64_MAX : m->at[rand_below(r, INDEXES)];
    for (s32 mark = -1; mark < XA_NR_MARKS; mark++) {
        u64 index = from;
        u32 want = model_next(m, from, mark);
        bool none = want == INDEXES || m->at[want] > last;
        void *got =
            mark < 0 ? xa_find(&m->xa, &index, last) : xa_find_marked(&m->xa, &index, last, mark);
        assert_ptr_equal(got, none ? NULL : m->entry[want]);
        assert_true(index == (none ? from : m->at[want]));
    }
}

static void step(struct model *m, struct rand *r)
{
    u32 i = (u32)rand_below(r, INDEXES), mark = (u32)rand_below(r, XA_NR_MARKS);
    u64 at = m->at[i], kind = rand_below(r, 12);
    void *e = rand_below(r, 4) ? entry(1 + rand_below(r, 1000)) : xa_mk_value(rand_next(r) >> 1);
    void *old = NULL;
    if (kind < 3) {
        assert_int_equal(xa_store(&m->xa, at, e, &old), 0);
        assert_ptr_equal(old, m->entry[i]);
        m->entry[i] = e;
    } else if (kind < 5) {
        assert_int_equal(xa_insert(&m->xa, at, e), m->entry[i] ? -EBUSY : 0);
        m->entry[i] = m->entry[i] ? m->entry[i] : e;
    } else if (kind < 8) {
        assert_ptr_equal(xa_erase(&m->xa, at), m->entry[i]);
        m->entry[i] = NULL;
        memset(m->mark[i], 0, sizeof(m->mark[i]));
    } else if (kind < 10) {
        xa_set_mark(&m->xa, at, mark);
        m->mark[i][mark] = m->entry[i] != NULL;
    } else {
        xa_clear_mark(&m->xa, at, mark);
        m->mark[i][mark] = false;
    }
}

/* A store that fails for lack of memory leaves everything as it was. */
static void failing_store(struct model *m, struct rand *r)
{
    u32 i = (u32)rand_below(r, INDEXES);
    for (s64 allowed = 0; !m->entry[i]; allowed++) {
        u64 before = live_nodes;
        fail_after = allowed;
        int rc = xa_store(&m->xa, m->at[i], entry(7), NULL);
        fail_after = -1;
        assert_valid(xa_validate(&m->xa));
        if (rc == 0) {
            m->entry[i] = entry(7);
        } else {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(live_nodes, before);
            compare(m, r);
        }
    }
}

static void random_against_model(void **state)
{
    static struct model m;
    struct rand r;
    for (u64 seed = 1; seed <= 30; seed++) {
        rand_init(&r, seed);
        model_init(&m, &r);
        for (u32 op = 0; op < 600; op++) {
            step(&m, &r);
            assert_valid(xa_validate(&m.xa));
            compare(&m, &r);
            if (op % 10 == 0)
                failing_store(&m, &r);
        }
        if (seed % 2) {
            for (u32 i = 0; i < INDEXES; i++) {
                assert_ptr_equal(xa_erase(&m.xa, m.at[i]), m.entry[i]);
                assert_valid(xa_validate(&m.xa));
            }
        } else {
            xa_destroy(&m.xa);
        }
        assert_true(xa_empty(&m.xa));
        assert_int_equal(live_nodes, 0);
    }
}

static void validator_sees(void **state)
{
    struct xarray xa;
    struct xa_node *top, *leaf;
#define BREAK(change, undo, message)                                                               \
    do {                                                                                           \
        xa_init(&xa, &ops);                                                                        \
        xa_store(&xa, 1, entry(1), NULL);                                                          \
        xa_store(&xa, 100, entry(2), NULL);                                                        \
        xa_set_mark(&xa, 100, XA_MARK_0);                                                          \
        assert_valid(xa_validate(&xa));                                                            \
        top = xa_to_node(xa.root);                                                                 \
        leaf = xa_to_node(top->slots[1]);                                                          \
        change;                                                                                    \
        const char *broken = xa_validate(&xa);                                                     \
        assert_non_null(broken);                                                                   \
        assert_string_equal(broken, message);                                                      \
        undo;                                                                                      \
        xa_destroy(&xa);                                                                           \
    } while (0)
    BREAK(leaf->present |= 1, , "present does not match the slots");
    BREAK(leaf->parent = NULL, leaf->parent = top, "child does not lead back to its parent");
    BREAK(leaf->offset = 2, , "child does not lead back to its parent");
    BREAK(leaf->shift = 6, leaf->shift = 0, "shift is wrong");
    BREAK(leaf->marks[0] = 0, , "mark of a node does not match its child");
    BREAK(top->marks[1] = 2, , "mark of a node does not match its child");
    BREAK((leaf->marks[1] = 1, top->marks[1] = 2), , "empty slot has a mark");
    BREAK(top->parent = leaf, top->parent = NULL, "root has a parent");
    BREAK(top->present = 1, top->present = 3, "tree is higher than it must be");
    BREAK(leaf->slots[36] = NULL; leaf->present = 0, , "node is empty");
#undef BREAK
    assert_int_equal(live_nodes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_and_large), cmocka_unit_test(values_and_insert),
        cmocka_unit_test(marks),           cmocka_unit_test(loops),
        cmocka_unit_test(batches),         cmocka_unit_test(random_against_model),
        cmocka_unit_test(validator_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
