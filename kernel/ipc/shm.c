/* SPDX-License-Identifier: MIT */
/*
 * System V shared memory: a nameless shmem mapping under an id. Areas over it count as attachments through vma_ops.
 *
 * H1. A segment lives while it has an id or attachments; IPC_RMID takes the key at once, the memory goes with the last area.
 * Locks: shm_ids.lock guards the segments; it is taken under mmap_lock (area open, close), so no mmap_lock is taken inside.
 */
#include "sysv.h"
#include <kernel/syscall.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/shmem.h>
#include <mm/slab.h>
#include <mm/sys.h>
#include <mm/vma.h>
#include <port/log.h>
#include <uapi/mman.h>

#define SHM_RDONLY    010000u
#define SHM_RND       020000u
#define SHM_REMAP     040000u
#define SHM_EXEC      0100000u
#define SHM_HUGETLB   04000u
#define SHM_NORESERVE 010000u
#define SHM_DEST      01000u
#define SHM_LOCKED    02000u
#define SHM_LOCK      11
#define SHM_UNLOCK    12
#define SHM_STAT      13
#define SHM_INFO      14
#define SHM_STAT_ANY  15
#define SHM_MAX       (U64_MAX - (1UL << 24)) /* bytes, as Linux */
#define SHM_NR        4096u

#define LIMIT_MEMLOCK 8 /* RLIMIT_MEMLOCK */

struct shm {
    struct sysv_perm perm;
    struct shmem_anon *mem;
    u64 size, nattch;
    s64 atime, dtime, ctime;
    s32 cpid, lpid;
    u32 locker;    /* who locked it: against whose RLIMIT_MEMLOCK it counts */
    char name[24]; /* in /proc/PID/maps */
};
struct shmid64_ds {
    struct ipc64_perm perm;
    u64 segsz;
    s64 atime, dtime, ctime;
    s32 cpid, lpid;
    u64 nattch, unused[2];
};
BUILD_ASSERT(sizeof(struct shmid64_ds) == 112);

static struct sysv_ids shm_ids = SYSV_IDS_INIT(shm_ids, SHM_NR);
static u64 shm_total; /* pages */

static inline struct shm *shm_of(struct sysv_perm *p)
{
    return container_of(p, struct shm, perm);
}

static void shm_free(struct shm *s)
{
    shm_total -= page_align_up(s->size) >> PAGE_SHIFT;
    shmem_anon_put(s->mem);
    kfree(s);
}

static void shm_drop_unused(struct shm *s)
{
    if (!s->nattch && (s->perm.mode & SHM_DEST)) {
        sysv_remove(&shm_ids, &s->perm);
        shm_free(s);
    }
}

/* ---- areas ---- */
static void shm_open(struct vma *vma)
{
    struct shm *s = vma->priv;
    mutex_lock(&shm_ids.lock);
    s->nattch++;
    s->atime = sysv_now();
    s->lpid = current_process()->pid;
    mutex_unlock(&shm_ids.lock);
}

static void shm_close(struct vma *vma)
{
    struct shm *s = vma->priv;
    mutex_lock(&shm_ids.lock);
    s->nattch--;
    s->dtime = sysv_now();
    s->lpid = current_process()->pid;
    shm_drop_unused(s);
    mutex_unlock(&shm_ids.lock);
}

static const char *shm_name(struct vma *vma)
{
    return ((struct shm *)vma->priv)->name;
}

static const struct vma_ops shm_vma_ops = {.open = shm_open, .close = shm_close, .name = shm_name, .apart = true};

/* ---- shmget ---- */
struct shm_want {
    u64 size;
    s32 key;
    u32 flags;
};

static int shm_check(struct sysv_perm *p, void *arg)
{
    return ((struct shm_want *)arg)->size > shm_of(p)->size ? -EINVAL : 0;
}

static struct sysv_perm *shm_make(void *arg)
{
    struct shm_want *w = arg;
    if (!w->size || w->size > SHM_MAX || w->size > 1UL << 46)
        return ERR_PTR(-EINVAL);
    if (w->flags & SHM_HUGETLB)
        return ERR_PTR(-EINVAL);
    struct shm *s = kzalloc(sizeof(*s), GFP_KERNEL);
    if (!s)
        return ERR_PTR(-ENOMEM);
    s->mem = shmem_anon_alloc(current_task()->mm, page_align_up(w->size),
                              w->flags & SHM_NORESERVE && sysctl_overcommit_memory != 2);
    if (s->mem)
        s->mem->mapping.flags |= AS_SYSV;
    if (!s->mem) {
        kfree(s);
        return ERR_PTR(-ENOMEM);
    }
    s->size = w->size;
    s->cpid = current_process()->pid;
    s->ctime = sysv_now();
    fmt_print(s->name, sizeof(s->name), "/SYSV%08x (deleted)", (u32)w->key);
    shm_total += page_align_up(s->size) >> PAGE_SHIFT;
    return &s->perm;
}

