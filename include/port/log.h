/* SPDX-License-Identifier: MIT */
/* Port: the log, panic and assertions. Callable anywhere, never sleeps. Levels are syslog's: 0 emergency .. 7 debug. */
#ifndef PORT_LOG_H
#define PORT_LOG_H
#include <lib/types.h>
enum { LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARN, LOG_NOTICE, LOG_INFO, LOG_DEBUG };
void log_print(int level, const char *fmt, ...) __printf_fn(2, 3);
void panic(const char *fmt, ...) __printf_fn(1, 2) __noreturn_fn;

/* Broken invariants stop the system; they are never returned as errors. */
#define ASSERT(cond)                                                                                                   \
    do {                                                                                                               \
        if (unlikely(!(cond)))                                                                                         \
            panic("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #cond);                             \
    } while (0)
#endif
