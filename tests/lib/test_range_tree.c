/* SPDX-License-Identifier: MIT */
/*
 * The range tree against an array of owners, one per address of a small space, with the validator
 * after every operation. Scenes are texts: one letter per range and address, dots are free:
 * "AA.B..CC".
 */
#include "test.h"
#include <lib/rand.h>
#include <lib/range_tree.h>

enum { SPACE = 256, NODES = 64 };

struct scene {
    struct rt_root root;
    struct rt_node node[NODES];
    bool used[NODES];
    s16 owner[SPACE]; /* index of the node at each address, or -1 */
};

static void scene_init(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    rt_init(&s->root);
    memset(s->owner, 0xff, sizeof(s->owner));
}

static void paint(struct scene *s, u64 start, u64 end, s16 owner)
{
    for (u64 a = start; a < end; a++)
        s->owner[a] = owner;
}

/* Builds a scene from text; the letters' nodes are 0 for A, 1 for B, and so on. */
static void draw(struct scene *s, const char *text)
{
    scene_init(s);
    for (u64 a = 0; text[a];) {
        u64 end = a + 1;
        if (text[a] != '.') {
            while (text[end] == text[a])
                end++;
            int i = text[a] - 'A';
            s->node[i].start = a;
            s->node[i].end = end;
            s->used[i] = true;
            paint(s, a, end, (s16)i);
            assert_int_equal(rt_insert(&s->root, &s->node[i]), 0);
        }
        a = end;
    }
    assert_valid(rt_validate(&s->root));
}

static const char *text_of(const struct scene *s, u64 length)
{
    static char buf[SPACE + 1];
    struct rt_node *n;
    memset(buf, '.', length);
    buf[length] = '\0';
    rt_for_each (&s->root, n)
        memset(buf + n->start, 'A' + (int)(n - s->node), n->end - n->start);
    return buf;
}

static void empty_tree(void **state)
{
    struct rt_root root = RT_ROOT_INIT;
    u64 a = 99;
    assert_true(rt_empty(&root));
    assert_valid(rt_validate(&root));
    assert_null(rt_find(&root, 0));
    assert_null(rt_find_rcu(&root, 0));
    assert_null(rt_first(&root));
    assert_int_equal(rt_gap_lowest(&root, 10, 20, 5, 1, 0, &a), 0);
    assert_int_equal(a, 10);
    assert_int_equal(rt_gap_highest(&root, 10, 20, 5, 1, 0, &a), 0);
    assert_int_equal(a, 15);
    assert_int_equal(rt_gap_lowest(&root, 10, 20, 11, 1, 0, &a), -ENOMEM);
    assert_int_equal(rt_gap_highest(&root, 20, 10, 1, 1, 0, &a), -ENOMEM);
    assert_int_equal(rt_gap_highest(&root, 0, U64_MAX, U64_MAX, 1, 0, &a), 0);
    assert_int_equal(a, 0);
    assert_int_equal(rt_gap_lowest(&root, 0, U64_MAX, 4096, 4096, 0, &a), 0);
    assert_int_equal(rt_gap_highest(&root, 0, U64_MAX, 4096, 4096, 0, &a), 0);
    assert_true(a == U64_MAX - 8191);
}

static void finds(void **state)
{
    struct scene s;
    draw(&s, "..AA.BBC..");
    struct rt_node *a = &s.node[0], *b = &s.node[1], *c = &s.node[2];
    assert_ptr_equal(rt_find(&s.root, 0), a);
    assert_ptr_equal(rt_find(&s.root, 3), a);
    assert_ptr_equal(rt_find(&s.root, 4), b);
    assert_ptr_equal(rt_find(&s.root, 7), c);
    assert_null(rt_find(&s.root, 8));
    assert_null(rt_find_exact(&s.root, 4));
    assert_ptr_equal(rt_find_exact(&s.root, 5), b);
    assert_null(rt_find_rcu(&s.root, 4));
    assert_ptr_equal(rt_find_rcu(&s.root, 6), b);
    assert_null(rt_find_overlap(&s.root, 0, 2));
    assert_ptr_equal(rt_find_overlap(&s.root, 0, 3), a);
    assert_null(rt_find_overlap(&s.root, 8, U64_MAX));
    assert_ptr_equal(rt_first(&s.root), a);
    assert_ptr_equal(rt_last(&s.root), c);
    assert_ptr_equal(rt_next(a), b);
    assert_ptr_equal(rt_prev(b), a);
    assert_null(rt_prev(a));
    assert_null(rt_next(c));
    assert_int_equal(s.root.nr, 3);
}

