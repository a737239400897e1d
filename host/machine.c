/* SPDX-License-Identifier: MIT */
/* Start and end of the hosted machine: host/machine.h. */
#include <host/sched_internal.h>
#include <host/failpoint.h>
#include <port/pte.h>
#include <port/log.h>
#include <port/task.h>
#include <stdlib.h>

struct host_machine host_machine;
bool host_no_contents;

static void fill_defaults(struct host_config *c)
{
    c->log |= getenv("PAGODA_LOG") != NULL;
    if (!c->cpus)
        c->cpus = 1;
    if (!c->nodes)
        c->nodes = 1;
    if (!c->levels)
        c->levels = 4;
    if (!c->switch_permille)
        c->switch_permille = 100;
    if (!c->nr_ranges) {
        c->nr_ranges = 1;
        c->ranges[0] = (struct mem_range){0, c->ram ? c->ram : 64UL << 20, 0, MEM_FREE};
    }
}

void host_machine_start(const struct host_config *cfg)
{
    struct host_machine *m = &host_machine;
    if (m->up)
        panic("a machine is already up");
    *m = (struct host_machine){.cfg = *cfg};
    fill_defaults(&m->cfg);
    host_no_contents = m->cfg.no_contents;
    host_pt_levels = m->cfg.levels;
    host_pt_1g = !m->cfg.no_1g;
    host_pt_pkeys = !m->cfg.no_pkeys;
    host_capabilities = 0;
    task_personality_seen = false;
    rand_init(&m->rand, m->cfg.seed);
    host_fail_none();
    host_state_reset();
    host_arena_start();
    host_mmu_start();
    host_sched_start();
    m->up = true;
    host_rcu_start();
}

void host_machine_stop(void)
{
    struct host_machine *m = &host_machine;
    host_fail_none();
    if (!m->crashed) {
        host_sched_check_ended();
        host_rcu_stop();
    }
    m->up = false;
    host_sched_stop();
    host_mmu_stop();
    host_arena_stop();
    m->crashed = false;
}
