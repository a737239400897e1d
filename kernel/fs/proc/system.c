/* SPDX-License-Identifier: MIT */
/* /proc: the machine as a whole: stat, uptime, loadavg, version, filesystems, devices, interrupts, links to oneself. */
#include "pfs.h"
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/irq.h>
#include <kernel/swapfile.h>
#include <kernel/time.h>
#include <mm/obs.h>
#include <mm/phys.h>
#include <port/clock.h>
#include <port/cpu.h>
#include "../../time/clock.h"
#include "../locks.h"

#define TICK_NS 10000000UL

static void put_cpu_line(struct seq *s, const struct sched_times *t)
{
    seq_printf(s, "%lu 0 %lu %lu %lu 0 0 0 0 0\n", t->user / TICK_NS, t->system / TICK_NS, t->idle / TICK_NS,
               t->iowait / TICK_NS);
}

struct count {
    u64 running, total;
};
static int count_threads(void *ctx, struct process *p)
{
    struct count *c = ctx;
    c->total += READ_ONCE(p->nr_threads);
    return 0;
}

static void show_interrupt_counts(struct seq *s)
{
    struct irq_info info[64];
    size_t n = irq_list(info, ARRAY_SIZE(info));
    u64 total = 0;
    u32 cpu;
    for (size_t k = 0; k < n; k++)
        total += info[k].count;
    for_each_cpu (cpu, cpu_online_mask())
        total += cpus[cpu].nr_ticks + cpus[cpu].nr_ipis;
    seq_printf(s, "intr %lu", total);
    for (unsigned gsi = 0; gsi < 24; gsi++) {
        u64 count = 0;
        for (size_t k = 0; k < n; k++)
            if (info[k].gsi == gsi)
                count = info[k].count;
        seq_put_dec(s, " ", count);
    }
    seq_putc(s, '\n');
}

static void show_stat(struct seq *s, void *arg)
{
    struct sched_times sum = {0}, one;
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask()) {
        sched_cpu_times(cpu, &one);
        sum.user += one.user;
        sum.system += one.system;
        sum.idle += one.idle;
        sum.iowait += one.iowait;
    }
    seq_puts(s, "cpu  ");
    put_cpu_line(s, &sum);
    for_each_cpu (cpu, cpu_online_mask()) {
        sched_cpu_times(cpu, &one);
        seq_printf(s, "cpu%u ", cpu);
        put_cpu_line(s, &one);
    }
    show_interrupt_counts(s);
    seq_printf(s,
               "ctxt %lu\nbtime %ld\nprocesses %lu\nprocs_running %lu\nprocs_blocked %lu\nsoftirq 0 "
               "0 0 0 0 0 0 0 0 0 0\n",
               sched_context_switches(), (realtime_ns() - (s64)clock_ns()) / NSEC_PER_SEC,
               pid_forks(), sched_nr_running(), sched_nr_iowait());
}

static void show_uptime(struct seq *s, void *arg)
{
    u64 now = clock_ns() / 10000000, idle = 0;
    struct sched_times t;
    u32 cpu;
    for_each_cpu (cpu, cpu_online_mask()) {
        sched_cpu_times(cpu, &t);
        idle += t.idle / 10000000;
    }
    seq_printf(s, "%lu.%02lu %lu.%02lu\n", now / 100, now % 100, idle / 100, idle % 100);
}

static void show_loadavg(struct seq *s, void *arg)
{
    u64 avg[3];
    struct count c = {0};
    sched_loadavg(avg);
    process_for_each(count_threads, &c);
    for (int k = 0; k < 3; k++) {
        u64 v = avg[k] + (1 << 11) / 200;
        seq_printf(s, "%lu.%02lu ", v >> 11, ((v & 2047) * 100) >> 11);
    }
    seq_printf(s, "%lu/%lu %d\n", sched_nr_running(), c.total, pid_last());
}

static void show_version(struct seq *s, void *arg)
{
    char release[65], version[65], node[65];
    uts_read(release, version, node);
    seq_printf(s, "Linux version %s (pagoda) (%s) %s\n", release, "gcc " __VERSION__, version);
}

static void show_cmdline(struct seq *s, void *arg)
{
    seq_puts(s, boot_cmdline);
    seq_putc(s, '\n');
}

static void show_filesystems(struct seq *s, void *arg)
{
    for (struct fs_type *t = fs_find(NULL); t; t = t->next)
        seq_printf(s, "%s\t%s\n", (t->flags & FS_NEEDS_DEV) ? "" : "nodev", t->name);
}

static void show_devices(struct seq *s, void *arg)
{
    static const struct {
        u32 major;
        const char *name;
    } names[] = {{1, "mem"},       {4, "tty"},   {4, "ttyS"},  {5, "/dev/tty"}, {5, "/dev/console"},
                 {5, "/dev/ptmx"}, {10, "misc"}, {128, "ptm"}, {136, "pts"}};
    seq_puts(s, "Character devices:\n");
    for (size_t k = 0; k < ARRAY_SIZE(names); k++)
        if (dev_has_major(S_IFCHR, names[k].major))
            seq_printf(s, "%3u %s\n", names[k].major, names[k].name);
    seq_puts(s, "\nBlock devices:\n");
    if (dev_has_major(S_IFBLK, 254))
        seq_puts(s, "254 virtblk\n");
}