static void insert_refuses(void **state)
{
    struct scene s;
    draw(&s, "..AAA..");
    const struct {
        u64 start, end;
        int rc;
    } cases[] = {{1, 3, -EEXIST}, {3, 4, -EEXIST}, {4, 9, -EEXIST}, {0, 9, -EEXIST},
                 {6, 6, -EINVAL}, {7, 6, -EINVAL}, {0, 2, 0},       {5, 6, 0}};
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rt_node *n = &s.node[10 + i];
        n->start = cases[i].start;
        n->end = cases[i].end;
        assert_int_equal(rt_insert(&s.root, n), cases[i].rc);
        assert_valid(rt_validate(&s.root));
    }
    assert_int_equal(s.root.nr, 3);
}

static void resize_and_replace(void **state)
{
    struct scene s;
    draw(&s, ".AA..BB...CC.");
    rt_resize(&s.root, &s.node[1], 3, 10);
    assert_string_equal(text_of(&s, 13), ".AABBBBBBBCC.");
    assert_valid(rt_validate(&s.root));
    rt_resize(&s.root, &s.node[1], 4, 5);
    assert_valid(rt_validate(&s.root));
    rt_resize(&s.root, &s.node[0], 0, 4);
    assert_valid(rt_validate(&s.root));
    rt_resize(&s.root, &s.node[2], 8, 13);
    assert_string_equal(text_of(&s, 13), "AAAAB...CCCCC");
    assert_valid(rt_validate(&s.root));
    for (int i = 0; i < 3; i++) {
        rt_replace(&s.root, &s.node[i], &s.node[i + 3]);
        assert_valid(rt_validate(&s.root));
    }
    assert_string_equal(text_of(&s, 13), "DDDDE...FFFFF");
}

/* lo, hi, size, align, offset: lowest and highest answer, -1 for none. */
static void gaps(void **state)
{
    static const struct {
        const char *text;
        u64 lo, hi, size, align, offset;
        s64 low, high;
    } cases[] = {
        {"AA.B..CC", 0, 16, 1, 1, 0, 2, 15},  {"AA.B..CC", 0, 8, 1, 1, 0, 2, 5},
        {"AA.B..CC", 0, 8, 2, 1, 0, 4, 4},    {"AA.B..CC", 0, 8, 3, 1, 0, -1, -1},
        {"AA.B..CC", 5, 8, 1, 1, 0, 5, 5},    {"AA.B..CC", 5, 8, 2, 1, 0, -1, -1},
        {"AA.B..CC", 0, 5, 2, 1, 0, -1, -1},  {"AA.B..CC", 0, 5, 1, 1, 0, 2, 4},
        {"....A...", 0, 8, 3, 1, 0, 0, 5},    {"....A...", 1, 8, 3, 1, 0, 1, 5},
        {"....A...", 0, 7, 3, 1, 0, 0, 1},    {"A...B....C", 0, 10, 3, 4, 0, -1, -1},
        {"A...B....C", 0, 10, 1, 4, 0, 8, 8}, {"A...B....C", 0, 10, 2, 4, 1, 1, 5},
        {"A...B....C", 0, 10, 4, 4, 1, 5, 5}, {"A...B....C", 0, 64, 8, 8, 7, 15, 55},
        {"AAAAAAAA", 0, 8, 1, 1, 0, -1, -1},  {"AAAAAAAA", 2, 6, 1, 1, 0, -1, -1},
        {"A.B.C.D.E", 2, 7, 1, 1, 0, 3, 5},   {"A.B.C.D.E", 4, 5, 1, 1, 0, -1, -1},
    };
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct scene s;
        u64 low = U64_MAX, high = U64_MAX;
        draw(&s, cases[i].text);
        int rc = rt_gap_lowest(&s.root, cases[i].lo, cases[i].hi, cases[i].size, cases[i].align,
                               cases[i].offset, &low);
        assert_int_equal(rc, cases[i].low < 0 ? -ENOMEM : 0);
        assert_int_equal((s64)low, cases[i].low);
        rc = rt_gap_highest(&s.root, cases[i].lo, cases[i].hi, cases[i].size, cases[i].align,
                            cases[i].offset, &high);
        assert_int_equal(rc, cases[i].high < 0 ? -ENOMEM : 0);
        assert_int_equal((s64)high, cases[i].high);
    }
}

/* ---- random operations against the model
 * ------------------------------------------------------------------------- */

