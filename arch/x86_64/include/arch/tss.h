/* SPDX-License-Identifier: MIT */
/* The task state segment: where the CPU finds kernel stacks. */
#ifndef ARCH_TSS_H
#define ARCH_TSS_H
#include <lib/types.h>

struct tss {
    u32 reserved0;
    u64 rsp[3]; /* rsp[0]: stack of an exception or interrupt from user mode */
    u64 reserved1;
    u64 ist[7]; /* ist[0] is IST 1 */
    u64 reserved2;
    u16 reserved3, iomap; /* iomap beyond the limit: no port is open to user mode */
} __packed_struct;
BUILD_ASSERT(sizeof(struct tss) == 104);

/* Stacks of their own: a fault in a fault, what can strike where GS is the user's, and what
 * nothing can hold off. */
enum { IST_NONE, IST_DF, IST_NMI, IST_MC, IST_DB, NR_IST };
#endif
