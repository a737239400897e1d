/* SPDX-License-Identifier: MIT */
/* /proc/PID/timerslack_ns: how late the timers of a thread may ring. Another's is for CAP_SYS_NICE. */
#include "pfs.h"

#define CAP_SYS_NICE     23
#define SLACK_DEFAULT_NS 50000

static bool allowed(const struct pid_inode *pi)
{
    return pi->p == current_task()->process || capable(CAP_SYS_NICE);
}

void pid_show_timerslack(struct seq *s, struct pid_inode *pi)
{
    if (allowed(pi))
        seq_printf(s, "%lu\n", READ_ONCE(pi->t->timer_slack_ns));
}

int pid_store_timerslack(struct pid_inode *pi, const char *text, size_t n)
{
    u64 v;
    const char *end;
    if (str_parse_u64(text, 10, &v, &end) || (*end && *end != '\n'))
        return -EINVAL;
    if (!allowed(pi))
        return -EPERM;
    WRITE_ONCE(pi->t->timer_slack_ns, v ? v : SLACK_DEFAULT_NS);
    return 0;
}