static s16 free_node(const struct scene *s, struct rand *r)
{
    u64 first = rand_below(r, NODES);
    for (u64 k = 0; k < NODES; k++) {
        u64 i = (first + k) % NODES;
        if (!s->used[i])
            return (s16)i;
    }
    return -1;
}

static s16 used_node(const struct scene *s, struct rand *r)
{
    u64 first = rand_below(r, NODES);
    for (u64 k = 0; k < NODES; k++) {
        u64 i = (first + k) % NODES;
        if (s->used[i])
            return (s16)i;
    }
    return -1;
}

static bool model_free(const struct scene *s, u64 start, u64 end)
{
    for (u64 a = start; a < end; a++) {
        if (s->owner[a] >= 0)
            return false;
    }
    return true;
}

static void do_insert(struct scene *s, struct rand *r)
{
    s16 i = free_node(s, r);
    if (i < 0)
        return;
    struct rt_node *n = &s->node[i];
    n->start = rand_below(r, SPACE - 1);
    n->end = min(n->start + 1 + rand_below(r, 6), (u64)SPACE);
    bool room = model_free(s, n->start, n->end);
    if (room && rand_below(r, 2)) {
        struct rt_node *next = rt_find(&s->root, n->start);
        rt_insert_between(&s->root, next ? rt_prev(next) : rt_last(&s->root), next, n);
    } else {
        assert_int_equal(rt_insert(&s->root, n), room ? 0 : -EEXIST);
    }
    if (room) {
        s->used[i] = true;
        paint(s, n->start, n->end, i);
    }
}

static void do_remove(struct scene *s, struct rand *r)
{
    s16 i = used_node(s, r);
    if (i < 0)
        return;
    rt_remove(&s->root, &s->node[i]);
    s->used[i] = false;
    paint(s, s->node[i].start, s->node[i].end, -1);
}

static void do_resize(struct scene *s, struct rand *r)
{
    s16 i = used_node(s, r);
    if (i < 0)
        return;
    struct rt_node *n = &s->node[i];
    paint(s, n->start, n->end, -1);
    u64 start = n->start, end = n->end;
    while (rand_below(r, 3) && start > 0 && s->owner[start - 1] < 0)
        start--;
    while (rand_below(r, 3) && end < SPACE && s->owner[end] < 0)
        end++;
    while (rand_below(r, 2) && start + 1 < end)
        start++;
    while (rand_below(r, 2) && start + 1 < end)
        end--;
    rt_resize(&s->root, n, start, end);
    paint(s, start, end, i);
}

static void do_replace(struct scene *s, struct rand *r)
{
    s16 old = used_node(s, r), fresh = free_node(s, r);
    if (old < 0 || fresh < 0)
        return;
    rt_replace(&s->root, &s->node[old], &s->node[fresh]);
    s->used[old] = false;
    s->used[fresh] = true;
    paint(s, s->node[fresh].start, s->node[fresh].end, fresh);
}

static void compare_finds(const struct scene *s)
{
    const struct rt_node *above = NULL;
    u64 nr = 0;
    for (u64 a = SPACE; a-- > 0;) {
        s16 i = s->owner[a];
        if (i >= 0) {
            nr += above != &s->node[i];
            above = &s->node[i];
        }
        assert_ptr_equal(rt_find(&s->root, a), above);
        assert_ptr_equal(rt_find_rcu(&s->root, a), i >= 0 ? above : NULL);
    }
    assert_int_equal(s->root.nr, nr);
}

static void compare_gaps(const struct scene *s, struct rand *r)
{
    u64 lo = rand_below(r, SPACE), hi = rand_below(r, SPACE + 1), size = 1 + rand_below(r, 12);
    u64 align = 1UL << rand_below(r, 4), offset = rand_below(r, align);
    s64 low = -1, high = -1;
    u64 got = 0;
    for (u64 a = lo; a + size <= hi; a++) {
        if (a % align != offset || !model_free(s, a, a + size))
            continue;
        low = low < 0 ? (s64)a : low;
        high = (s64)a;
    }
    int rc = rt_gap_lowest(&s->root, lo, hi, size, align, offset, &got);
    assert_int_equal(rc, low < 0 ? -ENOMEM : 0);
    assert_true(rc || (s64)got == low);
    rc = rt_gap_highest(&s->root, lo, hi, size, align, offset, &got);
    assert_int_equal(rc, high < 0 ? -ENOMEM : 0);
    assert_true(rc || (s64)got == high);
}

