/* SPDX-License-Identifier: MIT */
/*
 * /proc/sysrq-trigger: root writes a letter, the kernel does at once what an administrator would ask of it on the keyboard. What
 * there is: f kill somebody for memory, m show memory, s sync, c crash, b reset, o power off. Others are answered with a list.
 */
#include "pfs.h"
#include <arch/power.h>
#include <mm/oom.h>
#include <port/log.h>

static void act(char letter)
{
    switch (letter) {
    case 'f':
        log_print(LOG_INFO, "sysrq: Manual OOM execution\n");
        oom_kill_now();
        break;
    case 'm':
        log_print(LOG_INFO, "sysrq: Show Memory\n");
        oom_show_mem();
        break;
    case 's':
        log_print(LOG_INFO, "sysrq: Emergency Sync\n");
        sync_all();
        log_print(LOG_INFO, "Emergency Sync complete\n");
        break;
    case 'c':
        log_print(LOG_INFO, "sysrq: Trigger a crash\n");
        panic("sysrq triggered crash");
    case 'b':
        log_print(LOG_INFO, "sysrq: Resetting\n");
        arch_reboot();
    case 'o':
        log_print(LOG_INFO, "sysrq: Power Off\n");
        arch_poweroff();
    default:
        log_print(LOG_INFO, "sysrq: HELP : reboot(b) crash(c) memory-full-oom-kill(f) show-memory-usage(m) poweroff(o) sync(s) \n");
        break;
    }
}

static ssize_t trigger_write(struct file *f, const struct iobuf *b, size_t n, u64 *pos)
{
    char letter;
    if (!n)
        return 0;
    if (iobuf_get(b, 0, &letter, 1))
        return -EFAULT;
    act(letter);
    return (ssize_t)n;
}

void proc_sysrq_register(void)
{
    static const struct file_ops ops = {.write = trigger_write, .lseek = text_lseek};
    struct pnode *n = pnode_make("/proc/sysrq-trigger", S_IFREG | 0200);
    if (n)
        n->fops = &ops;
}
