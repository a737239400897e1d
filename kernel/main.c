/* SPDX-License-Identifier: MIT */
/*
 * From the architecture's start to the first program.
 *
 *   kernel_main (boot CPU, becomes its idle thread): core · scheduler · other CPUs
 *   init_main (thread 1): file systems, initramfs · terminals, devices · console · exec of /init
 */
#include "proc/proc.h"
#include <arch/boot.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <kernel/cmdline.h>
#include <kernel/time.h>
#include <lib/string.h>
#include <mm/mm.h>
#include <mm/percpu.h>
#include <mm/phys.h>
#include <mm/reclaim.h>
#include <mm/vma.h>
#include <port/clock.h>
#include <port/log.h>

/* Parts that announce themselves by being linked in. */
#define PART(fn) void fn(void) __attribute__((weak))
PART(poll_boot);
PART(pipe_boot);
PART(ipc_boot);
PART(sysv_boot);
PART(socket_boot);
PART(tty_boot);
PART(block_boot);
PART(virtio_boot);
PART(p9_boot);
static void (*const parts[])(void) = {poll_boot,   pipe_boot, ipc_boot,    sysv_boot,
                                      socket_boot, tty_boot,  block_boot,  virtio_boot, p9_boot};

static char init_line[sizeof(boot_cmdline)];
static struct init_args init_args;

/* 0 or why not; *found tells a file that cannot run from one that is not there. */
static int try_init(const char *path, bool *found)
{
    struct file *f = file_open(path, 0, 0);
    *found = !IS_ERR(f);
    if (IS_ERR(f))
        return (int)PTR_ERR(f);
    init_args.argv[0] = path;
    return do_exec(f, path, 0, 0, init_args.argv, init_args.envp);
}

/* Standard input, output and error. */
static void open_console(void)
{
    struct file *f = file_open("/dev/console", 2 /* O_RDWR */, 0);
    if (IS_ERR(f)) {
        log_print(LOG_WARN, "Warning: unable to open an initial console.\n");
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (fd_alloc(file_get(f), 0, i) < 0)
            file_put(f);
    }
    file_put(f);
}

static void run_init(void)
{
    static const char *const others[] = {"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
    const char *first = init_args.rdinit ? init_args.rdinit : "/init";
    bool found;
    int err = try_init(first, &found);
    if (!err)
        return;
    if (!found) {
        /* Linux would now mount the device of root=; there is none here. */
        log_print(LOG_ERR, "check access for rdinit=%s failed: %d, ignoring\n", first, err);
        panic("VFS: Unable to mount root fs on unknown-block(0,0)");
    }
    log_print(LOG_ERR, "Failed to execute %s (error %d)\n", first, err);
    if (init_args.init) {
        err = try_init(init_args.init, &found);
        if (!err)
            return;
        panic("Requested init %s failed (error %d).", init_args.init, err);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        err = try_init(others[i], &found);
        if (!err)
            return;
        if (err != -ENOENT)
            log_print(LOG_ERR, "Starting init: %s exists but couldn't execute it (error %d)\n", others[i], err);
    }
    panic("No working init found.  Try passing init= option to kernel. "
          "See Linux Documentation/admin-guide/init.rst for guidance.");
}

/* Returns to user mode as the first program. */
static void init_main(void *arg)
{
    if (reclaim_start())
        panic("no memory for kswapd");
    int err = fs_boot(boot_initrd, boot_initrd_size);
    if (err)
        panic("no root file system: error %d", err);
    boot_initrd_free();
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i])
            parts[i]();
    open_console();
    u64 ms = clock_ns() / 1000000;
    log_print(LOG_INFO, "Run %s as init process, %lu ms after the start\n",
              init_args.rdinit ? init_args.rdinit : "/init", ms);
    run_init();
}

static void start_init(void)
{
    struct task *t = task_alloc();
    struct process *p = process_alloc();
    if (!t || !p || !(t->thread.kstack = kstack_alloc()) || !(t->sighand = sighand_alloc()) ||
        !(t->files = fd_table_alloc()) || pid_alloc(0) != 1)
        panic("no memory for the first program");
    t->tid = p->pid = 1;
    t->process = p;
    t->cred = cred_get(&root_cred);
    t->thread.affinity = CPUMASK_ALL;
    t->thread.slice = 4000000;
    t->timer_slack_ns = 50000;
    t->start_ns = p->start_ns = clock_ns();
    str_copy(t->comm, "init", sizeof(t->comm));
    p->leader = t;
    p->nr_threads = 1;
    p->exit_signal = SIGCHLD;
    p->dumpable = true;
    u64 threads = phys_managed() * PAGE_SIZE / (8 * THREAD_STACK_SIZE);
    sysctl_threads_max = threads;
    rlimits_init(p->rlim, threads);
    init_process = p;
    struct pgrp *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    list_add_tail(&t->thread_link, &p->threads);
    pid_attach_locked(1, task_get(t));
    pgrp_join_locked(p, 0, 0, &fresh);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    arch_fpu_init(&t->thread.ctx);
    arch_thread_init(&t->thread.ctx, (u64)t->thread.kstack + THREAD_STACK_SIZE, init_main, NULL);
    sched_start(t);
}

void kernel_main(void)
{
    cpu_set_local(0, &mm_cpus[0]);
    if (mm_boot())
        panic("no memory for the memory map");
    sched_init();
    rcu_idle_exit();
    task_boot();
    futex_boot();
    realtime_init();
    if (cmdline_has("norandmaps"))
        sysctl_randomize_va_space = 0;
    str_copy(init_line, boot_cmdline, sizeof(init_line));
    cmdline_split(init_line, &init_args);
    irq_enable();
    unsigned n = smp_boot_cpus(sched_prepare_cpu);
    log_print(LOG_INFO, "smp: Brought up 1 node, %u CPU%s\n", n, n == 1 ? "" : "s");
    start_init();
    sched_start_load_timer();
    sched_psi_boot();
    oom_init();
    kstack_boot();
    sched_idle_loop();
}
