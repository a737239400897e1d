/* SPDX-License-Identifier: MIT */
/*
 * mmfuzz on the hosted machine: an actor is an address space, a system call is an entry point of the core, a load or store goes through
 * the software MMU. Calls that only a kernel has answer ENOSYS. One thread plays all actors; with FUZZ_TOUCHED each actor has a thread
 * more that reads and writes the window meanwhile, and that stands still while validators look.
 */
#define _GNU_SOURCE
#include "fuzz_host.h"
#include "../linux/mmfuzz/fuzz.h"
#include <lib/errno.h>
#include <mm/obs_mm.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define SCRATCH   0x7ffff8000000ul
#define FIRST_FD  100
#define OUT_ROOM  (4ul << 20)
#define MAX_FILE  (1ul << 20)
#define FAIL_RATE 15 /* of 1000 */

#define IN_CORE(expr)                                                                              \
    ({                                                                                             \
        host_core_enter();                                                                         \
        s64 result_ = (expr);                                                                      \
        host_core_exit();                                                                          \
        result_;                                                                                   \
    })

struct actor {
    struct mm *mm; /* NULL: none */
    struct fuzz f;
    struct host_thread *toucher;
    bool stop, inside;
};

static struct {
    struct actor actor[FUZZ_ACTORS];
    struct host_file *file[3];
    enum fuzz_kind kind;
    bool paused;
    size_t out_len;
} game;
static char out[OUT_ROOM];

static struct mm *mm_now(void)
{
    return host_current->mm;
}

static void failures(bool on)
{
    u32 rate = on && game.kind == FUZZ_FAILING ? FAIL_RATE : 0;
    host_fail_chance(FAIL_PAGE_ALLOC, rate);
    host_fail_chance(FAIL_SLAB_ALLOC, rate);
    host_fail_chance(FAIL_IO, rate);
}

/* The whole game goes to the log, for the steps before the last are what matters. */
static void fail_game(const char *why)
{
    fwrite(out, 1, game.out_len, stderr);
    fail_msg("%s: the game of seed %lu is above", why, game.actor[0].f.seed);
}

/* ---- files ---- */

/* Nothing is put off here. */
void home_settle(void)
{
}

int home_fd(unsigned file)
{
    return file < FILE_ZERO ? FIRST_FD + (int)file : -1;
}

static struct host_file *file_of(u64 fd)
{
    u64 n = fd - FIRST_FD;
    return n >= FILE_ZERO ? NULL : game.file[n < FILE_MEMFD ? 0 : n - FILE_MEMFD + 1];
}

static bool may_write(u64 fd)
{
    return fd - FIRST_FD != FILE_RO;
}

static s64 map(u64 at, u64 len, u64 prot, u64 flags, u64 fd, u64 offset)
{
    if (offset % PAGE_SIZE)
        return -EINVAL;
    if (flags & MAP_ANONYMOUS)
        return host_mmap(at, len, prot, flags, NULL, offset);
    struct host_file *f = file_of(fd);
    if (!f)
        return -EBADF;
    struct map_file mf = host_map_file(f);
    mf.writable = may_write(fd);
    mf.readable = fd - FIRST_FD != FILE_WO;
    mf.append_only = false;
    return host_mmap(at, len, prot, flags, &mf, offset);
}

static s64 change_size(u64 fd, u64 size)
{
    struct host_file *f = file_of(fd);
    if (!f)
        return -EBADF;
    if (size > MAX_FILE || !may_write(fd))
        return -EINVAL;
    return IN_CORE(host_file_truncate(f, size));
}

static s64 punch(u64 fd, u64 mode, u64 from, u64 len)
{
    struct host_file *f = file_of(fd);
    if (!f)
        return -EBADF;
    if (mode != 3 || !len || !f->shmem) /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */
        return -EOPNOTSUPP;
    return IN_CORE(cache_punch(&f->mapping, from, from + len));
}

static s64 transfer(bool write, u64 fd, u64 at, u64 len, u64 pos)
{
    struct host_file *f = file_of(fd);
    if (!f || (write && !may_write(fd)))
        return -EBADF;
    if (pos + len > MAX_FILE)
        return -EFBIG;
    return write ? IN_CORE(cache_write(&f->mapping, pos, at, len))
                 : IN_CORE(cache_read(&f->mapping, NULL, pos, at, len));
}

/* ---- limits, names, other processes ---- */

static s64 limit(u64 resource, u64 new_at, u64 old_at)
{
    struct mm_rlimits *l = &mm_now()->rlimit;
    u64 *value = resource == RLIMIT_AS        ? &l->as
                 : resource == RLIMIT_DATA    ? &l->data
                 : resource == RLIMIT_STACK   ? &l->stack
                 : resource == RLIMIT_MEMLOCK ? &l->memlock
                                              : NULL;
    struct rlimit r = {value ? *value : 0, RLIM_INFINITY};
    if (!value)
        return -EINVAL;
    if (old_at)
        home_put(old_at, &r, sizeof(r));
    if (new_at) {
        home_get(&r, new_at, sizeof(r));
        *value = r.rlim_cur;
    }
    return 0;
}

