/* SPDX-License-Identifier: MIT */
/*
 * Terminals: life, opening and closing, hang-up, the nodes /dev/tty and /dev/console. Picture in kernel/tty.h.
 *
 *   tty_open_file ─ first open: driver->open ... last close: driver->close
 *   tty_hangup: generation++ ─ files of before read EOF, write EIO; the tty itself can be opened again
 */
#include "tty_impl.h"
#include <arch/boot.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <port/log.h>

spinlock_t tty_ctrl_lock = SPINLOCK_INIT(RANK_KERNEL_LEAF);
LIST_HEAD(tty_list);

static const u8 default_cc[TTY_NCCS] = {
    [VINTR] = 3,     [VQUIT] = 28,   [VERASE] = 127, [VKILL] = 21, [VEOF] = 4,
    [VMIN] = 1,      [VSTART] = 17,  [VSTOP] = 19,   [VSUSP] = 26, [VREPRINT] = 18,
    [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
};

int tty_init(struct tty *tty, const struct tty_driver *driver, u32 major, u32 minor, u32 index)
{
    memset(tty, 0, sizeof(*tty));
    tty->ring = kmalloc(TTY_RING, GFP_KERNEL);
    if (!tty->ring)
        return -ENOMEM;
    tty->driver = driver;
    tty->major = major;
    tty->minor = minor;
    tty->index = index;
    mutex_init(&tty->cfg_lock, RANK_NONE);
    mutex_init(&tty->write_lock, RANK_NONE);
    mutex_init(&tty->read_lock, RANK_NONE);
    spin_init(&tty->in_lock, RANK_KERNEL_LEAF);
    spin_init(&tty->out_lock, RANK_KERNEL_LEAF);
    waitq_init(&tty->read_wait);
    waitq_init(&tty->write_wait);
    tty_reset_termios(tty);
    spin_lock(&tty_ctrl_lock);
    list_add_tail(&tty->all_link, &tty_list);
    spin_unlock(&tty_ctrl_lock);
    return 0;
}

void tty_reset_termios(struct tty *tty)
{
    tty->termios = (struct termios_k){
        .iflag = ICRNL | IXON,
        .oflag = OPOST | ONLCR,
        .cflag = B38400 | CS8 | CREAD | HUPCL,
        .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .ispeed = 38400,
        .ospeed = 38400,
    };
    memcpy(tty->termios.cc, default_cc, sizeof(default_cc));
    memset(&tty->locked, 0, sizeof(tty->locked));
}

int tty_open_file(struct tty *tty, struct file *f, bool noctty)
{
    struct tty_file *tf = kzalloc(sizeof(*tf), GFP_KERNEL);
    if (!tf)
        return -ENOMEM;
    tf->tty = tty;
    mutex_lock(&tty->cfg_lock);
    int err = 0;
    if (tty->exclusive && tty->opens && !capable(CAP_SYS_ADMIN_TTY))
        err = -EBUSY;
    if (!err && tty->opens == 0 && tty->driver->open)
        err = tty->driver->open(tty);
    if (!err)
        tty->opens++;
    tf->generation = tty->generation;
    mutex_unlock(&tty->cfg_lock);
    if (err) {
        kfree(tf);
        return err;
    }
    f->ops = &tty_file_ops;
    f->priv = tf;
    if (!noctty && !(f->flags & O_NOCTTY) && (f->mode & FMODE_READ))
        tty_open_ctty(tty, f);
    return 0;
}

static void tty_release(struct file *f)
{
    struct tty_file *tf = f->priv;
    struct tty *tty = tf->tty;
    mutex_lock(&tty->cfg_lock);
    bool last = --tty->opens == 0;
    if (last) {
        tty->exclusive = false;
        tty_flush_input(tty);
        if (tty->driver->close)
            tty->driver->close(tty);
    }
    mutex_unlock(&tty->cfg_lock);
    kfree(tf);
}

void tty_hangup(struct tty *tty)
{
    spin_lock(&tty_ctrl_lock);
    s32 session = tty->session, pgrp = tty->pgrp;
    tty->session = tty->pgrp = 0;
    spin_unlock(&tty_ctrl_lock);
    if (session) {
        struct process *leader = process_find(session);
        if (leader) {
            signal_send_process(leader, SIGHUP);
            signal_send_process(leader, SIGCONT);
            process_put(leader);
        }
    }
    if (pgrp && pgrp != session) {
        signal_send_pgrp(pgrp, SIGHUP);
        signal_send_pgrp(pgrp, SIGCONT);
    }
    spin_lock(&tty->in_lock);
    WRITE_ONCE(tty->generation, tty->generation + 1);
    spin_unlock(&tty->in_lock);
    tty_flush_input(tty);
    tty_start(tty);
    waitq_wake_all(&tty->read_wait);
    waitq_wake_all(&tty->write_wait);
}

void tty_write_wakeup(struct tty *tty)
{
    waitq_wake_all(&tty->write_wait);
}

/* f->priv is what dev_register() was given: the tty. */
static int tty_open(struct file *f)
{
    return tty_open_file(f->priv, f, false);
}

const struct file_ops tty_file_ops = {
    .read = tty_read,
    .write = tty_write,
    .lseek = no_lseek,
    .poll = tty_poll,
    .ioctl = tty_ioctl,
    .open = tty_open,
    .release = tty_release,
};

/* ---- /dev/tty: the caller's controlling terminal ---- */
static int dev_tty_open(struct file *f)
{
    struct tty *tty = tty_of_process(current_process());
    return tty ? tty_open_file(tty, f, true) : -ENXIO;
}
static const struct file_ops dev_tty_ops = {.open = dev_tty_open, .lseek = no_lseek};

/* ---- /dev/console ---- */
#define MAX_CONSOLES 8
static struct console_name {
    const char *name;
    struct tty *tty;
} consoles[MAX_CONSOLES];
static unsigned nr_consoles;

void tty_console_register(const char *name, struct tty *tty)
{
    if (nr_consoles < MAX_CONSOLES)
        consoles[nr_consoles++] = (struct console_name){name, tty};
}

/* The last console= word that names a terminal we have (cmdline_get gives the last word); else the first registered. */
static struct tty *console_tty(void)
{
    char word[32];
    if (cmdline_get("console", word, sizeof(word))) {
        char *comma = str_chr(word, ',');
        if (comma)
            *comma = 0;
        for (unsigned i = 0; i < nr_consoles; i++)
            if (str_eq(consoles[i].name, word))
                return consoles[i].tty;
    }
    return nr_consoles ? consoles[0].tty : NULL;
}

static int dev_console_open(struct file *f)
{
    struct tty *tty = console_tty();
    if (!tty)
        return -ENODEV;
    int err = tty_open_file(tty, f, true);
    if (!err)
        ((struct tty_file *)f->priv)->console = true;
    return err;
}
/* /sys/class/tty/console/active */
static void show_active(struct seq *s, void *arg)
{
    struct tty *tty = console_tty();
    if (tty)
        seq_printf(s, "%s%u\n", tty->driver->name, tty->index);
}

static void show_drivers(struct seq *s, void *arg)
{
    seq_puts(s, "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
                "/dev/console         /dev/console    5       1 system:console\n"
                "/dev/ptmx            /dev/ptmx       5       2 system\n"
                "serial               /dev/ttyS       4 64-67 serial\n"
                "pty_slave            /dev/pts      136 0-1023 pty:slave\n");
}

static const struct file_ops dev_console_ops = {.open = dev_console_open, .lseek = no_lseek};

void tty_boot(void)
{
    uart_boot();
    pty_boot();
    struct proc_file active = {
        .path = "/sys/class/tty/console/active", .mode = 0444, .show = show_active};
    struct proc_file drivers = {.path = "/proc/tty/drivers", .mode = 0444, .show = show_drivers};
    int err = dev_register("tty", S_IFCHR | 0666, 5, 0, &dev_tty_ops, NULL);
    if (!err)
        err = dev_register("console", S_IFCHR | 0600, 5, 1, &dev_console_ops, NULL);
    if (!err)
        err = proc_register(&active);
    if (!err)
        err = proc_register(&drivers);
    if (err)
        log_print(LOG_ERR, "tty: no device nodes: error %d", err);
}
