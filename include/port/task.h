/* SPDX-License-Identifier: MIT */
/*
 * Port: what the core asks about the thread that runs. Capabilities and personality are looked up where a limit was hit or a
 * flag given, limits where an address space grows.
 */
#ifndef PORT_TASK_H
#define PORT_TASK_H
#include <lib/types.h>

/* Numbers of capabilities(7). */
#define TASK_CAP_IPC_LOCK  14 /* RLIMIT_MEMLOCK does not bind */
#define TASK_CAP_SYS_RAWIO 17 /* may map below mmap_min_addr */
#define TASK_CAP_SYS_ADMIN 21 /* may use the memory that strict overcommit keeps for the administrator */
bool task_capable(int cap);

/* Limits of setrlimit(2), in bytes; U64_MAX = none. */
enum task_limit {
    TASK_LIMIT_AS,
    TASK_LIMIT_DATA,
    TASK_LIMIT_DATA_MAX, /* the hard limit */
    TASK_LIMIT_STACK,
    TASK_LIMIT_MEMLOCK,
};
struct mm;
/* Those of the running process: two that share an address space have each their own. mm, which it works on, is for homes
 * whose programs have no limits but their space's (mm->rlimit). */
u64 task_limit(const struct mm *mm, enum task_limit which);

/* The running thread made clean pages dirty that somebody will write: what getrusage and /proc/PID/io tell. Any lock may be held. */
void task_account_dirtied(u64 bytes);

/* Of personality(2), READ_IMPLIES_EXEC: PROT_READ means PROT_EXEC too. The word is set when the first thread asks for that. */
extern bool task_personality_seen;
bool task_personality_read_exec(void);
static inline bool task_read_implies_exec(void)
{
    return unlikely(READ_ONCE(task_personality_seen)) && task_personality_read_exec();
}
#endif