static void random_against_model(void **state)
{
    static struct scene s;
    struct rand r;
    for (u64 seed = 1; seed <= 20; seed++) {
        rand_init(&r, seed);
        scene_init(&s);
        for (u32 op = 0; op < 2000; op++) {
            /* tides of growth and shrinkage, so that full and empty trees are seen */
            u64 kind = rand_below(&r, 10), grow = op / 250 % 2 ? 2 : 5;
            if (kind < grow)
                do_insert(&s, &r);
            else if (kind < 7)
                do_remove(&s, &r);
            else if (kind < 9)
                do_resize(&s, &r);
            else
                do_replace(&s, &r);
            assert_valid(rt_validate(&s.root));
            compare_gaps(&s, &r);
            if (op % 16 == 0)
                compare_finds(&s);
        }
        struct rt_node *n, *tmp;
        rt_for_each_safe(&s.root, n, tmp)
        {
            rt_remove(&s.root, n);
            assert_valid(rt_validate(&s.root));
        }
        assert_true(rt_empty(&s.root));
    }
}

/* Splitting one range into many, as mprotect of every other page does. */
static void many_ranges(void **state)
{
    enum { MANY = 100000 };
    struct rt_node *nodes = test_calloc(MANY, sizeof(*nodes));
    struct rt_root root = RT_ROOT_INIT;
    struct rand r;
    rand_init(&r, 9);
    nodes[0].start = 0x1000;
    nodes[0].end = 0x1000UL * (MANY + 1);
    assert_int_equal(rt_insert(&root, &nodes[0]), 0);
    for (u64 i = 1; i < MANY; i++) {
        struct rt_node *n = rt_last(&root);
        nodes[i].start = n->start + 0x1000;
        nodes[i].end = n->end;
        rt_resize(&root, n, n->start, nodes[i].start);
        rt_insert_between(&root, n, NULL, &nodes[i]);
    }
    assert_valid(rt_validate(&root));
    assert_in_range(root.root->height, 17, 20);
    for (u64 i = 0; i < MANY; i++)
        assert_ptr_equal(rt_find_rcu(&root, nodes[i].start + 0xfff), &nodes[i]);
    for (u64 i = 0; i < MANY; i += 2)
        rt_remove(&root, &nodes[i]);
    assert_valid(rt_validate(&root));
    u64 a;
    assert_int_equal(rt_gap_highest(&root, 0, nodes[MANY - 1].end, 0x2000, 0x1000, 0, &a), 0);
    assert_int_equal(a, 0);
    assert_int_equal(rt_gap_highest(&root, 0, nodes[MANY - 1].end, 0x1000, 0x1000, 0, &a), 0);
    assert_int_equal(a, nodes[MANY - 2].start);
    for (u64 i = 1; i < MANY; i += 2)
        rt_remove(&root, &nodes[i]);
    assert_true(rt_empty(&root));
    test_free(nodes);
}

/* ---- broken trees
 * -------------------------------------------------------------------------------------------------
 */

static void validator_sees(void **state)
{
    static struct scene s;
    struct rt_node keep;
#define BREAK(change, message)                                                                     \
    do {                                                                                           \
        draw(&s, ".AA.BB..C.DD.E");                                                                \
        change;                                                                                    \
        const char *broken = rt_validate(&s.root);                                                 \
        assert_non_null(broken);                                                                   \
        assert_string_equal(broken, message);                                                      \
    } while (0)
    BREAK(s.node[2].end = s.node[2].start, "range is empty");
    BREAK(s.node[0].end = 5, "ranges overlap or are out of order");
    BREAK(s.node[3].gap++, "gap is not the space before the range");
    BREAK(s.node[3].max_gap++, "max_gap is not the largest gap of the subtree");
    BREAK(s.node[1].height++, "height is wrong");
    BREAK(s.root.nr--, "list is longer than nr");
    BREAK(s.root.nr++, "list is shorter than nr");
    BREAK(s.root.last = &s.node[3], "last is not the end of the list");
    BREAK(s.root.first = &s.node[1], "first is not the leftmost node");
    BREAK(s.node[4].prev = &s.node[2], "prev does not match next");
    BREAK(s.root.root->parent = &keep, "root has a parent");
    BREAK(s.root.root->right->parent = NULL, "child does not lead back to its parent");
    BREAK(s.root.root = NULL, "empty tree has a list");
#undef BREAK
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_tree),     cmocka_unit_test(finds),
        cmocka_unit_test(insert_refuses), cmocka_unit_test(resize_and_replace),
        cmocka_unit_test(gaps),           cmocka_unit_test(random_against_model),
        cmocka_unit_test(many_ranges),    cmocka_unit_test(validator_sees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
