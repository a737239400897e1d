/* SPDX-License-Identifier: MIT */
/* Record locks against a model that keeps one owner's lock per byte. */
#include "../../lib/test.h"
#include <kernel/lock_range.h>
#include <lib/rand.h>

enum { BYTES = 40, OWNERS = 3, ROUNDS = 20000 };

struct model {
    u8 type[OWNERS][BYTES]; /* F_UNLCK, F_RDLCK, F_WRLCK */
};
static const int owner_tag[OWNERS];

static bool model_conflict(const struct model *m, int who, u64 start, u64 end, u8 type)
{
    for (int o = 0; o < OWNERS; o++)
        for (u64 b = start; b < end && o != who; b++)
            if (m->type[o][b] == F_WRLCK || (m->type[o][b] == F_RDLCK && type == F_WRLCK))
                return true;
    return false;
}

static void check(const struct lock_range *list, const struct model *m)
{
    struct model seen;
    memset(&seen, F_UNLCK, sizeof(seen));
    for (const struct lock_range *l = list; l; l = l->next) {
        int o = (int)((const int *)l->owner - owner_tag);
        assert_true(l->start < l->end);
        for (u64 b = l->start; b < l->end; b++) {
            assert_int_equal(seen.type[o][b], F_UNLCK); /* L1: no overlap */
            seen.type[o][b] = l->type;
        }
        for (const struct lock_range *k = list; k; k = k->next) /* L1: touching ranges are one */
            assert_false(k != l && k->owner == l->owner && k->type == l->type &&
                         k->end == l->start);
    }
    assert_memory_equal(&seen, m, sizeof(seen));
}

static void free_list(struct lock_range *l)
{
    while (l) {
        struct lock_range *next = l->next;
        free(l);
        l = next;
    }
}

static void random_locks(void **state)
{
    struct rand r;
    struct model m;
    struct lock_range *list = NULL;
    rand_init(&r, 7);
    memset(&m, F_UNLCK, sizeof(m));
    for (int i = 0; i < ROUNDS; i++) {
        int who = (int)rand_below(&r, OWNERS);
        u64 start = rand_below(&r, BYTES), end = rand_range(&r, start + 1, BYTES);
        u8 type = (u8)rand_below(&r, 3);
        struct lock_range want = {
            .start = start, .end = end, .type = type, .kind = LOCK_POSIX, .owner = &owner_tag[who]};
        bool conflict = type != F_UNLCK && lock_conflict(list, &want);
        if (type != F_UNLCK)
            assert_int_equal(conflict, model_conflict(&m, who, start, end, type));
        if (conflict)
            continue;
        struct lock_range *spare[2] = {malloc(sizeof(want)), malloc(sizeof(want))}, *garbage = NULL;
        lock_apply(&list, &want, spare, &garbage);
        memset(&m.type[who][start], type, end - start);
        free(spare[0]);
        free(spare[1]);
        free_list(garbage);
        check(list, &m);
    }
    free_list(list);
}

static void kinds_stand_apart(void **state)
{
    struct lock_range flock = {
        .end = ~0UL, .type = F_WRLCK, .kind = LOCK_FLOCK, .owner = &owner_tag[0]};
    struct lock_range posix = {
        .end = 10, .type = F_WRLCK, .kind = LOCK_POSIX, .owner = &owner_tag[1]};
    struct lock_range ofd = posix;
    ofd.kind = LOCK_OFD;
    assert_null(lock_conflict(&flock, &posix));
    assert_ptr_equal(lock_conflict(&posix, &ofd), &posix); /* same owner pointer, other kind */
    ofd.start = 10;
    ofd.end = ~0UL;
    assert_null(lock_conflict(&posix, &ofd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_locks),
                                       cmocka_unit_test(kinds_stand_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
