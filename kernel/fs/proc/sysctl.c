/* SPDX-License-Identifier: MIT */
/* /proc/sys: knobs as numbers with bounds, and a few computed texts. */
#include "pfs.h"
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/vma.h>
#include <port/random.h>
#include <port/task.h>

extern u64 sysctl_unprivileged_userfaultfd; /* kernel/ipc/userfaultfd.c */

struct knob {
    const char *path;
    u64 *value;
    u64 min, max;
};

static u64 pid_max = PID_MAX, cap_last = 40, ngroups_max = 32, zero, entropy = 256,
           nr_open = 1048576;
static u64 pipe_max = 1048576, overflow_id = 65534, inotify_instances = 128, inotify_queue = 16384,
           inotify_user_watches = 1048576;

/* min > max: read-only. */
static const struct knob knobs[] = {
    {"/proc/sys/kernel/pid_max", &pid_max, 1, 0},
    {"/proc/sys/kernel/cap_last_cap", &cap_last, 1, 0},
    {"/proc/sys/kernel/ngroups_max", &ngroups_max, 1, 0},
    {"/proc/sys/kernel/randomize_va_space", &sysctl_randomize_va_space, 0, 0x7fffffff},
    {"/proc/sys/kernel/tainted", &zero, 1, 0},
    {"/proc/sys/kernel/overflowuid", &overflow_id, 1, 0},
    {"/proc/sys/kernel/overflowgid", &overflow_id, 1, 0},
    {"/proc/sys/kernel/random/entropy_avail", &entropy, 1, 0},
    {"/proc/sys/kernel/random/poolsize", &entropy, 1, 0},
    {"/proc/sys/kernel/core_uses_pid", &sysctl_core_uses_pid, 0, 1},
    {"/proc/sys/kernel/core_pipe_limit", &zero, 1, 0},
    {"/proc/sys/kernel/yama/ptrace_scope", &sysctl_yama_ptrace_scope, 0, 3},
    {"/proc/sys/fs/suid_dumpable", &zero, 1, 0},
    {"/proc/sys/vm/overcommit_memory", &sysctl_overcommit_memory, 0, 2},
    {"/proc/sys/vm/overcommit_ratio", &sysctl_overcommit_ratio, 0, 0x7fffffff},
    {"/proc/sys/vm/overcommit_kbytes", &sysctl_overcommit_kbytes, 0, ~0UL},
    {"/proc/sys/vm/max_map_count", &sysctl_max_map_count, 0, 0x7fffffff},
    {"/proc/sys/vm/mmap_min_addr", &sysctl_mmap_min_addr, 0, ~0UL},
    {"/proc/sys/vm/fork_share", &sysctl_fork_share, 0, 512},
    {"/proc/sys/vm/legacy_va_layout", &sysctl_legacy_va_layout, 0, 0x7fffffff},
    {"/proc/sys/vm/mmap_rnd_bits", &sysctl_mmap_rnd_bits, 28, 32},
    {"/proc/sys/vm/mmap_rnd_compat_bits", &sysctl_mmap_rnd_compat_bits, 8, 16},
    {"/proc/sys/vm/admin_reserve_kbytes", &sysctl_admin_reserve_kbytes, 0, ~0UL},
    {"/proc/sys/vm/user_reserve_kbytes", &sysctl_user_reserve_kbytes, 0, ~0UL},
    {"/proc/sys/vm/unprivileged_userfaultfd", &sysctl_unprivileged_userfaultfd, 0, 1},
    {"/proc/sys/vm/memfd_noexec", &sysctl_memfd_noexec, 0, 2},
    {"/proc/sys/kernel/threads-max", &sysctl_threads_max, 1, 0x3fffffff},
    {"/proc/sys/fs/file-max", &sysctl_file_max, 0, ~0UL >> 1},
    {"/proc/sys/fs/nr_open", &nr_open, 1, 0},
    {"/proc/sys/fs/pipe-max-size", &pipe_max, 1, 0},
    {"/proc/sys/fs/pipe-user-pages-soft", &sysctl_pipe_user_pages_soft, 0, ~0UL},
    {"/proc/sys/fs/pipe-user-pages-hard", &sysctl_pipe_user_pages_hard, 0, ~0UL},
    {"/proc/sys/fs/epoll/max_user_watches", &sysctl_epoll_user_watches, 0, ~0UL >> 1},
    {"/proc/sys/fs/overflowuid", &overflow_id, 1, 0},
    {"/proc/sys/fs/overflowgid", &overflow_id, 1, 0},
    {"/proc/sys/fs/inotify/max_user_instances", &inotify_instances, 1, 0},
    {"/proc/sys/fs/inotify/max_queued_events", &inotify_queue, 1, 0},
    {"/proc/sys/fs/inotify/max_user_watches", &inotify_user_watches, 1, 0},
};

static u32 knob_mode(const struct knob *k)
{
    if (k->value == &sysctl_mmap_rnd_bits || k->value == &sysctl_mmap_rnd_compat_bits)
        return 0600;
    return k->min > k->max ? 0444 : 0644;
}

