/* SPDX-License-Identifier: MIT */
/*
 * Port: what the core asks about the thread that runs. Both answers are looked up where a limit was hit or a flag given, never
 * on the common path.
 */
#ifndef PORT_TASK_H
#define PORT_TASK_H
#include <lib/types.h>

/* Numbers of capabilities(7). */
#define TASK_CAP_IPC_LOCK  14 /* RLIMIT_MEMLOCK does not bind */
#define TASK_CAP_SYS_RAWIO 17 /* may map below mmap_min_addr */
#define TASK_CAP_SYS_ADMIN 21 /* may use the memory that strict overcommit keeps for the administrator */
bool task_capable(int cap);

/* Of personality(2), READ_IMPLIES_EXEC: PROT_READ means PROT_EXEC too. The word is set when the first thread asks for that. */
extern bool task_personality_seen;
bool task_personality_read_exec(void);
static inline bool task_read_implies_exec(void)
{
    return unlikely(READ_ONCE(task_personality_seen)) && task_personality_read_exec();
}
#endif