static s64 set_name(u64 at, u64 len, u64 name_at)
{
    char name[80] = "";
    if (name_at)
        home_get(name, name_at, sizeof(name) - 1);
    return IN_CORE(sys_mm_set_name(mm_now(), at, len, name_at ? name : NULL));
}

/* One local and one remote range are enough to meet the core's access to another space. */
static s64 copy_remote(int pid, u64 local_at, u64 remote_at, bool write)
{
    static char buf[FUZZ_SCRATCH];
    struct {
        u64 base, len;
    } local, remote;
    if (pid < 0)
        return -ESRCH;
    home_get(&local, local_at, sizeof(local));
    home_get(&remote, remote_at, sizeof(remote));
    u64 n = min(min(local.len, remote.len), sizeof(buf));
    if (write)
        home_get(buf, local.base, n);
    s64 got = IN_CORE(
        (s64)access_remote(game.actor[pid].mm, remote.base, buf, n, write ? FAULT_WRITE : 0));
    if (!write)
        home_put(local.base, buf, (size_t)got);
    return n && !got ? -EFAULT : got;
}

int64_t home_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t g)
{
    switch (nr) {
    case SYS_mmap:
        return map(a, b, c, d, e, g);
    case SYS_munmap:
        return host_munmap(a, b);
    case SYS_mprotect:
        return host_mprotect(a, b, c);
    case SYS_mremap:
        return host_mremap(a, b, c, d, e);
    case SYS_brk:
        return host_brk(a);
    case SYS_madvise:
        return host_madvise(a, b, (int)c);
    case SYS_msync:
        return host_msync(a, b, (int)c);
    case SYS_mincore:
        return host_mincore(a, b, c);
    case SYS_mlock:
        return host_mlock(a, b, 0);
    case SYS_mlock2:
        return host_mlock(a, b, (int)c);
    case SYS_munlock:
        return host_munlock(a, b);
    case SYS_mlockall:
        return host_mlockall((int)a);
    case SYS_munlockall:
        return host_munlockall();
    case SYS_remap_file_pages:
        return IN_CORE(sys_mm_remap_file_pages(mm_now(), a, b, c, d, e));
    case 462: /* mseal */
        return IN_CORE(sys_mm_mseal(mm_now(), a, b, c));
    case SYS_ftruncate:
        return change_size(a, b);
    case SYS_fallocate:
        return punch(a, b, c, d);
    case SYS_pread64:
        return transfer(false, a, b, c, d);
    case SYS_pwrite64:
        return transfer(true, a, b, c, d);
    case SYS_prctl:
        return a == 0x53564d41 ? set_name(c, d, e) : -EINVAL;
    case SYS_prlimit64:
        return limit(b, c, d);
    case SYS_process_vm_readv:
    case SYS_process_vm_writev:
        return copy_remote((int)a, b, d, nr == SYS_process_vm_writev);
    default:
        return -ENOSYS;
    }
}

/* ---- memory ---- */

static bool outcome(u32 fault, u64 at, struct home_fault *why)
{
    *why = (struct home_fault){SIGSEGV, SEGV_MAPERR, at};
    if (fault & VM_FAULT_ACCERR)
        why->code = SEGV_ACCERR;
    else if (fault & VM_FAULT_SIGBUS)
        *why = (struct home_fault){SIGBUS, BUS_ADRERR, at};
    else if (fault & VM_FAULT_OOM)
        *why = (struct home_fault){SIGKILL, 0, at};
    return !(fault & VM_FAULT_ERROR);
}

bool home_read(uint64_t at, void *to, size_t n, struct home_fault *why)
{
    return outcome(host_load(at, to, n), at, why);
}

bool home_write(uint64_t at, const void *from, size_t n, struct home_fault *why)
{
    return outcome(host_store(at, from, n), at, why);
}

bool home_run(uint64_t at, struct home_fault *why)
{
    return outcome(host_exec(at), at, why);
}

uint64_t home_scratch(void)
{
    return SCRATCH;
}

void home_put(uint64_t at, const void *from, size_t n)
{
    failures(false);
    if (host_store(at, from, n))
        fail_game("the scratch memory cannot be written");
    failures(true);
}

void home_get(void *to, uint64_t at, size_t n)
{
    failures(false);
    if (host_load(at, to, n) & VM_FAULT_ERROR)
        fail_game("the scratch memory cannot be read");
    failures(true);
}

/* ---- what /proc says ---- */

static void no_numbers(const struct vma *vma, u32 *major, u32 *minor, u64 *ino)
{
    *major = *minor = 0;
    *ino = 1;
}

static void file_name(struct seq *s, const struct vma *vma)
{
    for (unsigned i = 0; i < ARRAY_SIZE(game.file); i++)
        if (vma->file == game.file[i])
            seq_printf(s, "/game/file%u", i);
}

