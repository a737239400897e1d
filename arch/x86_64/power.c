/* SPDX-License-Identifier: MIT */
/*
 * The end of the machine: panic, power-off, reset.
 *
 *   poweroff  ACPI S5 (PM1 control, or the sleep register of hardware-reduced machines), else halt
 *   reboot    ACPI reset register, keyboard controller, port cf9, triple fault, in Linux's order
 */
#include <arch/backtrace.h>
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <arch/setup.h>
#include <arch/smp.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <port/log.h>

static u32 panicking;

void arch_halt(void)
{
    smp_stop_others();
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void gas_write(const struct acpi_gas *gas, u8 value)
{
    if (gas->space == 1) {
        outb((u16)gas->addr, value);
    } else if (gas->space == 0 && gas->addr) {
        volatile u8 *p = arch_ioremap(gas->addr, 1);
        if (p)
            mmio_write8(p, value);
    }
}

void arch_debug_exit(u8 status)
{
    outl(0x501, status); /* QEMU's default port */
    outl(0xf4, status);  /* the one most test set-ups choose */
}

void arch_poweroff(void)
{
    smp_stop_others();
    irq_disable();
    if (fadt.hw_reduced || !fadt.pm1a_cnt) {
        gas_write(&fadt.sleep_control, (u8)(fadt.s5_type << 2 | 1 << 5));
    } else {
        u16 v = (u16)((inw((u16)fadt.pm1a_cnt) & 0xc3ff) | fadt.s5_type << 10 | 1 << 13);
        outw((u16)fadt.pm1a_cnt, v);
        if (fadt.pm1b_cnt)
            outw((u16)fadt.pm1b_cnt, v);
    }
    udelay(100000);
    log_print(LOG_EMERG, "System halted, it can't be switched off");
    arch_halt();
}

void arch_reboot(void)
{
    smp_stop_others();
    irq_disable();
    if (fadt.has_reset) {
        gas_write(&fadt.reset, fadt.reset_value);
        udelay(20000);
    }
    for (int i = 0; i < 10; i++) {
        outb(0x64, 0xfe); /* pulse the reset line */
        udelay(50);
    }
    outb(0xcf9, 0x02);
    udelay(50);
    outb(0xcf9, 0x06);
    udelay(50);
    struct {
        u16 limit;
        u64 base;
    } __packed_struct none = {0, 0};
    __asm__ volatile("lidt %0\n int3" ::"m"(none));
    for (;;)
        __asm__ volatile("hlt");
}

/* panic=N: N > 0 resets after N seconds, N < 0 at once, 0 stays. */
static void panic_end(void)
{
    char value[16];
    s64 seconds = 0;
    if (!cmdline_get("panic", value, sizeof(value)) || str_parse_s64(value, 10, &seconds, NULL) ||
        !seconds)
        return;
    if (seconds > 0)
        log_print(LOG_EMERG, "Rebooting in %ld seconds..", seconds);
    for (s64 i = 0; i < seconds; i++)
        udelay(1000000);
    arch_reboot();
}

void panic(const char *fmt, ...)
{
    char text[256];
    fmt_va_list ap;
    irq_disable();
    if (__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST))
        for (;;)
            __asm__ volatile("hlt"); /* another CPU is at it, or panic itself failed */
    fmt_va_start(ap, fmt);
    fmt_vprint(text, sizeof(text), fmt, ap);
    fmt_va_end(ap);
    smp_stop_others();
    /* From here on without drivers, which may be what broke. */
    kernel_console_write = NULL;
    log_console_level = LOG_DEBUG;
    log_print(LOG_EMERG, "Kernel panic - not syncing: %s", text);
    backtrace_print((u64)__builtin_frame_address(0));
    panic_end();
    log_print(LOG_EMERG, "---[ end Kernel panic - not syncing: %s ]---", text);
    for (;;)
        __asm__ volatile("hlt");
}
