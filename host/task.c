/* SPDX-License-Identifier: MIT */
/* Port: capabilities and personality of simulated programs: one set for all, tests set it. */
#include <host/thread.h>
#include <port/task.h>

u64 host_capabilities;
bool task_personality_seen;

bool task_capable(int cap)
{
    return host_capabilities >> cap & 1;
}

bool task_personality_read_exec(void)
{
    return true;
}