static void shm_unmake(struct sysv_perm *p)
{
    shm_free(shm_of(p));
}

SYSCALL(shmget)
{
    struct shm_want w = {a1, (s32)a0, (u32)a2};
    struct sysv_get g = {shm_check, shm_make, shm_unmake, &w};
    return sysv_get(&shm_ids, (s32)a0, (u32)a2, &g);
}

/* ---- shmat, shmdt ---- */
static s64 attach(struct shm *s, u64 addr, u32 flags)
{
    u64 prot = UAPI_PROT_READ | (flags & SHM_RDONLY ? 0 : UAPI_PROT_WRITE) |
               (flags & SHM_EXEC ? UAPI_PROT_EXEC : 0);
    u64 map = UAPI_MAP_SHARED;
    if (addr && !(flags & SHM_REMAP) && addr + s->size < addr)
        return -EINVAL;
    if (addr)
        map |= flags & SHM_REMAP ? UAPI_MAP_FIXED : UAPI_MAP_FIXED_NOREPLACE;
    struct map_file file = {
        .mapping = &s->mem->mapping,
        .ops = &shm_vma_ops,
        .readable = true,
        .writable = !(flags & SHM_RDONLY),
        .executable = true, /* mprotect may ask for it later */
        .max_size = page_align_up(s->size),
        .priv = s,
    };
    s64 res = sys_mm_mmap(current_task()->mm, addr, s->size, prot, map, &file, 0);
    return res == -EEXIST ? -EINVAL : res;
}

SYSCALL(shmat)
{
    u64 addr = a1;
    u32 flags = (u32)a2;
    if (addr & ~PAGE_MASK) {
        if (!(flags & SHM_RND))
            return -EINVAL;
        addr &= PAGE_MASK;
    }
    if (!addr && (flags & SHM_REMAP))
        return -EINVAL;
    mutex_lock(&shm_ids.lock);
    struct sysv_perm *p = sysv_find(&shm_ids, (s32)a0);
    s64 res = p ? sysv_access(p, flags & SHM_RDONLY ? 4 : 6) : -EINVAL;
    if (!res && (flags & SHM_EXEC))
        res = sysv_access(p, 1);
    if (!res)
        shm_of(p)->nattch++; /* holds it until the area does */
    mutex_unlock(&shm_ids.lock);
    if (res)
        return res;
    struct shm *s = shm_of(p);
    res = attach(s, addr, flags);
    mutex_lock(&shm_ids.lock);
    s->nattch--;
    shm_drop_unused(s);
    mutex_unlock(&shm_ids.lock);
    return res;
}

/* The next area of the attachment that began at addr: bounds, and its segment (compared only). */
static bool next_area(struct mm *mm, u64 addr, u64 from, u64 *start, u64 *end, void **segment)
{
    bool found = false;
    mmap_read_lock(mm);
    for (struct vma *v = vma_find(mm, from); v && !found; v = vma_next(v)) {
        if (v->ops != &shm_vma_ops || (*segment && v->priv != *segment) || vma_start(v) < addr)
            continue;
        if ((vma_start(v) - addr) >> PAGE_SHIFT != v->pgoff)
            continue;
        *segment = v->priv;
        *start = vma_start(v);
        *end = vma_end(v);
        found = true;
    }
    mmap_read_unlock(mm);
    return found;
}

SYSCALL(shmdt)
{
    struct mm *mm = current_task()->mm;
    u64 start, end, from = a0;
    void *segment = NULL;
    s64 res = -EINVAL;
    if (a0 & ~PAGE_MASK)
        return -EINVAL;
    while (next_area(mm, a0, from, &start, &end, &segment)) {
        res = sys_mm_munmap(mm, start, end - start);
        if (res)
            break;
        from = end;
    }
    return res;
}

/* ---- shmctl ---- */
static s64 shm_stat(s32 id, u32 cmd, u64 user)
{
    struct shmid64_ds d = {0};
    mutex_lock(&shm_ids.lock);
    struct sysv_perm *p = cmd == IPC_STAT ? sysv_find(&shm_ids, id) : sysv_find_slot(&shm_ids, id);
    s64 res = p ? 0 : -EINVAL;
    if (!res && cmd != SHM_STAT_ANY)
        res = sysv_access(p, 4);
    if (!res) {
        struct shm *s = shm_of(p);
        sysv_to_user(p, &d.perm);
        d.segsz = s->size;
        d.atime = s->atime;
        d.dtime = s->dtime;
        d.ctime = s->ctime;
        d.cpid = s->cpid;
        d.lpid = s->lpid;
        d.nattch = s->nattch;
        res = cmd == IPC_STAT ? 0 : p->id;
    }
    mutex_unlock(&shm_ids.lock);
    return res >= 0 && copy_to_user(user, &d, sizeof(d)) ? -EFAULT : res;
}