static void show_interrupts(struct seq *s, void *arg)
{
    struct irq_info info[64];
    size_t n = irq_list(info, ARRAY_SIZE(info));
    cpumask_t online = cpu_online_mask();
    u32 cpu;
    seq_printf(s, "%11s", "");
    for_each_cpu (cpu, online)
        seq_printf(s, "CPU%-8u", cpu);
    seq_putc(s, '\n');
    for (size_t k = 0; k < n; k++) { /* device interrupts all go to the boot CPU */
        bool msi = info[k].gsi == ~0u;
        seq_printf(s, "%3u: ", msi ? 24u + info[k].vector : info[k].gsi);
        for_each_cpu (cpu, online)
            seq_printf(s, "%10lu ", cpu == 0 ? info[k].count : 0);
        seq_printf(s, msi ? " PCI-MSI %4u-edge\n" : " IO-APIC %4u-edge\n",
                   msi ? info[k].vector : info[k].gsi);
    }
    static const char *const local[] = {"LOC", "CAL"};
    for (int k = 0; k < 2; k++) {
        seq_printf(s, "%s: ", local[k]);
        for_each_cpu (cpu, online)
            seq_printf(s, "%10lu ", k ? cpus[cpu].nr_ipis : cpus[cpu].nr_ticks);
        seq_puts(s, k ? " Function call interrupts\n" : " Local timer interrupts\n");
    }
}

static void show_iomem(struct seq *s, void *arg)
{
    static const char *const kinds[] = {"Reserved", "System RAM", "Reserved", "ACPI Tables",
                                        "ACPI Non-volatile Storage"};
    const struct boot_range *r;
    size_t n = boot_memory_map(&r);
    bool see = capable(CAP_SYS_ADMIN);
    for (size_t k = 0; k < n; k++)
        seq_printf(s, "%08lx-%08lx : %s\n", see ? r[k].base : 0,
                   see ? r[k].base + r[k].size - 1 : 0, kinds[r[k].type < 5 ? r[k].type : 0]);
}

/* Texts of the core take no argument. */
static void show_core(struct seq *s, void *arg)
{
    ((void (*)(struct seq *))arg)(s);
}

static ssize_t self_readlink(char *buf, size_t size)
{
    return fmt_print(buf, size, "%d", current_task()->process->pid);
}
static ssize_t thread_self_readlink(char *buf, size_t size)
{
    return fmt_print(buf, size, "%d/task/%d", current_task()->process->pid, current_task()->tid);
}

static void computed_link(const char *path, ssize_t (*fn)(char *, size_t))
{
    struct pnode *n = pnode_make(path, S_IFLNK | 0777);
    if (n)
        n->readlink = fn;
}

void proc_cpuinfo_show(struct seq *s, void *arg);

void proc_system_register(void)
{
    static const struct proc_file files[] = {
        {"/proc/cmdline", 0444, show_cmdline, NULL, NULL},
        {"/proc/cpuinfo", 0444, proc_cpuinfo_show, NULL, NULL},
        {"/proc/devices", 0444, show_devices, NULL, NULL},
        {"/proc/filesystems", 0444, show_filesystems, NULL, NULL},
        {"/proc/interrupts", 0444, show_interrupts, NULL, NULL},
        {"/proc/iomem", 0444, show_iomem, NULL, NULL},
        {"/proc/locks", 0444, locks_show, NULL, NULL},
        {"/proc/loadavg", 0444, show_loadavg, NULL, NULL},
        {"/proc/stat", 0444, show_stat, NULL, NULL},
        {"/proc/swaps", 0444, swaps_show, NULL, NULL},
        {"/proc/uptime", 0444, show_uptime, NULL, NULL},
        {"/proc/version", 0444, show_version, NULL, NULL},
        {"/proc/meminfo", 0444, show_core, NULL, proc_text_meminfo},
        {"/proc/vmstat", 0444, show_core, NULL, proc_text_vmstat},
        {"/proc/zoneinfo", 0444, show_core, NULL, proc_text_zoneinfo},
        {"/proc/buddyinfo", 0444, show_core, NULL, proc_text_buddyinfo},
        {"/proc/pagetypeinfo", 0400, show_core, NULL, proc_text_pagetypeinfo},
        {"/proc/slabinfo", 0400, show_core, NULL, proc_text_slabinfo},
        {"/proc/vmallocinfo", 0400, show_core, NULL, proc_text_vmallocinfo},
    };
    struct pnode *kmsg = pnode_make("/proc/kmsg", S_IFREG | 0400);
    if (kmsg)
        kmsg->fops = &proc_kmsg_fops;
    computed_link("/proc/self", self_readlink);
    computed_link("/proc/thread-self", thread_self_readlink);
    proc_symlink("/proc/mounts", "self/mounts");
    for (size_t k = 0; k < ARRAY_SIZE(files); k++)
        proc_register(&files[k]);
}
