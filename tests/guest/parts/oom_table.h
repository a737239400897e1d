/* SPDX-License-Identifier: MIT */
/* The situations of oom.c: {name, knob, {{actor, how it grows, MiB it holds (0: grows), oom_score_adj, what is special}, ...}}. */
#ifndef TESTS_GUEST_OOM_TABLE_H
#define TESTS_GUEST_OOM_TABLE_H

/* Somebody small who has nothing to do with it. */
#define BYSTANDER {"bystander", by_anon, 2, 0, 0}
#define HOG(how)  {"hog", how, 0, 0, 0}
#define ALONE(word, how) {"alone/" word, NULL, {HOG(how)}}
#define BESIDE(word, how) {"beside/" word, NULL, {BYSTANDER, HOG(how)}}
/* Memory that comes back only when its owner's files are closed, after its mm: others may have to go meanwhile, who are not told of. */
#define CROWD {"crowd", by_anon, 1, -950, MANY}
#define CROWDED(word, how) {"crowded/" word, NULL, {CROWD, HOG(how)}}
#define CROWDED_BESIDE(word, how) {"crowded/beside-" word, NULL, {CROWD, BYSTANDER, HOG(how)}}
#define FIRST(word, mib, how, adj, special) {"first/" word, NULL, {{"holder", how, mib, adj, special}, BYSTANDER, HOG(by_anon)}}

