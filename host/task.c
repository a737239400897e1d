/* SPDX-License-Identifier: MIT */
/* Port: capabilities and personality of simulated programs, one set for all, tests set it; limits, an address space's. */
#include <host/thread.h>
#include <mm/mm.h>
#include <port/task.h>

u64 host_capabilities, host_dirtied;
bool task_personality_seen;

bool task_capable(int cap)
{
    return host_capabilities >> cap & 1;
}

u64 task_limit(const struct mm *mm, enum task_limit which)
{
    const struct mm_rlimits *r = &mm->rlimit;
    switch (which) {
    case TASK_LIMIT_AS: return r->as;
    case TASK_LIMIT_DATA: return r->data;
    case TASK_LIMIT_DATA_MAX: return r->data_max;
    case TASK_LIMIT_STACK: return r->stack;
    case TASK_LIMIT_MEMLOCK: return r->memlock;
    }
    return U64_MAX;
}

void task_account_dirtied(u64 bytes)
{
    __atomic_fetch_add(&host_dirtied, bytes, __ATOMIC_RELAXED);
}

bool task_personality_read_exec(void)
{
    return true;
}
