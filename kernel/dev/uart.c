/* SPDX-License-Identifier: MIT */
/*
 * 16550 serial ports at the PC's four places: /dev/ttyS0..3, and the kernel log on one of them.
 *
 *   out  ops->write ─ straight into the chip's 16-byte FIFO while that is empty ─ the rest waits in tx[], drained by interrupts
 *   in   interrupt ─ rx[] ─ the thread "uart" ─ tty_receive();  rx[] full or the terminal not read: the receive interrupt is
 *        off, so the bytes wait in the chip and beyond, and none is lost
 *
 * U1. tx_head - tx_tail and rx_head - rx_tail are at most the ring's size.
 * U2. IER has THRI exactly while tx[] is not empty, RDI exactly while the port is open and rx[] has room.
 * Locks: port->lock (irqsave): rings, chip registers.
 */
#include "tty_impl.h"
#include <arch/boot.h>
#include <arch/io.h>
#include <arch/irq.h>
#include <arch/trap.h>
#include <lib/string.h>
#include <port/cpu.h>
#include <port/log.h>
#include <port/uaccess.h>

#define NR_PORTS 4
#define FIFO     16u
#define TX_SIZE  4096u
#define RX_SIZE  1024u

/* Registers; DLAB in LCR turns the first two into the divisor. */
enum {
    RBR = 0,
    THR = 0,
    DLL = 0,
    IER = 1,
    DLM = 1,
    IIR = 2,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7
};
#define IER_RDI   1u
#define IER_THRI  2u
#define IER_RLSI  4u
#define LCR_DLAB  0x80u
#define LCR_BREAK 0x40u
#define LSR_DR    0x01u
#define LSR_THRE  0x20u
#define LSR_TEMT  0x40u
#define IIR_NONE  1u

struct port {
    struct tty tty;
    u16 base;
    u8 irq;
    bool present, open, irq_on;
    u8 ier, lcr;
    spinlock_t lock;
    u32 tx_head, tx_tail, rx_head, rx_tail;
    bool throttled; /* the terminal took less than offered: wait for unthrottle */
    u8 tx[TX_SIZE], rx[RX_SIZE];
};
static struct port ports[NR_PORTS] = {
    {.base = 0x3f8, .irq = 4},
    {.base = 0x2f8, .irq = 3},
    {.base = 0x3e8, .irq = 4},
    {.base = 0x2e8, .irq = 3},
};
static struct port *log_port;
static struct waitq rx_wait;

static void reg_write(struct port *p, unsigned r, u8 v)
{
    outb((u16)(p->base + r), v);
}
static u8 reg_read(struct port *p, unsigned r)
{
    return inb((u16)(p->base + r));
}

/* lock held. */
static void set_ier(struct port *p)
{
    u8 want = p->tx_head != p->tx_tail ? IER_THRI : 0;
    if (p->open && p->rx_head - p->rx_tail < RX_SIZE)
        want |= IER_RDI | IER_RLSI;
    if (want != p->ier) {
        p->ier = want;
        reg_write(p, IER, want);
    }
}

static void send_queued(struct port *p)
{
    while (p->tx_head != p->tx_tail && (reg_read(p, LSR) & LSR_THRE))
        for (unsigned i = 0; i < FIFO && p->tx_head != p->tx_tail; i++)
            reg_write(p, THR, p->tx[p->tx_tail++ % TX_SIZE]);
}

static size_t uart_write(struct tty *tty, const u8 *s, size_t n)
{
    struct port *p = tty->priv;
    size_t done = 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    send_queued(p);
    while (p->tx_head == p->tx_tail && done < n && (reg_read(p, LSR) & LSR_THRE))
        for (unsigned i = 0; i < FIFO && done < n; i++)
            reg_write(p, THR, s[done++]);
    while (done < n && p->tx_head - p->tx_tail < TX_SIZE)
        p->tx[p->tx_head++ % TX_SIZE] = s[done++];
    set_ier(p);
    spin_unlock_irqrestore(&p->lock, flags);
    return done;
}

static size_t uart_room(struct tty *tty)
{
    struct port *p = tty->priv;
    return TX_SIZE - (READ_ONCE(p->tx_head) - READ_ONCE(p->tx_tail));
}

static size_t uart_pending(struct tty *tty)
{
    struct port *p = tty->priv;
    return READ_ONCE(p->tx_head) - READ_ONCE(p->tx_tail);
}

static void uart_flush(struct tty *tty)
{
    struct port *p = tty->priv;
    u64 flags = spin_lock_irqsave(&p->lock);
    p->tx_tail = p->tx_head;
    set_ier(p);
    spin_unlock_irqrestore(&p->lock, flags);
}

/* ---- interrupts ---- */
static void receive(struct port *p)
{
    while (p->rx_head - p->rx_tail < RX_SIZE && (reg_read(p, LSR) & LSR_DR)) {
        u8 c = reg_read(p, RBR);
        if (p->open)
            p->rx[p->rx_head++ % RX_SIZE] = c;
    }
}

