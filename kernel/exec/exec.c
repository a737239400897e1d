/* SPDX-License-Identifier: MIT */
/*
 * execve and execveat: from a path to a program about to run.
 *
 *   open · read the head · script? open its interpreter, again · plan (elf.c) · arguments into pages · new mm
 *   --- point of no return: other threads end, the old mm goes ---
 *   map the program, its interpreter · stack · registers
 *
 * X1. Before the point of no return an error leaves the caller as it was; after it, an error kills the process with SIGSEGV.
 */
#include "../proc/proc.h"
#include "exec.h"
#include <arch/uaccess.h>
#include <arch/debug.h>
#include <kernel/path.h>
#include <kernel/ptrace.h>
#include <kernel/syscall.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/vma.h>
#include <port/log.h>
#include <port/uaccess.h>

#define MAX_SCRIPTS           5
#define AT_FDCWD_K            (-100)
#define AT_EMPTY_PATH_K       0x1000
#define AT_SYMLINK_NOFOLLOW_K 0x100

static int check_file(struct file *f)
{
    struct inode *i = f->inode;
    if ((i->mode & 0170000) != 0100000)
        return -EACCES;
    if (f->mount && (f->mount->flags & 8 /* MS_NOEXEC */))
        return -EACCES;
    return inode_permission(i, 1);
}

/* Reads the head of image->file and decides what it is. 1: a script whose interpreter is now image->file. */
static int recognise(struct exec_image *im)
{
    memset(im->head, 0, sizeof(im->head));
    ssize_t n = file_read_kernel(im->file, im->head, sizeof(im->head), 0);
    if (n < 0)
        return (int)n;
    if (n >= 2 && im->head[0] == '#' && im->head[1] == '!')
        return exec_script(im, (size_t)n);
    return exec_read_plan(im->file, im->head, (size_t)n, im->task_size, &im->plan);
}

static int open_interpreter(struct exec_image *im)
{
    struct elf_plan *p = &im->plan;
    if (!p->interp_len)
        return 0;
    char *path = kmalloc(p->interp_len + 1, GFP_KERNEL);
    if (!path)
        return -ENOMEM;
    ssize_t n = file_read_kernel(im->file, path, p->interp_len, p->interp_off);
    int err = n < 0 ? (int)n : 0;
    if (!err && ((u64)n != p->interp_len || path[n - 1] != '\0'))
        err = -ENOEXEC;
    if (!err) {
        struct file *f = file_open_exec(AT_FDCWD, path, 0);
        err = IS_ERR(f) ? (int)PTR_ERR(f) : 0;
        if (!err) {
            im->interp = f;
            err = check_file(f);
        }
    }
    if (!err) {
        u8 head[ELF_HEAD_SIZE];
        n = file_read_kernel(im->interp, head, sizeof(head), 0);
        err = n < 0 ? (int)n
                    : exec_read_plan(im->interp, head, (size_t)n, im->task_size, &im->interp_plan);
        if (err == -ENOEXEC || (!err && im->interp_plan.interp_len))
            err = -ELIBBAD;
    }
    kfree(path);
    return err;
}

/* Credentials of set-uid and set-gid programs. NULL: unchanged; ERR_PTR. */
static struct cred *exec_cred(struct file *f)
{
    struct task *t = current_task();
    struct inode *i = f->inode;
    bool suid = i->mode & 04000, sgid = (i->mode & 02010) == 02010;
    struct cred *old = t->cred;
    if (t->process->no_new_privs || (f->mount && (f->mount->flags & 2 /* MS_NOSUID */)))
        suid = sgid = false;
    if ((suid || sgid) && t->trace.tracer && ptrace_exec_limits())
        suid = sgid = false;
    bool same = (!suid || old->euid == i->uid) && (!sgid || old->egid == i->gid) &&
                old->suid == old->euid && old->sgid == old->egid && old->fsuid == old->euid &&
                old->cap_ambient == 0;
    if (same && (old->euid == 0) == (old->cap_permitted == old->cap_bounding) &&
        (old->euid == 0 || !old->cap_permitted))
        return NULL;
    struct cred *c = cred_copy(old);
    if (!c)
        return ERR_PTR(-ENOMEM);
    if (suid)
        c->euid = i->uid;
    if (sgid)
        c->egid = i->gid;
    c->suid = c->fsuid = c->euid;
    c->sgid = c->fsgid = c->egid;
    if (suid || sgid)
        c->cap_ambient = 0;
    if (c->euid == 0 || c->uid == 0) {
        c->cap_permitted = c->cap_bounding | c->cap_inheritable;
        c->cap_effective = c->euid == 0 ? c->cap_permitted : 0;
    } else {
        c->cap_permitted = c->cap_effective = c->cap_ambient;
    }
    return c;
}

