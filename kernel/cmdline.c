/* SPDX-License-Identifier: MIT */
#include <kernel/cmdline.h>
#include <lib/string.h>

/* Words of Linux's (Documentation/admin-guide/kernel-parameters.txt) that never reach init, also those without effect here. */
static const char *const known[] = {
    "acpi",
    "apic",
    "apparmor",
    "audit",
    "boot_delay",
    "cgroup_disable",
    "clocksource",
    "console",
    "cma",
    "crashkernel",
    "debug",
    "debug_exit",
    "default_hugepagesz",
    "earlycon",
    "earlyprintk",
    "efi",
    "elevator",
    "hpet",
    "hugepages",
    "hugepagesz",
    "ignore_loglevel",
    "init",
    "init_on_alloc",
    "init_on_free",
    "initcall_debug",
    "initrd",
    "iommu",
    "ip",
    "isolcpus",
    "kpti",
    "kvm-intel",
    "lapic",
    "log_buf_len",
    "loglevel",
    "lpj",
    "maxcpus",
    "mce",
    "mem",
    "memmap",
    "mitigations",
    "movablecore",
    "nfsroot",
    "no5lvl",
    "noapic",
    "nohz",
    "nohz_full",
    "nokaslr",
    "nolapic",
    "nomodule",
    "noresume",
    "norandmaps",
    "nosmap",
    "nosmep",
    "nosmp",
    "nospectre_v1",
    "nospectre_v2",
    "nox2apic",
    "noxsave",
    "nopti",
    "notsc",
    "nowatchdog",
    "nr_cpus",
    "numa",
    "numa_balancing",
    "panic",
    "panic_on_warn",
    "pci",
    "possible_cpus",
    "preempt",
    "printk_time",
    "psi",
    "pti",
    "quiet",
    "raid",
    "rcu_nocbs",
    "rdinit",
    "reboot",
    "reserve",
    "resume",
    "retbleed",
    "ro",
    "root",
    "rootdelay",
    "rootflags",
    "rootfstype",
    "rootwait",
    "rw",
    "security",
    "selinux",
    "slab_nomerge",
    "slub_debug",
    "spectre_v2",
    "swapaccount",
    "swiotlb",
    "sysrq_always_enabled",
    "threadirqs",
    "transparent_hugepage",
    "tsc",
    "vga",
    "vmalloc",
    "watchdog_thresh",
    "x2apic_phys",
    "zswap",
};

static bool is_known(const char *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (w[i] == '.')
            return true; /* a module's */
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (str_len(known[i]) == n && str_ncmp(known[i], w, n) == 0)
            return true;
    return false;
}

/* Cuts the next word out, without its quotes; NULL at the end. */
static char *next_word(char **line)
{
    char *s = *line, *out, *word;
    while (*s == ' ' || *s == '\t' || *s == '\n')
        s++;
    if (!*s)
        return NULL;
    word = out = s;
    for (bool quoted = false; *s && (quoted || (*s != ' ' && *s != '\t' && *s != '\n')); s++) {
        if (*s == '"')
            quoted = !quoted;
        else
            *out++ = *s;
    }
    *line = *s ? s + 1 : s;
    *out = '\0';
    return word;
}

static void add_env(struct init_args *a, const char *word, size_t name_len)
{
    for (u32 i = 0; i < a->envc; i++) {
        if (str_ncmp(a->envp[i], word, name_len + 1) == 0) {
            a->envp[i] = word;
            return;
        }
    }
    if (a->envc < INIT_MAX)
        a->envp[a->envc++] = word;
}

void cmdline_split(char *line, struct init_args *a)
{
    *a = (struct init_args){.argc = 1, .envc = 2, .envp = {"HOME=/", "TERM=linux"}};
    char *w;
    bool rest = false;
    while ((w = next_word(&line))) {
        const char *eq = str_chr(w, '=');
        size_t n = eq ? (size_t)(eq - w) : str_len(w);
        if (rest) {
            if (a->argc < INIT_MAX)
                a->argv[a->argc++] = w;
        } else if (str_eq(w, "--")) {
            rest = true;
        } else if (eq && str_starts(w, "init=")) {
            a->init = eq + 1;
            a->argc = 1; /* as on Linux: what came before was not meant for it */
        } else if (eq && str_starts(w, "rdinit=")) {
            a->rdinit = eq + 1;
            a->argc = 1;
        } else if (is_known(w, n)) {
            continue;
        } else if (eq) {
            add_env(a, w, n);
        } else if (a->argc < INIT_MAX) {
            a->argv[a->argc++] = w;
        }
    }
    a->argv[a->argc] = NULL;
    a->envp[a->envc] = NULL;
}