static void show_knob(struct seq *s, void *arg)
{
    const struct knob *k = arg;
    seq_printf(s, "%lu\n", READ_ONCE(*k->value));
}

static int store_knob(const char *text, size_t n, void *arg)
{
    const struct knob *k = arg;
    const char *end;
    u64 v;
    while (*text == ' ' || *text == '\t')
        text++;
    if (str_parse_u64(text, 0, &v, &end) || (*end && *end != '\n' && *end != ' ' && *end != '\t'))
        return -EINVAL;
    if (v < k->min || v > k->max)
        return -EINVAL;
    if (k->value == &sysctl_mmap_min_addr && !task_capable(TASK_CAP_SYS_RAWIO))
        return -EPERM;
    WRITE_ONCE(*k->value, v);
    if (k->value == &sysctl_overcommit_ratio) /* two ways to say the same: the last one counts */
        WRITE_ONCE(sysctl_overcommit_kbytes, 0);
    else if (k->value == &sysctl_overcommit_kbytes)
        WRITE_ONCE(sysctl_overcommit_ratio, 0);
    return 0;
}

/* ---- computed ---- */
static void show_ostype(struct seq *s, void *arg)
{
    seq_puts(s, "Linux\n");
}
static void show_osrelease(struct seq *s, void *arg)
{
    char uts[3][65];
    uts_read(uts[0], uts[1], uts[2]);
    seq_printf(s, "%s\n", uts[(u64)(uptr)arg]);
}

static void show_domain(struct seq *s, void *arg)
{
    char name[65];
    uts_domain(name);
    seq_printf(s, "%s\n", name);
}
static int store_name(const char *text, size_t n, void *arg)
{
    size_t len = 0;
    while (len < n && text[len] && text[len] != '\n')
        len++;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    uts_set_name(arg == NULL, text, len);
    return 0;
}

static u64 boot_id[2];
static void put_uuid(struct seq *s, const u64 v[2])
{
    u64 hi = (v[0] & ~0xf000UL) | 0x4000UL,
        lo = (v[1] & ~(3UL << 62)) | 2UL << 62; /* version 4, variant 1 */
    seq_printf(s, "%08lx-%04lx-%04lx-%04lx-%012lx\n", hi >> 32, hi >> 16 & 0xffff, hi & 0xffff,
               lo >> 48, lo & 0xffffffffffffUL);
}
static void show_boot_id(struct seq *s, void *arg)
{
    if (!boot_id[0]) {
        boot_id[1] = random_u64();
        boot_id[0] = random_u64() | 1;
    }
    put_uuid(s, boot_id);
}
static void show_uuid(struct seq *s, void *arg)
{
    u64 v[2] = {random_u64(), random_u64()};
    put_uuid(s, v);
}
static void show_file_nr(struct seq *s, void *arg)
{
    seq_printf(s, "%lu\t0\t%lu\n", file_count(), sysctl_file_max);
}
static void show_core_pattern(struct seq *s, void *arg)
{
    seq_printf(s, "%s\n", core_pattern);
}
static int store_core_pattern(const char *text, size_t n, void *arg)
{
    size_t len = 0;
    while (len < n && len < CORE_PATTERN_SIZE - 1 && text[len] != '\n')
        len++;
    if (text[0] == '|')
        return -EINVAL; /* no program is started for a core: docs/LINUX.md */
    memcpy(core_pattern, text, len);
    core_pattern[len] = '\0';
    return 0;
}

void proc_sysctl_register(void)
{
    static const struct proc_file files[] = {
        {"/proc/sys/kernel/ostype", 0444, show_ostype, NULL, NULL},
        {"/proc/sys/kernel/osrelease", 0444, show_osrelease, NULL, (void *)0},
        {"/proc/sys/kernel/version", 0444, show_osrelease, NULL, (void *)1},
        {"/proc/sys/kernel/hostname", 0644, show_osrelease, store_name, (void *)2},
        {"/proc/sys/kernel/domainname", 0644, show_domain, store_name, NULL},
        {"/proc/sys/kernel/core_pattern", 0644, show_core_pattern, store_core_pattern, NULL},
        {"/proc/sys/kernel/random/boot_id", 0444, show_boot_id, NULL, NULL},
        {"/proc/sys/kernel/random/uuid", 0444, show_uuid, NULL, NULL},
        {"/proc/sys/fs/file-nr", 0444, show_file_nr, NULL, NULL},
    };
    for (size_t k = 0; k < ARRAY_SIZE(knobs); k++) {
        bool fixed = knobs[k].min > knobs[k].max;
        struct proc_file f = {knobs[k].path, knob_mode(&knobs[k]), show_knob,
                              fixed ? NULL : store_knob, (void *)&knobs[k]};
        proc_register(&f);
    }
    for (size_t k = 0; k < ARRAY_SIZE(files); k++)
        proc_register(&files[k]);
}