static void uart_interrupt(void *arg)
{
    struct port *p = arg;
    u64 flags = spin_lock_irqsave(&p->lock);
    u32 rx = p->rx_head, tx = p->tx_tail;
    for (unsigned i = 0; i < 64 && !(reg_read(p, IIR) & IIR_NONE); i++) {
        receive(p);
        send_queued(p);
        (void)reg_read(p, MSR);
        set_ier(p);
    }
    bool got = rx != p->rx_head, sent = tx != p->tx_tail && p->tx_head - p->tx_tail <= TX_SIZE / 2;
    spin_unlock_irqrestore(&p->lock, flags);
    if (got)
        waitq_wake_one(&rx_wait);
    if (sent)
        tty_write_wakeup(&p->tty);
}

static bool has_input(const struct port *p)
{
    return READ_ONCE(p->rx_head) != READ_ONCE(p->rx_tail) && !READ_ONCE(p->throttled);
}

static bool any_input(void)
{
    for (unsigned i = 0; i < NR_PORTS; i++)
        if (has_input(&ports[i]))
            return true;
    return false;
}

/* Hands one stretch of input to the terminal. */
static void deliver(struct port *p)
{
    u8 chunk[128];
    size_t n = 0;
    u64 flags = spin_lock_irqsave(&p->lock);
    while (n < sizeof(chunk) && p->rx_tail + n != p->rx_head) {
        chunk[n] = p->rx[(p->rx_tail + n) % RX_SIZE];
        n++;
    }
    p->throttled =
        true; /* unless all is taken; before the question, so that unthrottle is not missed */
    spin_unlock_irqrestore(&p->lock, flags);
    size_t taken = tty_receive(&p->tty, chunk, n);
    flags = spin_lock_irqsave(&p->lock);
    p->rx_tail += (u32)taken;
    if (taken == n)
        p->throttled = false;
    receive(p);
    set_ier(p);
    spin_unlock_irqrestore(&p->lock, flags);
}

static void uart_unthrottle(struct tty *tty)
{
    struct port *p = tty->priv;
    WRITE_ONCE(p->throttled, false);
    waitq_wake_one(&rx_wait);
}

static int uart_thread(void *arg)
{
    for (;;) {
        waitq_wait(&rx_wait, any_input());
        for (unsigned i = 0; i < NR_PORTS; i++)
            if (has_input(&ports[i]))
                deliver(&ports[i]);
    }
    return 0;
}

/* ---- settings ---- */
static void uart_set_termios(struct tty *tty)
{
    struct port *p = tty->priv;
    u32 cf = tty->termios.cflag, speed = tty->termios.ospeed;
    u8 lcr = (u8)((cf & CSIZE) >> 4);
    if (cf & CSTOPB)
        lcr |= 4;
    if (cf & PARENB)
        lcr |= cf & PARODD ? 8 : 0x18;
    u32 div = speed && speed <= 115200 ? 115200 / speed : 1;
    u64 flags = spin_lock_irqsave(&p->lock);
    p->lcr = lcr;
    reg_write(p, LCR, lcr | LCR_DLAB);
    reg_write(p, DLL, (u8)div);
    reg_write(p, DLM, (u8)(div >> 8));
    reg_write(p, LCR, lcr);
    spin_unlock_irqrestore(&p->lock, flags);
}

static void uart_break(struct tty *tty, bool on)
{
    struct port *p = tty->priv;
    u64 flags = spin_lock_irqsave(&p->lock);
    reg_write(p, LCR, on ? p->lcr | LCR_BREAK : p->lcr);
    spin_unlock_irqrestore(&p->lock, flags);
}

/* MSR's upper half and the outputs, as TIOCM_*: DTR RTS CTS CAR RNG DSR. */
static u32 uart_modem(struct tty *tty)
{
    u8 msr = reg_read(tty->priv, MSR);
    return 0x006 | (msr & 0x10 ? 0x020 : 0) | (msr & 0x20 ? 0x100 : 0) | (msr & 0x40 ? 0x080 : 0) |
           (msr & 0x80 ? 0x040 : 0);
}

static int uart_open(struct tty *tty)
{
    struct port *p = tty->priv;
    if (!p->present)
        return -EIO;
    if (!p->irq_on) {
        int err = irq_register(p->irq, IRQ_ISA, uart_interrupt, p);
        if (err)
            return err;
        p->irq_on = true;
    }
    u64 flags = spin_lock_irqsave(&p->lock);
    p->open = true;
    set_ier(p);
    spin_unlock_irqrestore(&p->lock, flags);
    return 0;
}

static void uart_close(struct tty *tty)
{
    struct port *p = tty->priv;
    u64 flags = spin_lock_irqsave(&p->lock);
    p->open = false;
    p->rx_tail = p->rx_head;
    p->throttled = false;
    set_ier(p);
    spin_unlock_irqrestore(&p->lock, flags);
}

struct serial_struct_k {
    s32 type, line;
    u32 port;
    s32 irq, flags, xmit_fifo_size, custom_divisor, baud_base;
    u16 close_delay;
    u8 io_type, reserved;
    s32 hub6;
    u16 closing_wait, closing_wait2;
    u64 iomem_base;
    u16 iomem_reg_shift, pad;
    u32 port_high;
    u64 iomap_base;
};
BUILD_ASSERT(sizeof(struct serial_struct_k) == 72);

