/* SPDX-License-Identifier: MIT */
/* Steps about what areas are made of: files that grow, shrink, get holes and seals; System V segments. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#endif

static void play_ftruncate(struct fuzz *f)
{
    unsigned file = (unsigned)fuzz_pick(f, FUZZ_FILES);
    uint64_t size = fuzz_pick(f, 80) * FUZZ_PAGE, odd = fuzz_pick(f, 4096);

    if (fuzz_chance(f, 40))
        size += odd;
    if (fuzz_chance(f, 2))
        size = ~0ul;
    fuzz_say(" file%u %lx", file, size);
    fuzz_call(SYS_ftruncate, (uint64_t)(int64_t)home_fd(file), size, 0, 0, 0, 0);
}

static void play_fallocate(struct fuzz *f)
{
    static const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                0,
                                FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE,
                                FALLOC_FL_ZERO_RANGE,
                                FALLOC_FL_COLLAPSE_RANGE};
    unsigned file = (unsigned)fuzz_pick(f, FUZZ_FILES);
    uint64_t from = fuzz_pick(f, 72) * FUZZ_PAGE, len = fuzz_small_len(f), odd = fuzz_pick(f, 4096);
    int mode = fuzz_one_of(f, modes);

    if (fuzz_chance(f, 30))
        from += odd;
    fuzz_say(" file%u m%d %lx+%lx", file, mode, from, len);
    fuzz_call(SYS_fallocate, (uint64_t)(int64_t)home_fd(file), (uint64_t)mode, from, len, 0, 0);
}

/* Bytes of a file through the descriptor, to and from the scratch memory or the window itself. */
static void play_rw(struct fuzz *f)
{
    unsigned file = (unsigned)fuzz_pick(f, FUZZ_FILES - 2);
    uint64_t from = fuzz_pick(f, 70) * FUZZ_PAGE + fuzz_pick(f, 4096), len = fuzz_small_len(f);
    uint64_t at = fuzz_addr(f), mark = fuzz_pick(f, 256);
    bool wr = fuzz_chance(f, 50), window = fuzz_chance(f, 50);
    static unsigned char buf[FUZZ_SCRATCH];

    if (file == FILE_APPEND && wr)
        file = FILE_RW; /* or it would grow without end */
    if (!window) {
        at = home_scratch();
        for (uint64_t i = 0; wr && i < len; i++)
            buf[i] = (unsigned char)(mark + i * 3);
        if (wr)
            home_put(at, buf, len);
    }
    fuzz_say(" %s file%u %lx+%lx ", wr ? "write" : "read", file, from, len);
    if (window)
        fuzz_say_addr(f, at);
    int64_t r = fuzz_call(wr ? SYS_pwrite64 : SYS_pread64, (uint64_t)(int64_t)home_fd(file), at,
                          len, from, 0, 0);
    if (!wr && !window && r > 0) {
        home_get(buf, at, (size_t)r);
        fuzz_say(" %08lx", fuzz_sum(buf, (size_t)r));
    }
}

static void play_seal(struct fuzz *f)
{
    unsigned file = fuzz_chance(f, 80) ? FILE_SEALABLE : (unsigned)fuzz_pick(f, FUZZ_FILES);
    uint64_t seals = 1ul << fuzz_pick(f, 7);
    uint64_t fd = (uint64_t)(int64_t)home_fd(file);

    fuzz_say(" file%u s%lx", file, seals);
    fuzz_call(SYS_fcntl, fd, F_ADD_SEALS, seals, 0, 0, 0);
    fuzz_call(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0);
}

static void play_memfd(struct fuzz *f)
{
    static const uint64_t flags[] = {0, 1, 2, 3, 8, 16, 8 | 16, 4, 32, 2 | 8};
    uint64_t how = fuzz_one_of(f, flags);

    if (how & 4 && fuzz_avoided("mmap.hugetlb"))
        how &= ~4ul;
    home_put(home_scratch(), "game", 5);
    fuzz_say(" f%lx", how);
    int64_t fd = home_call(SYS_memfd_create, home_scratch(), how, 0, 0, 0, 0);
    fuzz_say_result(fd < 0 ? fd : 0);
    if (fd < 0)
        return;
    fuzz_call(SYS_fcntl, (uint64_t)fd, F_GET_SEALS, 0, 0, 0, 0);
    home_call(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0);
}

static void play_shm(struct fuzz *f)
{
    static const uint64_t flags[] = {0,
                                     0,
                                     0,
                                     SHM_RDONLY,
                                     SHM_RND,
                                     SHM_REMAP,
                                     SHM_REMAP | SHM_RND,
                                     SHM_EXEC,
                                     SHM_RDONLY | SHM_REMAP};
    uint64_t n = fuzz_pick(f, 4), at = fuzz_addr(f), how = fuzz_one_of(f, flags),
             size = fuzz_pick(f, 10) * FUZZ_PAGE + fuzz_pick(f, 2) * fuzz_pick(f, 4096),
             slot = fuzz_pick(f, FUZZ_SLOTS), kind = fuzz_pick(f, 12);
    struct shmid_ds ds;

    if (f->shm[n] < 0 && kind < 8) {
        fuzz_say(" get%lu %lx", n, size);
        int64_t id = home_call(SYS_shmget, IPC_PRIVATE, size, IPC_CREAT | 0600, 0, 0, 0);
        fuzz_say_result(id < 0 ? id : 0);
        f->shm[n] = id < 0 ? -1 : (int)id;
    } else if (kind < 6) {
        if (fuzz_chance(f, 50))
            at = 0;
        if (at >= FUZZ_ANCHOR - (1ul << 20) && at < FUZZ_TOP)
            at = FUZZ_BASE;
        fuzz_say(" at%lu ", n);
        fuzz_say_addr(f, at);
        fuzz_say(" f%lx", how);
        int64_t r = home_call(SYS_shmat, (uint64_t)(int64_t)f->shm[n], at, how, 0, 0, 0);
        fuzz_say_place(f, r);
        if (r > 0)
            f->slot[slot] = (uint64_t)r;
    } else if (kind < 9) {
        at = f->slot[slot] ? f->slot[slot] : at;
        fuzz_say(" dt ");
        fuzz_say_addr(f, at);
        fuzz_call(SYS_shmdt, at, 0, 0, 0, 0, 0);
    } else if (kind < 10) {
        fuzz_say(" rm%lu", n);
        fuzz_call(SYS_shmctl, (uint64_t)(int64_t)f->shm[n], IPC_RMID, 0, 0, 0, 0);
        f->shm[n] = -1;
    } else {
        fuzz_say(" stat%lu", n);
        if (!fuzz_call(SYS_shmctl, (uint64_t)(int64_t)f->shm[n], IPC_STAT, home_scratch(), 0, 0,
                       0)) {
            home_get(&ds, home_scratch(), sizeof(ds));
            fuzz_say(" %lu att%lu mode%o", (unsigned long)ds.shm_segsz,
                     (unsigned long)ds.shm_nattch, ds.shm_perm.mode);
        }
    }
}

const struct fuzz_op fuzz_file_ops[] = {
    {"ftruncate", 22, play_ftruncate},
    {"fallocate", 18, play_fallocate},
    {"rw", 30, play_rw},
    {"seal", 4, play_seal},
    {"memfd_create", 4, play_memfd},
    {"shm", 25, play_shm},
    {NULL, 0, NULL},
};