size_t home_text(enum home_text what, char *buf, size_t room)
{
    static const struct obs_files files = {.numbers = no_numbers, .name = file_name};
    struct seq s;
    seq_init(&s, buf, room);
    host_core_enter();
    if (what == HOME_MAPS)
        obs_maps(&s, mm_now(), &files);
    else if (what == HOME_SMAPS)
        obs_smaps(&s, mm_now(), &files);
    else
        obs_status(&s, mm_now());
    host_core_exit();
    return s.len;
}

/* ---- actors ---- */

static int touch_window(void *arg)
{
    struct actor *a = arg;
    struct rand r;
    rand_init(&r, a->f.seed * FUZZ_ACTORS + a->f.actor);
    while (!a->stop) {
        u64 at = FUZZ_BASE + rand_below(&r, FUZZ_PAGES * FUZZ_PAGE);
        u8 byte;
        if (!game.paused) {
            a->inside = true;
            if (rand_below(&r, 2))
                host_load_u8(at, &byte);
            else
                host_store_u8(at, (u8)at);
            a->inside = false;
        }
        host_user_point();
    }
    return 0;
}

static void start_actor(unsigned who, struct mm *mm)
{
    struct actor *a = &game.actor[who];
    a->mm = mm;
    a->f.actor = who;
    a->stop = a->inside = false;
    a->toucher =
        game.kind == FUZZ_TOUCHED ? host_user_thread(mm, touch_window, a, "toucher") : NULL;
}

static void end_actor(unsigned who)
{
    struct actor *a = &game.actor[who];
    if (a->toucher) {
        a->stop = true;
        host_thread_join(a->toucher);
    }
    host_mm_exit(a->mm);
    a->mm = NULL;
    a->toucher = NULL;
}

int home_pid(unsigned actor)
{
    return game.actor[actor].mm ? (int)actor : -1;
}

int home_fork(struct fuzz *f)
{
    unsigned who = 1;
    int err;
    while (who < FUZZ_ACTORS && game.actor[who].mm)
        who++;
    if (who == FUZZ_ACTORS)
        return -EUSERS;
    struct mm *mm = host_fork(&err);
    if (!mm)
        return err;
    game.actor[who].f = *f;
    start_actor(who, mm);
    return (int)who;
}

int home_end(struct fuzz *f, unsigned actor)
{
    if (actor == f->actor || !game.actor[actor].mm)
        return -ESRCH;
    end_actor(actor);
    return 0;
}

/* ---- a game ---- */

static void validate(void)
{
    game.paused = true;
    for (unsigned i = 0; i < FUZZ_ACTORS; i++)
        while (game.actor[i].mm && game.actor[i].inside)
            host_user_point();
    failures(false);
    const char *bad = machine_validate();
    if (bad)
        fail_game(bad);
    failures(true);
    game.paused = false;
}

static void first_actor(u64 seed)
{
    struct actor *a = &game.actor[0];
    struct mm *mm = host_mm_new();
    assert_non_null(mm);
    host_mm_switch(mm);
    mm->mmap_base = FUZZ_ANCHOR;
    assert_int_equal(host_mmap(SCRATCH, FUZZ_SCRATCH, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0),
                     SCRATCH);
    memset(&a->f, 0, sizeof(a->f));
    a->f.brk0 = mm->start_brk;
    a->f.privileged = true;
    fuzz_begin(&a->f, seed);
    start_actor(0, mm);
}

u64 fuzz_host_game(u64 seed, enum fuzz_kind kind, unsigned steps)
{
    memset(&game, 0, sizeof(game));
    game.kind = kind;
    fuzz_out = out;
    fuzz_out_len = &game.out_len;
    fuzz_out_room = OUT_ROOM;
    machine_up(96, kind == FUZZ_TOUCHED ? 4 : 1, seed);
    for (unsigned i = 0; i < ARRAY_SIZE(game.file); i++)
        game.file[i] = host_file_new((60 - 14 * i) * PAGE_SIZE, i > 0);
    first_actor(seed);
    failures(true);
    for (unsigned step = 0; step < steps; step++) {
        unsigned who = fuzz_actor_of(seed, step);
        struct actor *a = &game.actor[game.actor[who].mm ? who : 0];
        host_mm_switch(a->mm);
        fuzz_play(&a->f, step);
        if (game.out_len > OUT_ROOM / 2)
            game.out_len = 0;
        validate();
    }
    failures(false);
    for (unsigned i = 0; i < FUZZ_ACTORS; i++) {
        if (!game.actor[i].mm)
            continue;
        host_mm_switch(game.actor[i].mm);
        fuzz_end(&game.actor[i].f);
        end_actor(i);
    }
    u64 sum = fuzz_sum(out, game.out_len);
    for (unsigned i = 0; i < ARRAY_SIZE(game.file); i++)
        IN_CORE((host_file_put(game.file[i]), 0));
    machine_down();
    return sum;
}