static s64 uart_ioctl(struct tty *tty, u32 cmd, u64 arg)
{
    struct port *p = tty->priv;
    if (cmd != TIOCGSERIAL)
        return -ENOIOCTLCMD;
    struct serial_struct_k s = {.type = p->present ? 4 : 0, /* 16550A, none */
                                .line = (s32)tty->index,
                                .port = p->base,
                                .irq = p->irq,
                                .xmit_fifo_size = FIFO,
                                .baud_base = 115200,
                                .close_delay = 50,
                                .closing_wait = 3000};
    return copy_to_user(arg, &s, sizeof(s)) ? -EFAULT : 0;
}

static const struct tty_driver uart_driver = {
    .name = "ttyS",
    .open = uart_open,
    .close = uart_close,
    .write = uart_write,
    .room = uart_room,
    .pending = uart_pending,
    .flush_output = uart_flush,
    .set_termios = uart_set_termios,
    .unthrottle = uart_unthrottle,
    .send_break = uart_break,
    .modem = uart_modem,
    .ioctl = uart_ioctl,
};

/* ---- the kernel log ---- */
static void putc_polled(struct port *p, u8 c)
{
    for (unsigned i = 0; !(reg_read(p, LSR) & LSR_THRE) && i < 100000; i++)
        cpu_relax();
    reg_write(p, THR, c);
}

/* A panic may come while this CPU holds the lock: after a while it goes on without. */
static void log_write(const char *s, size_t n)
{
    struct port *p = log_port;
    u64 flags = irq_save();
    bool locked = false;
    for (unsigned i = 0; !(locked = spin_trylock(&p->lock)) && i < 10000000; i++)
        cpu_relax();
    while (p->tx_tail != p->tx_head)
        putc_polled(p, p->tx[p->tx_tail++ % TX_SIZE]);
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n')
            putc_polled(p, '\r');
        putc_polled(p, (u8)s[i]);
    }
    if (locked) {
        set_ier(p);
        spin_unlock(&p->lock);
    }
    irq_restore(flags);
}

/* A chip answers in its scratch register. */
static bool probe(struct port *p)
{
    if (reg_read(p, LSR) == 0xff)
        return false;
    reg_write(p, SCR, 0xa5);
    if (reg_read(p, SCR) != 0xa5)
        return false;
    reg_write(p, SCR, 0x5a);
    return reg_read(p, SCR) == 0x5a;
}

static void init_chip(struct port *p)
{
    p->lcr = 3;
    reg_write(p, IER, 0);
    reg_write(p, LCR, 3);
    reg_write(p, FCR, 0x01); /* FIFOs on; what has been typed stays */
    reg_write(p, MCR, 0x0b); /* DTR, RTS, OUT2: interrupts reach the line */
}

/* "ttyS1,115200n8" */
static void parse_console(void)
{
    char word[32];
    u64 n, speed = 9600;
    const char *end;
    if (!cmdline_get("console", word, sizeof(word)) || !str_starts(word, "ttyS"))
        return;
    if (str_parse_u64(word + 4, 10, &n, &end) || n >= NR_PORTS || !ports[n].present)
        return;
    if (*end == ',')
        (void)str_parse_u64(end + 1, 10, &speed, &end);
    struct termios_k *t = &ports[n].tty.termios;
    t->cflag = (t->cflag & ~CBAUD) | tty_speed_cflag((u32)speed);
    t->ispeed = t->ospeed = (u32)speed;
    uart_set_termios(&ports[n].tty);
    log_port = &ports[n];
}

void uart_boot(void)
{
    static const char *const names[NR_PORTS] = {"ttyS0", "ttyS1", "ttyS2", "ttyS3"};
    waitq_init(&rx_wait);
    for (unsigned i = 0; i < NR_PORTS; i++) {
        struct port *p = &ports[i];
        spin_init(&p->lock, RANK_KERNEL_LEAF);
        p->present = probe(p);
        if (p->present)
            init_chip(p);
        if (tty_init(&p->tty, &uart_driver, 4, 64 + i, i))
            panic("no memory for serial ports");
        p->tty.priv = p;
        p->tty.termios.cflag = (p->tty.termios.cflag & ~CBAUD) | CLOCAL | tty_speed_cflag(9600);
        p->tty.termios.ispeed = p->tty.termios.ospeed = 9600;
        int err = dev_register(names[i], S_IFCHR | 0660, 4, 64 + i, &tty_file_ops, &p->tty);
        if (err)
            log_print(LOG_ERR, "uart: no node for %s: error %d", names[i], err);
        tty_console_register(names[i], &p->tty);
    }
    log_port = ports[0].present ? &ports[0] : NULL;
    parse_console();
    if (log_port)
        kernel_console_write = log_write;
    if (!kthread_start(uart_thread, NULL, "uart"))
        panic("no memory for the serial thread");
}
