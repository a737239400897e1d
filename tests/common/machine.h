/* SPDX-License-Identifier: MIT */
/*
 * The fixture of hosted tests: a machine with the core up, and the check at its end that everything came back: each frame is
 * free again or holds empty slabs, each object of each slab cache was freed, nothing is charged, every validator is content.
 */
#ifndef TESTS_COMMON_MACHINE_H
#define TESTS_COMMON_MACHINE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <host/failpoint.h>
#include <host/file.h>
#include <host/machine.h>
#include <host/mmu.h>
#include <host/process.h>
#include <host/thread.h>
#include <mm/fault.h>
#include <mm/lru.h>
#include <mm/mm.h>
#include <mm/phys.h>
#include <mm/pt.h>
#include <mm/slab.h>
#include <mm/stat.h>
#include <mm/vma.h>

/* A machine with `mib` MiB of RAM in one range, booted. */
void machine_up(u32 mib, u32 cpus, u64 seed);
void machine_up_config(const struct host_config *cfg);
/* Waits for what is left to RCU, checks as said above, stops the machine. */
void machine_down(void);
/* The same checks while the machine stays up: NULL or what is left or wrong. */
const char *machine_left(void);
/* After a panic that was caught: no checks. */
void machine_abandon(void);

/* NULL or what is wrong: physical memory, slab, lruvecs, and every address space (areas, tables). Nobody else may be inside
 * the core. */
const char *machine_validate(void);
void assert_machine_valid(void);
/* Pages in use for other things than slabs, exact. */
u64 machine_pages_used(void);
/* Lets grace periods pass. */
void machine_settle(void);
#endif
