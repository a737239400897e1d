/* SPDX-License-Identifier: MIT */
/* Questions about process groups that terminals ask. */
#include "proc.h"
#include <kernel/task.h>

s32 pgrp_session(s32 pgid)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct pgrp *g = pgrp_find_locked(pgid);
    s32 sid = g ? g->sid : -ESRCH;
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return sid;
}

bool pgrp_is_orphaned(s32 pgid)
{
    u64 flags = spin_lock_irqsave(&tasklist_lock);
    struct pgrp *g = pgrp_find_locked(pgid);
    bool orphaned = !g || pgrp_orphaned_locked(g, NULL);
    spin_unlock_irqrestore(&tasklist_lock, flags);
    return orphaned;
}
