/* SPDX-License-Identifier: MIT */
/* The machine's name, load, log, end; random bytes. */
#include "proc.h"
#include <arch/boot.h>
#include <arch/power.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <kernel/syscall.h>
#include <lib/string.h>
#include <mm/swap.h>
#include <mm/phys.h>
#include <mm/stat.h>
#include <mm/validate.h>
#include <port/clock.h>
#include <port/log.h>
#include <port/random.h>
#include <port/uaccess.h>

struct utsname_k {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
static struct utsname_k uts = {"Linux",         "(none)", "6.12.0-pagoda",
                               "#1 SMP Pagoda", "x86_64", "(none)"};
static spinlock_t uts_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);

void uts_read(char *release, char *version, char *nodename)
{
    spin_lock(&uts_lock);
    memcpy(release, uts.release, 65);
    memcpy(version, uts.version, 65);
    memcpy(nodename, uts.nodename, 65);
    spin_unlock(&uts_lock);
}

SYSCALL(uname)
{
    struct utsname_k u;
    spin_lock(&uts_lock);
    u = uts;
    spin_unlock(&uts_lock);
    if (current_task()->personality & 0x0020000) /* UNAME26 */
        str_copy(u.release, "2.6.72", sizeof(u.release));
    return copy_to_user(a0, &u, sizeof(u)) ? -EFAULT : 0;
}

static s64 set_name(char *field, u64 user, u64 len)
{
    char name[65] = {0};
    if (!capable(21))
        return -EPERM;
    if (len > 64)
        return -EINVAL;
    if (copy_from_user(name, user, len))
        return -EFAULT;
    spin_lock(&uts_lock);
    memcpy(field, name, sizeof(name));
    spin_unlock(&uts_lock);
    return 0;
}
void uts_set_name(bool domain, const char *name, size_t n)
{
    char *field = domain ? uts.domainname : uts.nodename;
    n = min(n, (size_t)64);
    spin_lock(&uts_lock);
    memset(field, 0, 65);
    memcpy(field, name, n);
    spin_unlock(&uts_lock);
}

void uts_domain(char *name)
{
    spin_lock(&uts_lock);
    memcpy(name, uts.domainname, 65);
    spin_unlock(&uts_lock);
}

SYSCALL(sethostname)
{
    return set_name(uts.nodename, a0, a1);
}
SYSCALL(setdomainname)
{
    return set_name(uts.domainname, a0, a1);
}

struct sysinfo_k {
    s64 uptime;
    u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    u16 procs, pad;
    u32 pad2;
    u64 totalhigh, freehigh;
    u32 mem_unit;
    u32 pad3;
};
BUILD_ASSERT(sizeof(struct sysinfo_k) == 112);

SYSCALL(sysinfo)
{
    struct sysinfo_k s = {.uptime = (s64)(clock_ns() / 1000000000), .mem_unit = 1};
    sched_loadavg(s.loads);
    for (int i = 0; i < 3; i++)
        s.loads[i] <<= 5; /* 16 bits of fraction */
    s.totalram = phys_managed() * PAGE_SIZE;
    s.freeram = phys_free_all() * PAGE_SIZE;
    s64 shared = stat_sum(NR_SHMEM);
    s.sharedram = shared > 0 ? (u64)shared * PAGE_SIZE : 0;
    s.totalswap = swap_total_pages() * PAGE_SIZE;
    s.freeswap = (u64)max(swap_free_pages(), 0L) * PAGE_SIZE;
    s.procs = (u16)min(pid_count(), 65535u);
    return copy_to_user(a0, &s, sizeof(s)) ? -EFAULT : 0;
}

#define REBOOT_MAGIC1 0xfee1dead
enum { REBOOT_RESTART = 0x01234567, REBOOT_CAD_OFF = 0, REBOOT_POWER_OFF = 0x4321fedc };
#define REBOOT_HALT     0xcdef0123u
#define REBOOT_CAD_ON   0x89abcdefu
#define REBOOT_RESTART2 0xa1b2c3d4u

/*
 * With the word pagoda.validate on the command line: before the machine stops, is memory in order? init has ended all
 * other programs by then; one that still runs may make a check fail that is none of its fault.
 */
