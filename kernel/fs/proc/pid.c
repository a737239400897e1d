/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID and /proc/PID/task/TID: the table of their files, and the small ones.
 *
 * P1. An inode below a PID holds the process and the thread; when the process has been reaped, lookups and reads answer
 *     -ESRCH or -ENOENT, and names are no longer found.
 * P2. Nothing here stays cached without a user (SB_NO_CACHE), so that no process is kept by a name.
 */
#include "pfs.h"
#include <kernel/ptrace.h>
#include <mm/mm.h>
#include <mm/oom.h>
#include <port/uaccess.h>

static const struct inode_ops pid_text_iops;

bool pid_gone(const struct pid_inode *pi)
{
    return READ_ONCE(pi->p->state) == PROCESS_REAPED || (pi->in_task && READ_ONCE(pi->t->exiting));
}

bool pid_may_trace(const struct pid_inode *pi)
{
    return !ptrace_may_access(pi->t, PTRACE_MODE_READ | PTRACE_MODE_FSCREDS);
}

static bool may_open(const struct pid_inode *pi)
{
    u32 mode = pi->e->attach ? PTRACE_MODE_ATTACH : PTRACE_MODE_READ;
    return !ptrace_may_access(pi->t, mode | PTRACE_MODE_FSCREDS);
}

static void set_owner(struct inode *i)
{
    struct pid_inode *pi = i->priv;
    bool root = pi->p->dumpable != 1 && i->mode != (S_IFDIR | 0555);
    i->uid = root ? 0 : pi->t->cred->euid;
    i->gid = root ? 0 : pi->t->cred->egid;
}

void pid_evict(struct inode *i)
{
    struct pid_inode *pi = i->priv;
    if (!pi)
        return;
    task_put(pi->t);
    process_put(pi->p);
    kfree(pi);
}

struct inode *pid_make_inode(struct superblock *sb, const struct pid_inode *like, u32 mode, u64 ino,
                             const struct inode_ops *ops, const struct file_ops *fops)
{
    struct pid_inode *pi = kmalloc(sizeof(*pi), GFP_KERNEL);
    struct inode *i = pi ? inode_alloc(sb, mode, NULL, 0) : NULL;
    if (!i) {
        kfree(pi);
        return ERR_PTR(-ENOMEM);
    }
    *pi = *like;
    process_get(pi->p);
    task_get(pi->t);
    i->ino = ino;
    i->priv = pi;
    i->ops = ops;
    i->fops = fops;
    if (S_ISDIR(mode))
        i->nlink = 2;
    set_owner(i);
    return i;
}

int pid_getattr(struct inode *i, struct kstat *st)
{
    set_owner(i);
    st->uid = i->uid;
    st->gid = i->gid;
    return 0;
}

bool pid_revalidate(struct inode *dir, const char *name, size_t len, struct inode *inode)
{
    if (!inode)
        return false;
    if (inode->ops == &pid_dir_iops || inode->ops == &pid_task_iops || inode->ops == &pid_text_iops) {
        set_owner(inode); /* setuid and exec change it while somebody holds the file */
        return !pid_gone(inode->priv);
    }
    return true;
}