static void set_names(struct exec_image *im, const char *filename)
{
    struct task *t = current_task();
    struct process *p = t->process;
    const char *slash = str_rchr(filename, '/');
    char comm[TASK_COMM_LEN] = {0};
    str_copy(comm, slash ? slash + 1 : filename, sizeof(comm));
    memcpy(t->comm, comm, sizeof(comm));
    if (file_path(im->file, p->exe_path, sizeof(p->exe_path)) < 0)
        p->exe_path[0] = '\0';
}

/* The new mm takes the place of the old. */
static void switch_mm(struct task *t, struct mm *mm)
{
    struct mm *old = t->mm;
    if (old) {
        u64 rss = max(rss_total(old), old->hiwater_rss);
        if (t->process->maxrss < rss)
            t->process->maxrss = rss;
    }
    u64 flags = spin_lock_irqsave(&t->process->lock);
    t->mm = mm;
    mmu_switch(&mm->mmu);
    spin_unlock_irqrestore(&t->process->lock, flags);
    vfork_release(t);
    if (old)
        mm_put(old);
}

/* Who may not read a program may not read its memory either. */
static bool exec_readable(struct file *f)
{
    return inode_permission(f->inode, 4) == 0;
}

/* Everything that a new program does not inherit. */
static int shed(struct exec_image *im, struct cred *cred)
{
    struct task *t = current_task();
    struct process *p = t->process;
    if (t->sighand->refs > 1) { /* shared with another process */
        struct sighand *old = t->sighand, *s = sighand_copy(old);
        if (!s)
            return -ENOMEM;
        u64 flags = spin_lock_irqsave(&p->lock); /* who sends a signal looks at it */
        t->sighand = s;
        spin_unlock_irqrestore(&p->lock, flags);
        sighand_put(old);
    }
    u64 flags = spin_lock_irqsave(&p->lock);
    sighand_reset(p, t->sighand);
    spin_unlock_irqrestore(&p->lock, flags);
    t->signal.alt_sp = t->signal.alt_size = t->signal.alt_flags = 0;
    t->clear_child_tid = t->set_child_tid = 0;
    t->robust_list = 0;
    t->rseq_addr = 0;
    t->personality &= ~(u64)READ_IMPLIES_EXEC; /* 64-bit programs say it by their headers */
    t->pdeath_signal = cred ? 0 : t->pdeath_signal;
    t->exit_signal = SIGCHLD;
    p->exit_signal = p->exit_signal ? SIGCHLD : 0;
    p->did_exec = true;
    p->membarrier = 0;
    debug_clear(&t->thread.ctx);
    posix_timers_exec(p);
    if (cred) {
        struct cred *old = t->cred;
        t->cred = cred;
        cred_put(old);
    }
    p->dumpable = t->cred->euid == t->cred->uid && t->cred->egid == t->cred->gid && exec_readable(im->file);
    fd_table_close_on_exec(t->files);
    return 0;
}

static int commit(struct exec_image *im, const char *filename, struct cred *cred)
{
    struct task *t = current_task();
    futex_exit(t);
    int err = fd_table_unshare(t);
    if (!err)
        err = shed(im, cred);
    else if (cred)
        cred_put(cred);
    if (err)
        return err;
    struct mm *mm = im->mm;
    im->mm = NULL;
    switch_mm(t, mm);
    if (pt_has_pkeys())
        mmu_set_pkru(PKRU_INIT); /* the new stack must be open */
    set_names(im, filename);
    err = exec_map_program(im);
    if (!err)
        err = exec_build_stack(im);
    if (err)
        return err;
    arch_thread_exec(&t->thread.ctx, im->start, im->sp);
    current_regs()->orig_rax = ~0UL;
    return 0;
}