static void validate_memory(void)
{
    if (!cmdline_has("pagoda.validate"))
        return;
    rcu_barrier();
    const char *bad = mm_validate_all();
    if (bad)
        panic("pagoda.validate: %s", bad);
    log_print(LOG_EMERG, "pagoda.validate: memory is in order\n");
}

SYSCALL(reboot)
{
    u32 m2 = (u32)a1;
    char command[256] = "";
    if (!capable(22))
        return -EPERM;
    if ((u32)a0 != REBOOT_MAGIC1 ||
        (m2 != 672274793 && m2 != 85072278 && m2 != 369367448 && m2 != 537993216))
        return -EINVAL;
    switch ((u32)a2) {
    case REBOOT_CAD_OFF:
    case REBOOT_CAD_ON:
        return 0;
    case REBOOT_HALT:
        validate_memory();
        log_print(LOG_EMERG, "reboot: System halted\n");
        arch_halt();
    case REBOOT_POWER_OFF:
        validate_memory();
        log_print(LOG_EMERG, "reboot: Power down\n");
        arch_poweroff();
    case REBOOT_RESTART2:
        if (strncpy_from_user(command, a3, sizeof(command) - 1) == -EFAULT)
            return -EFAULT; /* a longer one is cut */
        command[sizeof(command) - 1] = 0;
        validate_memory();
        log_print(LOG_EMERG, "reboot: Restarting system with command '%s'\n", command);
        arch_reboot();
    case REBOOT_RESTART:
        validate_memory();
        log_print(LOG_EMERG, "reboot: Restarting system\n");
        arch_reboot();
    default:
        return -EINVAL;
    }
}

#define LOG_BYTES 65536
static u64 log_clear_pos, log_read_pos;

static s64 log_copy(u64 *pos, u64 user, u64 n)
{
    char *buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
    s64 done = 0;
    if (!buf)
        return -ENOMEM;
    while ((u64)done < n) {
        size_t got = log_read(pos, buf, min(n - (u64)done, PAGE_SIZE));
        if (!got)
            break;
        if (copy_to_user(user + (u64)done, buf, got)) {
            done = -EFAULT;
            break;
        }
        done += (s64)got;
    }
    kfree(buf);
    return done;
}

SYSCALL(syslog)
{
    int type = (int)a0;
    if (type != 3 && type != 10 && !capable(34))
        return -EPERM;
    if ((type == 2 || type == 3 || type == 4) && (!a1 || (s32)a2 < 0))
        return -EINVAL;
    u64 pos;
    s64 n;
    switch (type) {
    case 0:
    case 1:
        return 0;
    case 2:
        return log_copy(&log_read_pos, a1, a2);
    case 3:
    case 4:
        pos = log_clear_pos;
        if (log_end() > pos + a2)
            pos = log_end() - a2;
        n = log_copy(&pos, a1, a2);
        if (type == 4 && n >= 0)
            log_clear_pos = log_end();
        return n;
    case 5:
        log_clear_pos = log_end();
        return 0;
    case 6:
        log_console_level = 1;
        return 0;
    case 7:
        log_console_level = 7;
        return 0;
    case 8:
        if (a2 < 1 || a2 > 8)
            return -EINVAL;
        log_console_level = (int)a2;
        return 0;
    case 9:
        return (s64)(log_end() - log_read_pos);
    case 10:
        return LOG_BYTES;
    default:
        return -EINVAL;
    }
}

SYSCALL(getrandom)
{
    u64 buf[16], done = 0;
    if (a2 & ~7UL || (a2 & 6) == 6)
        return -EINVAL;
    if (a1 > 0x7ffff000)
        a1 = 0x7ffff000;
    while (done < a1) {
        u64 n = min(a1 - done, sizeof(buf));
        for (u64 i = 0; i < DIV_ROUND_UP(n, 8); i++)
            buf[i] = random_u64();
        if (copy_to_user(a0 + done, buf, n))
            return done ? (s64)done : -EFAULT;
        done += n;
        if (done < a1) {
            if (signal_pending())
                break;
            sched_cond();
        }
    }
    return (s64)done;
}