/* All that this user has locked, and s, within RLIMIT_MEMLOCK? 0 or -ENOMEM. */
static s64 may_lock(const struct shm *s)
{
    u64 limit = rlimit_cur(current_task()->process, LIMIT_MEMLOCK), pages = DIV_ROUND_UP(s->size, PAGE_SIZE);
    if (limit == ~0UL || capable(CAP_IPC_LOCK))
        return 0;
    for (u32 i = 0; i < shm_ids.nr_slots; i++) {
        const struct shm *o = shm_ids.slot[i] ? shm_of(shm_ids.slot[i]) : NULL;
        if (o && o->perm.mode & SHM_LOCKED && o->locker == current_task()->cred->uid)
            pages += DIV_ROUND_UP(o->size, PAGE_SIZE);
    }
    return pages > limit >> PAGE_SHIFT ? -ENOMEM : 0;
}

static s64 shm_change(s32 id, u32 cmd, u64 user)
{
    struct shmid64_ds d;
    if (cmd == IPC_SET && copy_from_user(&d, user, sizeof(d)))
        return -EFAULT;
    mutex_lock(&shm_ids.lock);
    struct sysv_perm *p = sysv_find(&shm_ids, id);
    s64 res = p ? 0 : -EINVAL;
    if (!res && cmd != SHM_LOCK && cmd != SHM_UNLOCK)
        res = sysv_owner(p);
    else if (!res && !capable(CAP_IPC_LOCK) &&
             (sysv_owner(p) || (cmd == SHM_LOCK && !rlimit_cur(current_task()->process, LIMIT_MEMLOCK))))
        res = -EPERM;
    if (!res) {
        struct shm *s = shm_of(p);
        switch (cmd) {
        case IPC_SET:
            sysv_set(p, &d.perm);
            s->ctime = sysv_now();
            break;
        case IPC_RMID:
            p->mode |= SHM_DEST;
            p->key = IPC_PRIVATE;
            shm_drop_unused(s);
            break;
        case SHM_LOCK:
            res = p->mode & SHM_LOCKED ? 0 : may_lock(s);
            if (!res) {
                p->mode |= SHM_LOCKED;
                s->locker = current_task()->cred->uid;
            }
            break;
        default:
            p->mode &= ~SHM_LOCKED;
        }
    }
    mutex_unlock(&shm_ids.lock);
    return res;
}

static s64 shm_info(u32 cmd, u64 user)
{
    mutex_lock(&shm_ids.lock);
    s64 top = sysv_max_slot(&shm_ids);
    u64 rss = 0, swapped = 0;
    for (u32 i = 0; i < shm_ids.nr_slots; i++) {
        if (!shm_ids.slot[i])
            continue;
        const struct address_space *m = &shm_of(shm_ids.slot[i])->mem->mapping;
        rss += READ_ONCE(m->nrpages);
        swapped += READ_ONCE(m->nrswapped);
    }
    u64 limits[9] = {SHM_MAX, 1, SHM_NR, SHM_NR, SHM_MAX},
        info[6] = {shm_ids.in_use, shm_total, rss, swapped};
    mutex_unlock(&shm_ids.lock);
    bool bad = cmd == IPC_INFO ? copy_to_user(user, limits, sizeof(limits))
                               : copy_to_user(user, info, sizeof(info));
    return bad ? -EFAULT : top;
}

SYSCALL(shmctl)
{
    if ((s32)a0 < 0 || (s32)a1 < 0)
        return -EINVAL;
    switch ((u32)a1) {
    case IPC_INFO:
    case SHM_INFO:
        return shm_info((u32)a1, a2);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return shm_stat((s32)a0, (u32)a1, a2);
    case IPC_SET:
    case IPC_RMID:
    case SHM_LOCK:
    case SHM_UNLOCK:
        return shm_change((s32)a0, (u32)a1, a2);
    default:
        return -EINVAL;
    }
}

static void shm_show(struct seq *out, void *arg)
{
    seq_puts(out, "       key      shmid perms                  size  cpid  lpid nattch   uid   "
                  "gid  cuid  cgid      atime      dtime      "
                  "ctime                   rss                  swap\n");
    mutex_lock(&shm_ids.lock);
    for (u32 i = 0; i < shm_ids.nr_slots; i++) {
        if (!shm_ids.slot[i])
            continue;
        struct shm *s = shm_of(shm_ids.slot[i]);
        const struct sysv_perm *p = &s->perm;
        seq_printf(
            out,
            "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n",
            p->key, p->id, p->mode, s->size, s->cpid, s->lpid, s->nattch, p->uid, p->gid, p->cuid,
            p->cgid, (u64)s->atime, (u64)s->dtime, (u64)s->ctime,
            READ_ONCE(s->mem->mapping.nrpages) << PAGE_SHIFT, READ_ONCE(s->mem->mapping.nrswapped) << PAGE_SHIFT);
    }
    mutex_unlock(&shm_ids.lock);
}

void shm_boot(void)
{
    struct proc_file f = {.path = "/proc/sysvipc/shm", .mode = 0444, .show = shm_show};
    if (proc_register(&f))
        log_print(LOG_ERR, "shm: no memory for /proc/sysvipc\n");
}
