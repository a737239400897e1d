/* SPDX-License-Identifier: MIT */
/*
 * The name of a core file: /proc/sys/kernel/core_pattern with its words filled in.
 *
 *   %% %     %p %P process   %i %I thread   %u user   %g group   %d dumpable   %s signal   %t time   %h host
 *   %e comm   %f file of the program   %E its path with ! for /   %c limit   %C processor      others, and a last %: nothing
 */
#include "coredump.h"
#include <kernel/time.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <port/cpu.h>

/* A name from outside becomes part of one name: no slashes, not hidden. */
static void put_name(struct seq *s, const char *text)
{
    if (s->len == 0 || s->buf[s->len - 1] == '/') {
        if (text[0] == '.' && (!text[1] || (text[1] == '.' && !text[2]))) {
            seq_puts(s, "!");
            text++;
        }
    }
    for (; *text; text++)
        seq_putc(s, *text == '/' ? '!' : *text);
}

static void put_program(struct seq *s, const struct core_dump *d, bool whole)
{
    const char *path = d->name, *slash = str_rchr(path, '/');
    put_name(s, whole || !slash ? path : slash + 1);
}

/* One word after the %. */
static void expand(struct seq *s, const struct core_dump *d, char word, bool *pid)
{
    const struct task *t = current_task();
    char host[3][65];
    switch (word) {
    case '%':
        seq_putc(s, '%');
        break;
    case 'p':
        *pid = true;
        seq_printf(s, "%d", t->process->pid);
        break;
    case 'P':
        seq_printf(s, "%d", t->process->pid);
        break;
    case 'i':
    case 'I':
        seq_printf(s, "%d", t->tid);
        break;
    case 'u':
        seq_printf(s, "%u", t->cred->uid);
        break;
    case 'g':
        seq_printf(s, "%u", t->cred->gid);
        break;
    case 'd':
        seq_printf(s, "%d", t->process->dumpable);
        break;
    case 's':
        seq_printf(s, "%d", d->sig);
        break;
    case 't':
        seq_printf(s, "%ld", time_now().sec);
        break;
    case 'h':
        uts_read(host[0], host[1], host[2]);
        put_name(s, host[2]);
        break;
    case 'e':
        put_name(s, t->comm);
        break;
    case 'f':
    case 'E':
        put_program(s, d, word == 'E');
        break;
    case 'c':
        seq_printf(s, "%lu", d->limit);
        break;
    case 'C':
        seq_printf(s, "%u", cpu_id());
        break;
    default:
        break;
    }
}

int core_name(const struct core_dump *d, const char *pattern, char *out, size_t size)
{
    struct seq s;
    bool pid = false;
    seq_init(&s, out, size - 1);
    for (; *pattern; pattern++) {
        if (*pattern != '%')
            seq_putc(&s, *pattern);
        else if (!*++pattern)
            break;
        else
            expand(&s, d, *pattern, &pid);
    }
    if (!pid && sysctl_core_uses_pid)
        seq_printf(&s, ".%d", current_process()->pid);
    out[s.len] = '\0';
    return s.overflow ? -ENAMETOOLONG : 0;
}