static void image_free(struct exec_image *im)
{
    exec_args_free(im);
    if (im->mm)
        mm_put(im->mm);
    if (im->interp)
        file_put(im->interp);
    if (im->file)
        file_put(im->file);
    kfree(im->script);
    kfree(im);
}

static int prepare(struct exec_image *im, const char *path, u64 uargv, u64 uenvp,
                   const char *const *kargv, const char *const *kenvp)
{
    struct task *t = current_task();
    t->nproc_exceeded = t->nproc_exceeded && user_over_nproc(t->cred->user, 0);
    if (t->nproc_exceeded)
        return -EAGAIN;
    im->filename = path;
    im->mm = mm_alloc();
    if (!im->mm)
        return -ENOMEM;
    if (current_task()->mm)
        im->mm->flags |= mmf_inherited(current_task()->mm->flags);
    im->task_size = im->mm->map_limit;
    int err = exec_args_copy(im, uargv, uenvp, kargv, kenvp);
    for (int depth = 0; !err; depth++) {
        err = check_file(im->file);
        if (!err)
            err = recognise(im);
        if (err != 1)
            break;
        err = depth >= MAX_SCRIPTS ? -ELOOP : 0;
    }
    if (!err)
        err = open_interpreter(im);
    if (err)
        return err;
    err = file_deny_write(im->file);
    if (err)
        return err;
    im->mm->exe_file = file_get(im->file); /* writers stay out until the last mm goes */
    struct mm_layout_request layout = {
        .randomize = sysctl_randomize_va_space && !(current_task()->personality & ADDR_NO_RANDOMIZE),
        .legacy = current_task()->personality & ADDR_COMPAT_LAYOUT || sysctl_legacy_va_layout,
        .stack_limit = rlimit_cur(current_process(), RLIMIT_STACK),
    };
    im->randomize = layout.randomize;
    mm_set_layout(im->mm, &layout);
    return 0;
}

int do_exec(struct file *f, const char *path, u64 uargv, u64 uenvp, const char *const *kargv,
            const char *const *kenvp)
{
    struct exec_image *im = kmalloc(sizeof(*im), GFP_KERNEL);
    if (!im) {
        file_put(f);
        return -ENOMEM;
    }
    memset(im, 0, offsetof(struct exec_image, page));
    im->file = f;
    s32 old_tid = current_task()->tid;
    int err = prepare(im, path, uargv, uenvp, kargv, kenvp);
    struct cred *cred = NULL;
    if (!err) {
        cred = exec_cred(im->file);
        if (IS_ERR(cred))
            err = (int)PTR_ERR(cred);
    }
    if (!err)
        err = exec_de_thread();
    if (err) {
        if (cred && !IS_ERR(cred))
            cred_put(cred);
        image_free(im);
        return err;
    }
    err = commit(im, path, cred);
    image_free(im);
    if (err) { /* X1 */
        if (!kargv)
            do_group_exit(SIGSEGV);
        return err;
    }
    ptrace_exec(old_tid);
    return 0;
}

static s64 exec_at(int dirfd, u64 upath, u64 uargv, u64 uenvp, u64 flags)
{
    if (flags & ~(u64)(AT_EMPTY_PATH_K | AT_SYMLINK_NOFOLLOW_K))
        return -EINVAL;
    char *path = getname(upath, flags & AT_EMPTY_PATH_K);
    if (IS_ERR(path))
        return PTR_ERR(path);
    struct file *f;
    char *shown = path, fdname[64];
    if (!path[0]) {
        f = fd_get(dirfd);
        if (!f)
            f = ERR_PTR(-EBADF);
    } else {
        f = file_open_exec(dirfd, path, (u32)flags);
    }
    s64 err = IS_ERR(f) ? PTR_ERR(f) : 0;
    if (!err) {
        if (dirfd != AT_FDCWD_K && path[0] != '/') {
            fmt_print(fdname, sizeof(fdname), path[0] ? "/dev/fd/%d/%.40s" : "/dev/fd/%d", dirfd,
                      path);
            shown = fdname;
        }
        err = do_exec(f, shown, uargv, uenvp, NULL, NULL);
    }
    putname(path);
    return err;
}

SYSCALL(execve)
{
    return exec_at(AT_FDCWD_K, a0, a1, a2, 0);
}

SYSCALL(execveat)
{
    return exec_at((int)a0, a1, a2, a3, a4);
}
