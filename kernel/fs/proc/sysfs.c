/* SPDX-License-Identifier: MIT */
/* The beginnings of /sys: CPUs, nodes, and the folders that programs expect. */
#include "pfs.h"
#include <mm/obs.h>
#include <mm/phys.h>
#include <port/cpu.h>
#include <port/mem.h>

/* "0-3,7\n" of a mask */
static void put_mask_list(struct seq *s, u64 bits)
{
    bool first = true;
    for (unsigned k = 0; k < 64; k++) {
        if (!(bits >> k & 1))
            continue;
        unsigned end = k;
        while (end < 63 && (bits >> (end + 1) & 1))
            end++;
        seq_printf(s, end > k ? "%s%u-%u" : "%s%u", first ? "" : ",", k, end);
        first = false;
        k = end;
    }
    seq_putc(s, '\n');
}
static void put_mask_hex(struct seq *s, u64 bits)
{
    unsigned nr = cpu_nr_possible();
    if (nr > 32)
        seq_printf(s, "%0*x,%08x\n", (int)DIV_ROUND_UP(nr - 32, 4u), (u32)(bits >> 32), (u32)bits);
    else
        seq_printf(s, "%0*x\n", (int)DIV_ROUND_UP(nr, 4u), (u32)bits);
}

static u64 node_cpus(unsigned node)
{
    u64 m = 0;
    for (unsigned c = 0; c < cpu_nr_possible(); c++)
        if (mem_cpu_node(c) == node)
            m |= BIT(c);
    return m & cpu_online_mask().bits;
}

static void show_online(struct seq *s, void *arg)
{
    put_mask_list(s, cpu_online_mask().bits);
}
static void show_possible(struct seq *s, void *arg)
{
    put_mask_list(s, cpumask_first_n(cpu_nr_possible()).bits);
}
static void show_offline(struct seq *s, void *arg)
{
    put_mask_list(s, cpumask_first_n(cpu_nr_possible()).bits & ~cpu_online_mask().bits);
}
static void show_kernel_max(struct seq *s, void *arg)
{
    seq_printf(s, "%u\n", NR_CPUS - 1);
}
static void show_zero(struct seq *s, void *arg)
{
    seq_puts(s, "0\n");
}
static void show_number(struct seq *s, void *arg)
{
    seq_printf(s, "%lu\n", (u64)(uptr)arg);
}
static void show_one_cpu(struct seq *s, void *arg)
{
    put_mask_list(s, BIT((u64)(uptr)arg));
}
static void show_one_cpu_hex(struct seq *s, void *arg)
{
    put_mask_hex(s, BIT((u64)(uptr)arg));
}
static void show_nodes(struct seq *s, void *arg)
{
    put_mask_list(s, BIT(nr_nodes) - 1);
}
static void show_node_with_cpu(struct seq *s, void *arg)
{
    u64 m = 0;
    for (unsigned n = 0; n < nr_nodes; n++)
        if (node_cpus(n))
            m |= BIT(n);
    put_mask_list(s, m);
}
static void show_node_meminfo(struct seq *s, void *arg)
{
    sys_text_node_meminfo(s, (unsigned)(uptr)arg);
}
static void show_node_vmstat(struct seq *s, void *arg)
{
    sys_text_node_vmstat(s, (unsigned)(uptr)arg);
}
static void show_node_numastat(struct seq *s, void *arg)
{
    sys_text_node_numastat(s, (unsigned)(uptr)arg);
}
static void show_node_cpulist(struct seq *s, void *arg)
{
    put_mask_list(s, node_cpus((unsigned)(uptr)arg));
}
static void show_node_cpumap(struct seq *s, void *arg)
{
    put_mask_hex(s, node_cpus((unsigned)(uptr)arg));
}
static void show_node_distance(struct seq *s, void *arg)
{
    for (unsigned n = 0; n < nr_nodes; n++)
        seq_printf(s, "%s%u", n ? " " : "", mem_node_distance((unsigned)(uptr)arg, n));
    seq_putc(s, '\n');
}