/* ---- entries of one process ---- */
static void show_comm(struct seq *s, struct pid_inode *pi)
{
    put_comm(s, pi->t->comm, false);
    seq_putc(s, '\n');
}
static int store_comm(struct pid_inode *pi, const char *text, size_t n)
{
    if (pi->p != current_task()->process)
        return -EINVAL;
    n = min(n, (size_t)TASK_COMM_LEN - 1);
    char comm[TASK_COMM_LEN] = {0};
    memcpy(comm, text, n);
    memcpy(pi->t->comm, comm, sizeof(comm));
    return 0;
}
static void show_oom_score_adj(struct seq *s, struct pid_inode *pi)
{
    seq_printf(s, "%d\n", pi->p->oom_score_adj);
}
static int parse_s64(const char *text, s64 *v)
{
    const char *end;
    while (*text == ' ')
        text++;
    if (str_parse_s64(text, 0, v, &end) || (*end && *end != '\n'))
        return -EINVAL;
    return 0;
}
/* A number as kstrtoint takes it, with spaces around. 0, -EINVAL, -ERANGE. */
static int parse_int(const char *text, size_t n, s64 *v)
{
    char buf[13];
    const char *p = buf, *end;
    n = min(n, sizeof(buf) - 1);
    memcpy(buf, text, n);
    while (n && (buf[n - 1] == ' ' || (buf[n - 1] >= '\t' && buf[n - 1] <= '\r')))
        n--;
    buf[n] = 0;
    while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
        p++;
    if (str_parse_s64(p, 0, v, &end) || *end)
        return -EINVAL;
    return *v > 0x7fffffffL || *v < -0x80000000L ? -ERANGE : 0;
}
static int store_oom_score_adj(struct pid_inode *pi, const char *text, size_t n)
{
    s64 v;
    int err = parse_int(text, n, &v);
    if (err)
        return err;
    if (v < OOM_SCORE_ADJ_MIN || v > OOM_SCORE_ADJ_MAX)
        return -EINVAL;
    return oom_set_adj(pi->p, (s16)v, false);
}
/* The old scale: -17 never, 15 first. */
#define OOM_ADJ_NEVER (-17)
#define OOM_ADJ_MAX   15
static void show_oom_adj(struct seq *s, struct pid_inode *pi)
{
    int a = pi->p->oom_score_adj;
    seq_printf(s, "%d\n", a == OOM_SCORE_ADJ_MAX ? OOM_ADJ_MAX : min(a * -OOM_ADJ_NEVER / OOM_SCORE_ADJ_MAX, OOM_ADJ_MAX));
}
static int store_oom_adj(struct pid_inode *pi, const char *text, size_t n)
{
    s64 v;
    int err = parse_int(text, n, &v);
    if (err)
        return err;
    if ((v < -16 || v > OOM_ADJ_MAX) && v != OOM_ADJ_NEVER)
        return -EINVAL;
    return oom_set_adj(pi->p, (s16)(v == OOM_ADJ_MAX ? OOM_SCORE_ADJ_MAX : v * OOM_SCORE_ADJ_MAX / -OOM_ADJ_NEVER), true);
}
static void show_oom_score(struct seq *s, struct pid_inode *pi)
{
    struct oom_task t;
    u64 score = 0;
    if (oom_task_of(pi->p, &t)) {
        score = oom_score(&t);
        oom_task_done(&t);
    }
    seq_printf(s, "%lu\n", score);
}
static void show_mounts(struct seq *s, struct pid_inode *pi, int form)
{
    struct path root;
    struct fs_struct *fs = fs_struct_of(pi->t);
    if (!fs)
        return;
    fs_get_root(fs, &root);
    fs_struct_put(fs);
    mounts_show(s, &root, form);
    path_put(&root);
}
static void show_mounts0(struct seq *s, struct pid_inode *pi)
{
    show_mounts(s, pi, 0);
}
static void show_mountinfo(struct seq *s, struct pid_inode *pi)
{
    show_mounts(s, pi, 1);
}
static void show_mountstats(struct seq *s, struct pid_inode *pi)
{
    show_mounts(s, pi, 2);
}
static void show_id_map(struct seq *s, struct pid_inode *pi)
{
    seq_printf(s, "%10u %10u %10u\n", 0, 0, ~0u);
}
static void show_setgroups(struct seq *s, struct pid_inode *pi)
{
    seq_puts(s, "allow\n");
}
static void show_loginuid(struct seq *s, struct pid_inode *pi)
{
    seq_printf(s, "%u", ~0u);
}
static void show_wchan(struct seq *s, struct pid_inode *pi)
{
    seq_putc(s, '0');
}
static void show_personality(struct seq *s, struct pid_inode *pi)
{
    seq_printf(s, "%08lx\n", pi->t->personality);
}
static void show_coredump_filter(struct seq *s, struct pid_inode *pi)
{
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return;
    seq_printf(s, "%08lx\n", mm_dump_filter(mm));
    mm_put(mm);
}
static int store_coredump_filter(struct pid_inode *pi, const char *text, size_t n)
{
    s64 v;
    if (parse_s64(text, &v) || v < 0 || v > 0xffffffff)
        return -EINVAL;
    struct mm *mm = task_get_mm(pi->t);
    if (!mm)
        return -ESRCH;
    u64 set = ((u64)v ^ MMF_DUMP_DEFAULT) << MMF_DUMP_SHIFT & MMF_DUMP_MASK, old = READ_ONCE(mm->flags);
    while (!__atomic_compare_exchange_n(&mm->flags, &old, (old & ~MMF_DUMP_MASK) | set, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
        ;
    mm_put(mm);
    return 0;
}

/* In the order in which Linux lists them. */
static const struct pid_entry entries[] = {
    {.name = "task",
     .mode = S_IFDIR | 0555,
     .iops = &pid_task_iops,
     .fops = &pid_task_fops,
     .where = IN_PID},
    {.name = "fd",
     .mode = S_IFDIR | 0500,
     .iops = &pid_fd_iops,
     .fops = &pid_fd_fops,
     .where = IN_PID | IN_TASK},
    {.name = "fdinfo",
     .mode = S_IFDIR | 0555,
     .iops = &pid_fdinfo_iops,
     .fops = &pid_fdinfo_fops,
     .where = IN_PID | IN_TASK},
    {.name = "map_files",
     .mode = S_IFDIR | 0500,
     .iops = &pid_map_files_iops,
     .fops = &pid_map_files_fops,
     .where = IN_PID},
    {.name = "environ",
     .mode = S_IFREG | 0400,
     .show = pid_show_environ,
     .stays = true,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "auxv",
     .mode = S_IFREG | 0400,
     .show = pid_show_auxv,
     .stays = true,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "status", .mode = S_IFREG | 0444, .show = pid_show_status, .where = IN_PID | IN_TASK},
    {.name = "personality",
     .mode = S_IFREG | 0400,
     .show = show_personality,
     .where = IN_PID | IN_TASK,
     .ptrace = true,
     .attach = true},
    {.name = "limits", .mode = S_IFREG | 0444, .show = pid_show_limits, .where = IN_PID | IN_TASK},
    {.name = "comm",
     .mode = S_IFREG | 0644,
     .show = show_comm,
     .store = store_comm,
     .where = IN_PID | IN_TASK},
    {.name = "cmdline",
     .mode = S_IFREG | 0444,
     .show = pid_show_cmdline,
     .where = IN_PID | IN_TASK},
    {.name = "stat", .mode = S_IFREG | 0444, .show = pid_show_stat, .where = IN_PID | IN_TASK},
    {.name = "statm", .mode = S_IFREG | 0444, .show = pid_show_statm, .where = IN_PID | IN_TASK},
    {.name = "maps",
     .mode = S_IFREG | 0444,
     .show = pid_show_maps,
     .ioctl = pid_maps_ioctl,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "numa_maps",
     .mode = S_IFREG | 0444,
     .show = pid_show_numa_maps,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "mem",
     .mode = S_IFREG | 0600,
     .open = pid_open_mem,
     .where = IN_PID | IN_TASK,
     .ptrace = true,
     .attach = true},
    {.name = "cwd", .mode = S_IFLNK | 0777, .iops = &pid_cwd_iops, .where = IN_PID | IN_TASK},
    {.name = "root", .mode = S_IFLNK | 0777, .iops = &pid_root_iops, .where = IN_PID | IN_TASK},
    {.name = "exe", .mode = S_IFLNK | 0777, .iops = &pid_exe_iops, .where = IN_PID | IN_TASK},
    {.name = "mounts", .mode = S_IFREG | 0444, .show = show_mounts0, .stays = true, .where = IN_PID | IN_TASK},
    {.name = "mountinfo",
     .mode = S_IFREG | 0444,
     .show = show_mountinfo,
     .stays = true,
     .where = IN_PID | IN_TASK},
    {.name = "mountstats", .mode = S_IFREG | 0400, .show = show_mountstats, .stays = true, .where = IN_PID},
    {.name = "clear_refs", .mode = S_IFREG | 0200, .store = pid_store_clear_refs, .where = IN_PID | IN_TASK},
    {.name = "smaps",
     .mode = S_IFREG | 0444,
     .show = pid_show_smaps,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "smaps_rollup",
     .mode = S_IFREG | 0444,
     .show = pid_show_smaps_rollup,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "pagemap",
     .mode = S_IFREG | 0400,
     .open = pid_open_pagemap,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "wchan", .mode = S_IFREG | 0444, .show = show_wchan, .where = IN_PID | IN_TASK},
    {.name = "schedstat",
     .mode = S_IFREG | 0444,
     .show = pid_show_schedstat,
     .where = IN_PID | IN_TASK},
    {.name = "oom_score",
     .mode = S_IFREG | 0444,
     .show = show_oom_score,
     .where = IN_PID | IN_TASK},
    {.name = "oom_adj",
     .mode = S_IFREG | 0644,
     .show = show_oom_adj,
     .store = store_oom_adj,
     .where = IN_PID | IN_TASK},
    {.name = "oom_score_adj",
     .mode = S_IFREG | 0644,
     .show = show_oom_score_adj,
     .store = store_oom_score_adj,
     .where = IN_PID | IN_TASK},
    {.name = "loginuid", .mode = S_IFREG | 0644, .show = show_loginuid, .where = IN_PID | IN_TASK},
    {.name = "sessionid", .mode = S_IFREG | 0444, .show = show_loginuid, .where = IN_PID | IN_TASK},
    {.name = "coredump_filter",
     .mode = S_IFREG | 0644,
     .show = show_coredump_filter,
     .store = store_coredump_filter,
     .where = IN_PID},
    {.name = "io",
     .mode = S_IFREG | 0400,
     .show = pid_show_io,
     .where = IN_PID | IN_TASK,
     .ptrace = true},
    {.name = "uid_map", .mode = S_IFREG | 0644, .show = show_id_map, .stays = true, .where = IN_PID | IN_TASK},
    {.name = "gid_map", .mode = S_IFREG | 0644, .show = show_id_map, .stays = true, .where = IN_PID | IN_TASK},
    {.name = "projid_map", .mode = S_IFREG | 0644, .show = show_id_map, .stays = true, .where = IN_PID | IN_TASK},
    {.name = "timerslack_ns",
     .mode = S_IFREG | 0666,
     .show = pid_show_timerslack,
     .store = pid_store_timerslack,
     .where = IN_PID},
    {.name = "setgroups",
     .mode = S_IFREG | 0644,
     .show = show_setgroups,
     .stays = true,
     .where = IN_PID | IN_TASK},
};

/* An open text, which keeps its address space as long as it is open. */
struct pid_text {
    struct pid_inode pi; /* a copy: the file holds the inode and so what it refers to */
};

static struct mm *grab_mm(struct task *t)
{
    struct mm *mm = task_get_mm(t);
    if (mm) {
        mm_grab(mm);
        mm_put(mm);
    }
    return mm;
}

struct mm *pid_get_mm(const struct pid_inode *pi)
{
    if (!pi->pinned)
        return task_get_mm(pi->t);
    return pi->mm && mm_try_get(pi->mm) ? pi->mm : NULL;
}

void pid_pin_mm(struct file *f, struct pid_inode *pi)
{
    f->priv = grab_mm(pi->t);
}

void pid_unpin_mm(struct file *f)
{
    if (f->priv)
        mm_drop(f->priv);
}

static void pid_text_done(void *arg)
{
    struct pid_text *t = arg;
    if (t->pi.mm)
        mm_drop(t->pi.mm);
    kfree(t);
}

static void pid_text_show(struct seq *s, void *arg)
{
    struct pid_inode *pi = &((struct pid_text *)arg)->pi;
    if (READ_ONCE(pi->p->state) != PROCESS_REAPED || pi->e->stays)
        pi->e->show(s, pi);
    else
        s->err = -ESRCH;
}
static int pid_text_store(const char *text, size_t n, void *arg)
{
    struct pid_inode *pi = &((struct pid_text *)arg)->pi;
    if (READ_ONCE(pi->p->state) == PROCESS_REAPED)
        return -ESRCH;
    return pi->e->store ? pi->e->store(pi, text, n) : -EPERM;
}

static s64 pid_text_ioctl(void *arg, u32 cmd, u64 uarg)
{
    struct pid_inode *pi = &((struct pid_text *)arg)->pi;
    return pi->e->ioctl(pi, cmd, uarg);
}

static int pid_text_open(struct inode *i, struct file *f)
{
    struct pid_inode *pi = i->priv;
    if (pi->e->ptrace && !may_open(pi))
        return -EACCES;
    if (pi->e->open)
        return pi->e->open(f, pi);
    if (pi->e->fops) {
        f->ops = pi->e->fops;
        return 0;
    }
    struct pid_text *t = kmalloc(sizeof(*t), GFP_KERNEL);
    if (!t)
        return -ENOMEM;
    t->pi = *pi;
    t->pi.pinned = pi->e->ptrace;
    t->pi.mm = pi->e->ptrace ? grab_mm(pi->t) : NULL;
    int err = text_open(f, pi->e->show ? pid_text_show : NULL, pid_text_store, t, pid_text_done);
    if (err)
        pid_text_done(t);
    else if (pi->e->ioctl)
        text_set_ioctl(f, pid_text_ioctl);
    return err;
}
static const struct inode_ops pid_text_iops = {
    .setattr = proc_setattr,
    .open = pid_text_open, .getattr = pid_getattr, .evict = pid_evict};

static int pid_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct pid_inode *pi = dir->priv;
    if (pid_gone(pi))
        return -ENOENT;
    for (size_t k = 0; k < ARRAY_SIZE(entries); k++) {
        const struct pid_entry *e = &entries[k];
        if (str_len(e->name) != len || memcmp(e->name, name, len) ||
            !(e->where & (pi->in_task ? IN_TASK : IN_PID)))
            continue;
        struct pid_inode like = *pi;
        like.e = e;
        struct inode *i =
            pid_make_inode(dir->sb, &like, e->mode, PID_INO(pi->t->tid, pi->in_task, k + 1, 0),
                           e->iops ? e->iops : &pid_text_iops, S_ISDIR(e->mode) ? e->fops : NULL);
        if (IS_ERR(i))
            return (int)PTR_ERR(i);
        *out = i;
        return 0;
    }
    return -ENOENT;
}

static int pid_readdir(struct file *f, emit_fn *emit, void *ctx)
{
    struct pid_inode *pi = f->inode->priv;
    if (pid_gone(pi))
        return -ENOENT;
    if (!dir_emit_dots(f, emit, ctx))
        return 0;
    for (u64 k = f->pos - 2; k < ARRAY_SIZE(entries); k++) {
        const struct pid_entry *e = &entries[k];
        if ((e->where & (pi->in_task ? IN_TASK : IN_PID)) &&
            !emit(ctx, e->name, str_len(e->name), PID_INO(pi->t->tid, pi->in_task, k + 1, 0),
                  mode_to_dt(e->mode), k + 3))
            return 0;
        f->pos = k + 3;
    }
    return 0;
}

const struct inode_ops pid_dir_iops = {
    .lookup = pid_lookup, .getattr = pid_getattr, .revalidate = pid_revalidate, .evict = pid_evict};
const struct file_ops pid_dir_fops = {.readdir = pid_readdir};
