/* SPDX-License-Identifier: MIT */
/*
 * Core dumps: whether, where, and who waits meanwhile.
 *
 *   fatal signal ─ coredump(): allowed? ─ the other threads are killed and wait in coredump_join(), registers in place
 *                  ─ file by core_pattern ─ core_write_elf() ─ core bit ─ all end
 *
 * C1. From the moment process_signal.core is set until it is NULL again, every thread of the group but the dumper is either
 *     asleep in coredump_join() or was on its way out before (task->exiting).
 * C2. A dump that breaks off, at the limit, on a full disk, leaves what was written so far, and the core bit as on Linux; one
 *     that SIGKILL ends, or that never began, none.
 * Lock: process->lock guards process_signal.core, core_wait.live and task->exiting.
 */
#include "coredump.h"
#include <kernel/path.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <port/log.h>

char core_pattern[CORE_PATTERN_SIZE] = "core";
u64 sysctl_core_uses_pid;

#define CORE_NONE   0
#define CORE_ROOT   2

struct core_wait {
    struct task *dumper;
    u32 live; /* threads that have not come yet */
};

void coredump_join(struct task *t)
{
    struct process *p = t->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    struct core_wait *core = p->signal.core;
    bool wait = core && core->dumper != t;
    t->exiting = true;
    if (wait && --core->live == 0)
        waitq_wake_all(&p->signal.group_wait);
    spin_unlock_irqrestore(&p->lock, flags);
    if (wait)
        waitq_wait(&p->signal.group_wait, !READ_ONCE(p->signal.core));
}

/* Ends the other threads and waits until they have come. false: the process ends for another reason. */
static bool gather(struct core_wait *core, struct core_dump *d)
{
    struct task *me = current_task(), *t;
    struct process *p = me->process;
    u64 flags = spin_lock_irqsave(&p->lock);
    bool first = !p->signal.group_exit && !p->signal.exec_task;
    if (first) {
        p->signal.core = core;
        core->dumper = me;
        signal_kill_group_locked(p, d->sig);
        list_for_each_entry (t, &p->threads, thread_link)
            if (t != me && !t->exiting)
                core->live++;
        d->nr_threads = core->live + 1;
    }
    spin_unlock_irqrestore(&p->lock, flags);
    if (first)
        waitq_wait(&p->signal.group_wait, !READ_ONCE(core->live));
    return first;
}

/* C1: who waits stays in the list. */
static bool list_threads(struct core_dump *d)
{
    struct task *me = current_task(), *t;
    struct process *p = me->process;
    u32 n = 0, most = d->nr_threads;
    d->threads = kvmalloc(most * sizeof(*d->threads), GFP_KERNEL);
    if (!d->threads)
        return false;
    d->threads[n++] = task_get(me);
    u64 flags = spin_lock_irqsave(&p->lock);
    list_for_each_entry (t, &p->threads, thread_link)
        if (t != me && n < most)
            d->threads[n++] = task_get(t);
    spin_unlock_irqrestore(&p->lock, flags);
    d->nr_threads = n;
    return true;
}

static void release(struct core_dump *d, bool dumped)
{
    struct process *p = current_process();
    for (u32 i = 0; d->threads && i < d->nr_threads; i++)
        task_put(d->threads[i]);
    kvfree(d->threads);
    u64 flags = spin_lock_irqsave(&p->lock);
    p->signal.core = NULL;
    if (dumped && !fatal_signal_pending())
        p->exit_code |= 0x80;
    waitq_wake_all(&p->signal.group_wait);
    spin_unlock_irqrestore(&p->lock, flags);
}

/* ---- writing ---- */

bool core_emit(struct core_dump *d, const void *data, size_t n)
{
    if (fatal_signal_pending() || d->written + n > d->limit)
        return false;
    if (file_write_kernel(d->file, data, n, d->pos) != (ssize_t)n)
        return false;
    d->pos += n;
    d->end = d->pos;
    d->written += n;
    return true;
}

bool core_skip(struct core_dump *d, u64 n)
{
    static const char zeros[512];
    if (!d->stream) {
        d->pos += n;
        return true;
    }
    for (u64 part; n; n -= part) {
        part = min(n, sizeof(zeros));
        if (!core_emit(d, zeros, part))
            return false;
    }
    return true;
}

bool core_end(struct core_dump *d)
{
    if (d->stream || d->pos == d->end)
        return true;
    char zero = 0;
    d->pos--;
    return core_emit(d, &zero, 1);
}

/* A fresh regular file of the dumper's own. NULL: there is none to be had. */
static struct file *create(struct core_dump *d, bool as_root)
{
    char *path = kmalloc(PATH_MAX, GFP_KERNEL);
    if (!path)
        return NULL;
    struct file *f = NULL;
    if (!core_name(d, core_pattern, path, PATH_MAX) && (path[0] == '/' || !as_root)) {
        if (!as_root)
            path_unlink(path);
        f = file_open(path, O_CREAT | O_WRONLY | O_NOFOLLOW | O_LARGEFILE | O_EXCL, 0600);
    }
    kfree(path);
    if (!f || IS_ERR(f))
        return NULL;
    const struct inode *i = f->inode;
    if (!S_ISREG(i->mode) || i->nlink > 1 || (i->mode & 0677) != 0600 || i->uid != current_task()->cred->fsuid) {
        file_put(f);
        return NULL;
    }
    return f;
}

static bool write_file(struct core_dump *d, bool as_root)
{
    d->file = create(d, as_root);
    if (!d->file)
        return false;
    bool ok = core_write_elf(d);
    file_put(d->file);
    return ok;
}

void coredump(const struct siginfo_k *info)
{
    struct task *t = current_task();
    struct process *p = t->process;
    struct core_dump d = {.info = info, .sig = info->signo, .limit = p->rlim[RLIMIT_CORE].cur};
    struct core_wait core = {0};
    if (p->dumpable == CORE_NONE || !t->mm || d.limit < PAGE_SIZE || !core_pattern[0])
        return;
    if (!gather(&core, &d))
        return;
    d.name = kmalloc(PATH_MAX, GFP_KERNEL);
    if (d.name && (!t->mm->exe_file || file_path(t->mm->exe_file, d.name, PATH_MAX) < 0))
        d.name[0] = '\0';
    bool ok = d.name && list_threads(&d) && write_file(&d, p->dumpable == CORE_ROOT);
    kfree(d.name);
    release(&d, ok);
}
