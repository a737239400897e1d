/* SPDX-License-Identifier: MIT */
/* Steps about processes: fork and exit, memory of another one, limits, prctl, personality. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define READ_IMPLIES_EXEC_FLAG 0x400000ul

static void play_fork(struct fuzz *f)
{
    int r = home_fork(f);

    if (r < 0)
        fuzz_say_result(r);
    else
        fuzz_say(" p%d", r);
}

static void play_exit(struct fuzz *f)
{
    unsigned who = 1 + (unsigned)fuzz_pick(f, FUZZ_ACTORS - 1);

    fuzz_say(" p%u", who);
    fuzz_say_result(home_end(f, who));
}

static void play_process_vm(struct fuzz *f)
{
    struct {
        uint64_t base, len;
    } v[4];
    unsigned who = (unsigned)fuzz_pick(f, FUZZ_ACTORS);
    uint64_t n = 1 + fuzz_pick(f, 3), flags = fuzz_chance(f, 3), room = 4096 + fuzz_pick(f, 20000),
             mark = fuzz_pick(f, 256);
    bool wr = fuzz_chance(f, 50);
    static unsigned char buf[FUZZ_SCRATCH];
    uint64_t local = home_scratch() + FUZZ_PAGE;

    for (unsigned i = 0; i < 3; i++) {
        v[i].base = fuzz_addr(f) + fuzz_pick(f, 2) * fuzz_pick(f, 4096);
        v[i].len = fuzz_small_len(f);
    }
    v[3].base = local;
    v[3].len = room;
    for (uint64_t i = 0; i < room; i++)
        buf[i] = wr ? (unsigned char)(mark + i) : 0;
    home_put(local, buf, room);
    home_put(home_scratch(), v, sizeof(v));
    fuzz_say(" %s p%u n%lu f%lu", wr ? "write" : "read", who, n, flags);
    for (unsigned i = 0; i < n; i++) {
        fuzz_say(" ");
        fuzz_say_addr(f, v[i].base);
        fuzz_say("+%lx", v[i].len);
    }
    home_settle();
    int64_t r = fuzz_call(wr ? SYS_process_vm_writev : SYS_process_vm_readv,
                          (uint64_t)(int64_t)home_pid(who), home_scratch() + 3 * sizeof(v[0]), 1,
                          home_scratch(), n, flags);
    if (!wr && r > 0) {
        home_get(buf, local, (size_t)r);
        fuzz_say(" %08lx", fuzz_sum(buf, (size_t)r));
    }
}

/* "VmData:" and the like from /proc/self/status, bytes; 0 when it has no such line. */
static uint64_t status_value(const char *name)
{
    static char text[8192];
    size_t len = home_text(HOME_STATUS, text, sizeof(text) - 1);

    text[len] = '\0';
    const char *at = strstr(text, name);
    return at ? strtoul(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* Relative to what is in use, which is not the same under two kernels. */
static void play_setrlimit(struct fuzz *f)
{
    static const struct {
        int resource;
        const char *used;
    } limits[] = {{RLIMIT_AS, "VmSize:"},
                  {RLIMIT_DATA, "VmData:"},
                  {RLIMIT_MEMLOCK, "VmLck:"},
                  {RLIMIT_AS, "VmSize:"},
                  {RLIMIT_STACK, NULL}};
    uint64_t which = fuzz_pick(f, 5), pages = fuzz_pick(f, 60), stack = 16 + fuzz_pick(f, 64);
    bool lift = fuzz_chance(f, 60);
    struct rlimit lim;

    fuzz_say(" %d", limits[which].resource);
    int64_t r =
        home_call(SYS_prlimit64, 0, (uint64_t)limits[which].resource, 0, home_scratch(), 0, 0);
    if (r) {
        fuzz_say_result(r);
        return;
    }
    home_get(&lim, home_scratch(), sizeof(lim));
    if (lift) {
        fuzz_say(" lift");
        lim.rlim_cur = lim.rlim_max;
    } else if (limits[which].used) {
        fuzz_say(" +%lu", pages);
        lim.rlim_cur = status_value(limits[which].used) + pages * FUZZ_PAGE;
    } else {
        fuzz_say(" %lu", stack);
        lim.rlim_cur = stack * FUZZ_PAGE;
    }
    home_put(home_scratch(), &lim, sizeof(lim));
    fuzz_call(SYS_prlimit64, 0, (uint64_t)limits[which].resource, home_scratch(), 0, 0, 0);
}

static void play_prctl(struct fuzz *f)
{
    uint64_t at = fuzz_addr(f), len = fuzz_len(f), kind = fuzz_pick(f, 6);
    static const char *const names[] = {"one", "two", "bad]name", ""};
    const char *name = fuzz_one_of(f, names);
    bool none = fuzz_chance(f, 20);

    if (kind < 5) {
        if (fuzz_avoided("prctl.vma")) {
            fuzz_say(" left out");
            return;
        }
        home_put(home_scratch(), name, strlen(name) + 1);
        fuzz_say(" name '%s' ", none ? "-" : name);
        fuzz_say_addr(f, at);
        fuzz_say("+%lx", len);
        fuzz_call(SYS_prctl, 0x53564d41, 0, at, len, none ? 0 : home_scratch(), 0);
    } else {
        fuzz_say(" thp");
        fuzz_call(SYS_prctl, 42, 0, 0, 0, 0, 0);
    }
}

static void play_personality(struct fuzz *f)
{
    uint64_t now = (uint64_t)home_call(SYS_personality, 0xffffffff, 0, 0, 0, 0, 0);
    bool set = fuzz_chance(f, 30);

    fuzz_say(" %s", set ? "exec" : "plain");
    now = set ? now | READ_IMPLIES_EXEC_FLAG : now & ~READ_IMPLIES_EXEC_FLAG;
    fuzz_call(SYS_personality, now, 0, 0, 0, 0, 0);
}

/* The counters that a process sees of itself, where they can be equal. */
static void play_status(struct fuzz *f)
{
    uint64_t locked = status_value("VmLck:");

    (void)f;
    if (locked < 64ul << 20)
        fuzz_say(" lck%lu", locked / 1024);
    else
        fuzz_say(" all locked"); /* the program's own areas with it, whose sizes differ */
}

const struct fuzz_op fuzz_process_ops[] = {
    {"fork", 14, play_fork},
    {"exit", 10, play_exit},
    {"process_vm", 20, play_process_vm},
    {"setrlimit", 14, play_setrlimit},
    {"prctl", 12, play_prctl},
    {"personality", 4, play_personality},
    {"status", 5, play_status},
    {NULL, 0, NULL},
};