/* A file whose path holds a number. */
static void add(const char *fmt, unsigned n, void (*show)(struct seq *, void *), u64 arg)
{
    char path[128];
    const char *at = str_chr(fmt, '#');
    fmt_print(path, sizeof(path), "%.*s%u%s", (int)(at - fmt), fmt, n, at + 1);
    struct proc_file f = {kstrdup(path, GFP_KERNEL), 0444, show, NULL, (void *)(uptr)arg};
    if (f.path)
        proc_register(&f);
}

static void add_link(unsigned node, unsigned cpu)
{
    char path[96], target[32];
    fmt_print(path, sizeof(path), "/sys/devices/system/node/node%u/cpu%u", node, cpu);
    fmt_print(target, sizeof(target), "../../cpu/cpu%u", cpu);
    const char *p = kstrdup(path, GFP_KERNEL), *t = kstrdup(target, GFP_KERNEL);
    if (p && t)
        proc_symlink(p, t);
}

void sysfs_register(void)
{
    static const struct proc_file files[] = {
        {"/sys/devices/system/cpu/online", 0444, show_online, NULL, NULL},
        {"/sys/devices/system/cpu/possible", 0444, show_possible, NULL, NULL},
        {"/sys/devices/system/cpu/present", 0444, show_possible, NULL, NULL},
        {"/sys/devices/system/cpu/offline", 0444, show_offline, NULL, NULL},
        {"/sys/devices/system/cpu/kernel_max", 0444, show_kernel_max, NULL, NULL},
        {"/sys/devices/system/node/online", 0444, show_nodes, NULL, NULL},
        {"/sys/devices/system/node/possible", 0444, show_nodes, NULL, NULL},
        {"/sys/devices/system/node/has_cpu", 0444, show_node_with_cpu, NULL, NULL},
        {"/sys/devices/system/node/has_memory", 0444, show_nodes, NULL, NULL},
        {"/sys/devices/system/node/has_normal_memory", 0444, show_nodes, NULL, NULL},
    };
    static const char *const folders[] = {
        "/sys/block",          "/sys/bus",       "/sys/class/block", "/sys/class/mem",
        "/sys/class/net",      "/sys/class/tty", "/sys/dev/block",   "/sys/dev/char",
        "/sys/firmware",       "/sys/fs/cgroup", "/sys/kernel/mm",   "/sys/kernel/debug",
        "/sys/kernel/tracing", "/sys/module",    "/sys/power"};
    for (size_t k = 0; k < ARRAY_SIZE(folders); k++)
        proc_mkdir(folders[k]);
    for (size_t k = 0; k < ARRAY_SIZE(files); k++)
        proc_register(&files[k]);
    for (unsigned c = 0; c < cpu_nr_possible(); c++) {
        add("/sys/devices/system/cpu/cpu#/topology/physical_package_id", c, show_number, c);
        add("/sys/devices/system/cpu/cpu#/topology/core_id", c, show_zero, 0);
        add("/sys/devices/system/cpu/cpu#/topology/thread_siblings", c, show_one_cpu_hex, c);
        add("/sys/devices/system/cpu/cpu#/topology/thread_siblings_list", c, show_one_cpu, c);
        add("/sys/devices/system/cpu/cpu#/topology/core_cpus_list", c, show_one_cpu, c);
        add("/sys/devices/system/cpu/cpu#/topology/core_siblings_list", c, show_one_cpu, c);
        add("/sys/devices/system/cpu/cpu#/topology/package_cpus_list", c, show_one_cpu, c);
    }
    for (unsigned n = 0; n < nr_nodes; n++) {
        add("/sys/devices/system/node/node#/meminfo", n, show_node_meminfo, n);
        add("/sys/devices/system/node/node#/vmstat", n, show_node_vmstat, n);
        add("/sys/devices/system/node/node#/numastat", n, show_node_numastat, n);
        add("/sys/devices/system/node/node#/cpulist", n, show_node_cpulist, n);
        add("/sys/devices/system/node/node#/cpumap", n, show_node_cpumap, n);
        add("/sys/devices/system/node/node#/distance", n, show_node_distance, n);
        for (unsigned c = 0; c < cpu_nr_possible(); c++)
            if (mem_cpu_node(c) == n)
                add_link(n, c);
    }
}
