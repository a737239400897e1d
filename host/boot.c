/* SPDX-License-Identifier: MIT */
/* Brings the core up on a started machine. Apart from machine.c, so that tests of the port alone need no core. */
#include <host/machine.h>
#include <host/mmu.h>
#include <mm/fault.h>
#include <mm/percpu.h>
#include <mm/phys.h>
#include <port/log.h>

void host_machine_boot(void)
{
    for (u32 c = 0; c < host_nr_cpus; c++)
        cpu_set_local(c, &mm_cpus[c]);
    host_fault_handler = mm_fault;
    if (mm_boot())
        panic("mm_boot failed");
}
