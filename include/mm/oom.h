/* SPDX-License-Identifier: MIT */
/*
 * The OOM killer: who ends when memory is short and nothing can be reclaimed. Bodies: choice in mm/reclaim/oom.c, the text in
 * mm/reclaim/oom_report.c, the reaper in mm/reclaim/oom_reaper.c. Processes are the home's: it shows them as struct oom_task.
 *
 *   alloc_pages, slow path ── out_of_memory ── choose ── report ── SIGKILL ── the victim ends by itself, with half of the reserve
 *                                                                      └ 2 s later, if it still holds memory: the reaper
 */
#ifndef MM_OOM_H
#define MM_OOM_H
#include <lib/fmt.h>
#include <mm/gfp.h>
#include <mm/mm.h>

#define OOM_SCORE_ADJ_MIN (-1000) /* never chosen */
#define OOM_SCORE_ADJ_MAX 1000

/* What the home shows of a process. */
struct oom_task {
    void *process;        /* the home's */
    struct mm *mm;        /* of its first thread that still has one; NULL: none has */
    struct mm *victim_mm; /* of the time when oom_ops.mark was called for it; NULL: it was not */
    s32 pid, tgid;        /* that thread's number, the process's */
    u32 uid;              /* real */
    s16 adj;              /* oom_score_adj */
    u16 flags;            /* OOM_TASK_* */
    char name[16];
};
enum {
    OOM_TASK_INIT = 1,  /* the machine's first: never chosen */
    OOM_TASK_DYING = 2, /* it ends without anybody's help, and writes no core */
    OOM_TASK_VFORK = 4, /* it runs in its parent's memory until it execs */
};

struct oom_ops {
    /*
     * Calls fn for each process of programs, oldest first, until fn returns true; *t and what it names stay during the call. No
     * lock is held then. Allocates nothing.
     */
    void (*for_each)(bool (*fn)(void *ctx, const struct oom_task *t), void *ctx);
    /* The running thread and its process, held; false: a kernel thread, or its memory is gone. */
    bool (*current)(struct oom_task *t);
    /* t (process and mm) stays beyond fn; the end of that. */
    void (*hold)(const struct oom_task *t);
    void (*release)(const struct oom_task *t);
    /* SIGKILL to every thread. */
    void (*kill)(const struct oom_task *t);
    /* From now on shown with its mm as victim_mm, which is kept with the process. */
    void (*mark)(const struct oom_task *t);
    bool (*current_is_victim)(void);
    /* "CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.0 ...", without the end of line; name: the thread's. */
    void (*describe_current)(struct seq *s, char name[16], s16 *adj);
};

/* Starts the reaper. Until then nothing is killed. 0 or -ENOMEM. */
int oom_boot(const struct oom_ops *ops);
/* For a home that ends: nobody is killed any more, the reaper is through with all and ends. May sleep. */
void oom_stop(void);

/*
 * struct reclaim_ops.out_of_memory: an allocation of order has found nothing, and nothing can be reclaimed. True: try again, for
 * memory was freed, or will be by somebody who dies, or the caller may use half of the reserve now because it dies itself.
 * False: it fails, for it is too large, or may fail, or its thread dies and the reserve is of no help. May sleep.
 */
bool out_of_memory(gfp_t gfp, unsigned order);
/* SysRq f: kills whom out_of_memory would, however much memory there is. May sleep. */
void oom_kill_now(void);

/*
 * Pages by which a process is judged: what would come back, and its oom_score_adj in thousandths of total. OOM_NEVER: it is not to
 * be chosen.
 */
#define OOM_NEVER (-0x7fffffffffffffffL - 1)
s64 oom_badness(const struct oom_task *t, u64 total);
/* RAM and swap, pages. */
u64 oom_total_pages(void);
/* /proc/PID/oom_score: 0 .. 2000, 666 at no memory and no adjustment. */
u64 oom_score(const struct oom_task *t);

/* /proc/sys/vm */
extern u64 sysctl_panic_on_oom, sysctl_oom_kill_allocating_task, sysctl_oom_dump_tasks;

/* ---- inside ---- */

/* Everything the report says before the victim is named. */
void oom_report(gfp_t gfp, s32 order);
void oom_report_victim(const struct oom_task *t);
/* Memory of the machine, as also SysRq m shows it. */
void oom_show_mem(void);
/* Hands mm, whose processes were all killed, to the reaper; t names it in the log. */
void oom_reap_later(const struct oom_task *t);
/* What the home gave to oom_boot(). */
const struct oom_ops *oom_home(void);
int oom_reaper_boot(void);
void oom_reaper_stop(void);
#endif
