/* SPDX-License-Identifier: MIT */
/*
 * Port: the log. Lines go into a ring (dmesg), and to the console when their level is below
 * log_console_level: through COM1 directly at first, through kernel_console_write once a driver
 * has it.
 *
 *   ring: bytes [ring_end - LOG_SIZE, ring_end) of all text ever logged; a line is "<level>[time]
 *   text\n"
 *
 * Locks: lock, irqsave; not taken again by the CPU that holds it (a fault while printing), so
 * that dying words get out.
 */
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/setup.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <port/clock.h>
#include <port/cpu.h>
#include <port/lock.h>
#include <port/log.h>

#define LOG_SIZE  (1UL << 17)
#define LINE_SIZE 800
#define COM1      0x3f8

int log_console_level = LOG_DEBUG;
void (*kernel_console_write)(const char *text, size_t n);

static char ring[LOG_SIZE];
static u64 ring_end;
static spinlock_t lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
static u32 owner = ~0u; /* CPU that holds lock */
static bool have_com1;

/* ---- COM1 ---- */
void early_console_init(void)
{
    outb(COM1 + 7, 0x5a); /* scratch register: is anybody there? */
    have_com1 = inb(COM1 + 7) == 0x5a;
    if (!have_com1)
        return;
    outb(COM1 + 1, 0); /* no interrupts */
    outb(COM1 + 3, 0x80);
    outb(COM1 + 0, 1); /* 115200 baud */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3); /* 8n1 */
    outb(COM1 + 2, 7); /* FIFOs on and empty */
    outb(COM1 + 4, 3);
}

static void com1_putc(char c)
{
    for (unsigned i = 0; !(inb(COM1 + 5) & 0x20) && i < 100000; i++)
        cpu_pause();
    outb(COM1, (u8)c);
}

void early_console_write(const char *s, size_t n)
{
    if (!have_com1)
        return;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            com1_putc('\r');
        com1_putc(s[i]);
    }
}

/* ---- lines ---- */
void log_init(void)
{
    char value[8];
    u64 level;
    if (cmdline_has("quiet"))
        log_console_level = LOG_WARN;
    if (cmdline_has("debug"))
        log_console_level = LOG_DEBUG + 1;
    if (cmdline_get("loglevel", value, sizeof(value)) &&
        str_parse_u64(value, 10, &level, NULL) == 0)
        log_console_level = (int)min(level, 8UL);
}

static void ring_put(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ring[ring_end++ % LOG_SIZE] = s[i];
}

/* Returns whether the lock was taken: not when this CPU holds it already. */
static bool log_lock(u64 *flags)
{
    *flags = irq_save();
    if (READ_ONCE(owner) == cpu_id())
        return false;
    spin_lock(&lock);
    WRITE_ONCE(owner, cpu_id());
    return true;
}

static void log_unlock(bool locked, u64 flags)
{
    if (locked) {
        WRITE_ONCE(owner, ~0u);
        spin_unlock(&lock);
    }
    irq_restore(flags);
}

static void emit(int level, const char *line, size_t n)
{
    char prefix[4] = {'<', (char)('0' + level), '>', 0};
    ring_put(prefix, 3);
    ring_put(line, n);
    if (level >= log_console_level)
        return;
    if (kernel_console_write)
        kernel_console_write(line, n);
    else
        early_console_write(line, n);
}

static void vprint(int level, const char *fmt, fmt_va_list ap)
{
    char line[LINE_SIZE];
    u64 flags, us = tsc_scale.mult ? clock_ns() / 1000 : 0;
    size_t n = (size_t)fmt_print(line, sizeof(line), "[%5lu.%06lu] ", us / 1000000, us % 1000000);
    n += (size_t)fmt_vprint(line + n, sizeof(line) - n, fmt, ap);
    n = min(n, sizeof(line) - 2);
    if (line[n - 1] != '\n')
        line[n++] = '\n';
    bool locked = log_lock(&flags);
    emit(level & 7, line, n);
    log_unlock(locked, flags);
}

void log_print(int level, const char *fmt, ...)
{
    fmt_va_list ap;
    fmt_va_start(ap, fmt);
    vprint(level, fmt, ap);
    fmt_va_end(ap);
}

size_t log_read(u64 *pos, char *out, size_t n)
{
    u64 flags;
    bool locked = log_lock(&flags);
    u64 oldest = ring_end > LOG_SIZE ? ring_end - LOG_SIZE : 0;
    if (*pos < oldest)
        *pos = oldest;
    size_t done = 0;
    while (done < n && *pos < ring_end)
        out[done++] = ring[(*pos)++ % LOG_SIZE];
    log_unlock(locked, flags);
    return done;
}

u64 log_end(void)
{
    return READ_ONCE(ring_end);
}