static const struct situation table[] = {
    /* one that grows, alone */
    ALONE("anon", by_anon),
    ALONE("touch", by_touch),
    ALONE("touch-down", by_touch_down),
    ALONE("brk", by_brk),
    ALONE("populate", by_populate),
    ALONE("long-populate", by_long_populate),
    ALONE("mlock", by_mlock),
    ALONE("mlockall", by_mlockall),
    ALONE("mremap", by_mremap),
    ALONE("read", by_read),
    ALONE("shared", by_shared),
    ALONE("sysv", by_sysv),
    CROWDED("memfd", by_memfd),
    ALONE("memfd-map", by_memfd_map),
    CROWDED("fallocate", by_fallocate),
    CROWDED("tmpfs", by_large_tmpfs),
    ALONE("tables", by_tables),
    ALONE("sparse", by_sparse),
    CROWDED("pipes", by_pipes),
    CROWDED("sockets", by_sockets),
    ALONE("epoll", by_epoll),
    CROWDED("files", by_files),
    CROWDED("threads", by_threads),
    /* beside somebody small */
    BESIDE("anon", by_anon),
    BESIDE("touch", by_touch),
    BESIDE("brk", by_brk),
    BESIDE("populate", by_populate),
    BESIDE("long-populate", by_long_populate),
    BESIDE("mlock", by_mlock),
    BESIDE("mlockall", by_mlockall),
    BESIDE("mremap", by_mremap),
    BESIDE("read", by_read),
    BESIDE("shared", by_shared),
    BESIDE("sysv", by_sysv),
    BESIDE("memfd-map", by_memfd_map),
    BESIDE("tables", by_tables),
    BESIDE("sparse", by_sparse),
    /* memory that is on nobody's account: the bystander goes first, for nothing */
    CROWDED_BESIDE("memfd", by_memfd),
    CROWDED_BESIDE("fallocate", by_fallocate),
    CROWDED_BESIDE("tmpfs", by_large_tmpfs),
    CROWDED_BESIDE("pipes", by_pipes),
    CROWDED_BESIDE("sockets", by_sockets),
    BESIDE("epoll", by_epoll),
    /* who goes first: oom_score_adj */
    FIRST("adj+1000", 4, by_anon, 1000, 0),
    FIRST("adj+999", 4, by_anon, 999, 0),
    FIRST("adj+500", 8, by_anon, 500, 0),
    FIRST("adj+100", 2, by_anon, 100, 0),
    FIRST("adj-1", 4, by_anon, -1, 0),
    FIRST("adj-500", 24, by_anon, -500, 0),
    FIRST("adj-999", 24, by_anon, -999, 0),
    FIRST("adj-1000", 24, by_anon, -1000, 0),
    FIRST("adj-late", 4, by_anon, 1000, LOW_LATE),
    FIRST("adj-late-never", 24, by_anon, -1000, LOW_LATE),
    FIRST("equal-adj", 4, by_anon, 0, 0),
    {"first/hog+500", NULL, {BYSTANDER, {"hog", by_anon, 0, 500, 0}}},
    {"first/hog-300", NULL, {{"holder", by_anon, 16, 0, 0}, {"hog", by_anon, 0, -300, 0}}},
    {"first/hog-990", NULL, {{"holder", by_anon, 16, 0, 0}, BYSTANDER, {"hog", by_anon, 0, -990, 0}}},
    {"first/two-holders", NULL, {{"large", by_anon, 16, 980, 0}, {"small", by_anon, 4, 980, 0}, HOG(by_anon)}},
    {"first/three-levels", NULL, {{"a", by_anon, 2, 980, 0}, {"b", by_anon, 2, 990, 0}, {"c", by_anon, 2, 1000, 0}, HOG(by_anon)}},
    {"first/shared-counts", NULL, {{"holder", by_shared, 16, 1000, 0}, {"empty", by_anon, 1, 1000, 0}, HOG(by_anon)}},
    {"first/tables-count", NULL, {{"tabled", by_tables, 8, 1000, 0}, {"plain", by_anon, 1, 1000, 0}, HOG(by_anon)}},
    {"first/locked-counts", NULL, {{"locked", by_mlock, 16, 1000, 0}, {"empty", by_anon, 1, 1000, 0}, HOG(by_anon)}},
    /* what state the one that goes is in */
    FIRST("stopped", 8, by_anon, 1000, STOPPED),
    FIRST("traced", 8, by_anon, 1000, TRACED),
    FIRST("nobody", 8, by_anon, 1000, NOBODY),
    FIRST("blocking", 8, by_anon, 1000, BLOCKING),
    FIRST("in-pipe", 8, by_anon, 1000, IN_PIPE),
    FIRST("in-futex", 8, by_anon, 1000, FUTEX),
    FIRST("idle", 8, by_anon, 1000, IDLE),
    FIRST("leaderless", 8, by_anon, 1000, LEADERLESS),
    FIRST("vfork", 8, by_anon, 1000, IN_VFORK),
    FIRST("sharing", 8, by_anon, 1000, SHARED),
    FIRST("stopped-locked", 8, by_mlock, 1000, STOPPED),
    FIRST("stopped-shared", 8, by_shared, 1000, STOPPED),
    FIRST("holds-memfd", 8, by_memfd_map, 1000, 0),
    FIRST("holds-pipes", 64, by_pipes, 1000, 0),
    FIRST("holds-sockets", 64, by_sockets, 1000, 0),
    FIRST("holds-files", 4000, by_files, 1000, 0),
    FIRST("holds-epoll", 4000, by_epoll, 1000, 0),
    FIRST("holds-threads", 50, by_threads, 1000, 0),
    FIRST("holds-sysv", 8, by_sysv, 1000, 0),
    FIRST("holds-tables", 4, by_tables, 1000, 0),
    {"state/hog-stopped-others", NULL, {{"holder", by_anon, 8, 0, STOPPED}, HOG(by_anon)}},
    {"state/hog-nobody", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, NOBODY}}},
    {"state/hog-blocking", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, BLOCKING}}},
    {"state/hog-idle", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, IDLE}}},
    {"state/hog-leaderless", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, LEADERLESS}}},
    {"state/hog-vfork", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, IN_VFORK}}},
    {"state/hog-sharing", NULL, {BYSTANDER, {"hog", by_anon, 0, 0, SHARED}}},
    /* several */
    {"many/hogs", NULL, {{"hog", by_anon, 0, 0, MANY}}},
    {"many/lockers", NULL, {{"hog", by_mlock, 0, 0, MANY}}},
    {"many/sharers", NULL, {{"hog", by_shared, 0, 0, MANY}}},
    {"many/readers", NULL, {{"hog", by_read, 0, 0, MANY}}},
    {"many/holders", NULL, {{"small", by_anon, 3, 0, MANY}, HOG(by_anon)}},
    {"many/holders-first", NULL, {{"small", by_anon, 2, 1000, MANY}, HOG(by_anon)}},
    {"many/users", NULL, {{"a", by_anon, 4, 0, NOBODY}, {"b", by_anon, 4, 0, 0}, {"hog", by_anon, 0, 0, NOBODY}}},
    {"many/cow", "oom_dump_tasks=0", {HOG(by_cow)}},
    {"many/bomb", "oom_dump_tasks=0", {HOG(by_fork_bomb)}},
    /* the knobs */
    {"knob/allocating-hog", "oom_kill_allocating_task=1", {BYSTANDER, HOG(by_anon)}},
    {"knob/allocating-beside-large", "oom_kill_allocating_task=1", {{"holder", by_anon, 24, 0, 0}, HOG(by_anon)}},
    {"knob/allocating-read", "oom_kill_allocating_task=1", {{"holder", by_anon, 24, 0, 0}, HOG(by_read)}},
    {"knob/allocating-tables", "oom_kill_allocating_task=1", {{"holder", by_anon, 8, 0, 0}, HOG(by_tables)}},
    {"knob/allocating-unkillable", "oom_kill_allocating_task=1", {{"holder", by_anon, 60, 0, 0}, {"hog", by_anon, 0, -999, 0}}},
    /* what ends without a kill */
    {"none/small-tmpfs", NULL, {BYSTANDER, HOG(by_small_tmpfs)}},
    {"none/too-much", "overcommit_memory=0", {BYSTANDER, HOG(by_too_much)}},
    {"none/limit", NULL, {BYSTANDER, HOG(by_limit)}},
    {"none/lock-limit", NULL, {BYSTANDER, HOG(by_lock_limit)}},
    {"none/areas", NULL, {BYSTANDER, HOG(by_areas)}},
    {"none/file-limit", NULL, {BYSTANDER, HOG(by_file_limit)}},
    {"none/reading-files", NULL, {BYSTANDER, HOG(by_reading)}},
};
#endif
