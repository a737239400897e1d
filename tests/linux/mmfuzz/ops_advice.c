/* SPDX-License-Identifier: MIT */
/* Steps about pages rather than areas: madvise and its relatives, msync, mincore, mlock and its relatives. */
#include "fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static void say_range(struct fuzz *f, uint64_t at, uint64_t len)
{
    fuzz_say(" ");
    fuzz_say_addr(f, at);
    fuzz_say("+%lx", len);
}

static bool advice_left_out(int advice)
{
    char word[32];

    snprintf(word, sizeof(word), "madvise.%d", advice);
    return fuzz_avoided(word);
}

static void play_madvise(struct fuzz *f)
{
    static const int usual[] = {4,  4,  4,  4,  0,  1,  2,  3,  8,  9, 10,
                                11, 18, 19, 20, 21, 22, 23, 24, 16, 17};
    static const int rare[] = {12, 13, 14, 15, 25, 5, 6, 7, 26, 102, 103, -1, 1000};
    uint64_t at = fuzz_addr(f), len = fuzz_len(f);
    int advice = fuzz_one_of(f, usual), other = fuzz_one_of(f, rare);
    /* Who may, poisons real frames. */
    int poison = fuzz_chance(f, 50) ? 100 : 101;

    if (len >> 46 && at + len >= at)
        len = 5 * FUZZ_PAGE; /* a range over everything would take the program's own pages */
    if (fuzz_chance(f, 12))
        advice = other;
    else if (fuzz_chance(f, 3) && !f->privileged)
        advice = poison;
    say_range(f, at, len);
    fuzz_say(" a%d", advice);
    if (advice_left_out(advice))
        fuzz_say(" left out");
    else
        fuzz_call(SYS_madvise, at, len, (uint64_t)(int64_t)advice, 0, 0, 0);
}

static void play_process_madvise(struct fuzz *f)
{
    static const int advices[] = {20, 21, 3, 25, 4, 0, 12};
    struct {
        uint64_t base, len;
    } v[3];
    unsigned who = (unsigned)fuzz_pick(f, FUZZ_ACTORS);
    uint64_t n = fuzz_pick(f, 4), flags = fuzz_chance(f, 5);
    int advice = fuzz_one_of(f, advices);

    for (unsigned i = 0; i < 3; i++) {
        v[i].base = fuzz_addr(f);
        v[i].len = fuzz_len(f);
        if (v[i].len >> 46 && v[i].base + v[i].len >= v[i].base)
            v[i].len = 5 * FUZZ_PAGE;
    }
    fuzz_say(" p%u n%lu a%d f%lu", who, n, advice, flags);
    for (unsigned i = 0; i < n; i++)
        say_range(f, v[i].base, v[i].len);
    if (advice_left_out(advice)) {
        fuzz_say(" left out");
        return;
    }
    int pid = home_pid(who);
    int64_t fd = pid < 0 ? -1 : home_call(SYS_pidfd_open, (uint64_t)pid, 0, 0, 0, 0, 0);
    home_put(home_scratch(), v, sizeof(v));
    fuzz_call(SYS_process_madvise, (uint64_t)fd, home_scratch(), n, (uint64_t)advice, flags, 0);
    if (fuzz_chance(f, 20)) {
        fuzz_say(" mrelease");
        fuzz_call(SYS_process_mrelease, (uint64_t)fd, flags, 0, 0, 0, 0);
    }
    if (fd >= 0)
        home_call(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

static void play_msync(struct fuzz *f)
{
    static const int flags[] = {
        MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE, 0, MS_SYNC | MS_ASYNC, 8};
    uint64_t at = fuzz_addr(f), len = fuzz_len(f);
    int how = fuzz_one_of(f, flags);

    say_range(f, at, len);
    fuzz_say(" f%d", how);
    fuzz_call(SYS_msync, at, len, (uint64_t)how, 0, 0, 0);
}

static void play_mincore(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f);
    unsigned char vec[64];

    say_range(f, at, len);
    int64_t r = fuzz_call(SYS_mincore, at, len, home_scratch(), 0, 0, 0);
    if (r)
        return;
    uint64_t n = (len + FUZZ_PAGE - 1) / FUZZ_PAGE;
    n = n < sizeof(vec) ? n : sizeof(vec);
    home_get(vec, home_scratch(), n);
    fuzz_say(" ");
    for (uint64_t i = 0; i < n; i++)
        fuzz_say("%x", vec[i]);
}

static void play_mlock(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), kind = fuzz_pick(f, 10),
             flags = fuzz_chance(f, 10) ? 2 : fuzz_pick(f, 2);

    say_range(f, at, len);
    if (kind < 3) {
        fuzz_call(SYS_mlock, at, len, 0, 0, 0, 0);
    } else if (kind < 6) {
        fuzz_say(" two f%lu", flags);
        fuzz_call(SYS_mlock2, at, len, flags, 0, 0, 0);
    } else {
        fuzz_say(" un");
        fuzz_call(SYS_munlock, at, len, 0, 0, 0, 0);
    }
}

static void play_mlockall(struct fuzz *f)
{
    static const int flags[] = {
        MCL_FUTURE, MCL_CURRENT | MCL_FUTURE, MCL_CURRENT, 4 | MCL_FUTURE, 4 | MCL_CURRENT, 4, 0,
        8};
    int how = fuzz_one_of(f, flags);

    if (fuzz_chance(f, 60)) {
        fuzz_say(" un");
        fuzz_call(SYS_munlockall, 0, 0, 0, 0, 0, 0);
    } else {
        fuzz_say(" f%d", how);
        fuzz_call(SYS_mlockall, (uint64_t)how, 0, 0, 0, 0, 0);
    }
}

const struct fuzz_op fuzz_advice_ops[] = {
    {"madvise", 110, play_madvise},
    {"process_madvise", 12, play_process_madvise},
    {"msync", 20, play_msync},
    {"mincore", 25, play_mincore},
    {"mlock", 35, play_mlock},
    {"mlockall", 8, play_mlockall},
    {NULL, 0, NULL},
};
