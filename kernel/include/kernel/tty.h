/* SPDX-License-Identifier: MIT */
/*
 * Terminals. Bodies in kernel/dev/tty*.c, pty.c, devpts.c, uart.c.
 *
 *   read(2) <── cooked ring <── ldisc (tty_input.c) <── tty_receive() <── UART thread, pty master's write
 *   write(2) ──> opost (tty_output.c) ──> ops->write ──> UART, pty master's ring        echo goes the same way
 *
 *  T1. struct ttys are never freed, only used again: a stale pointer names some tty, and tty->session tells whose it is.
 *  T2. A tty is the controlling terminal of the session tty->session (0: of none); no two ttys have the same one.
 *
 * Locks, outer first: cfg_lock (mutex: termios, opens, ioctl) · write_lock (mutex: one write(2) at a time) ·
 * in_lock (spin: cooked ring, line state) · out_lock (spin: column, the driver's queue) · ctrl_lock (spin, of all ttys: session, pgrp).
 */
#ifndef KERNEL_TTY_H
#define KERNEL_TTY_H
#include <kernel/file.h>
#include <kernel/poll.h>

struct process;
struct tty;

#define TTY_NCCS 19
struct termios_k { /* struct termios2 of Linux; the first 36 bytes are struct termios */
    u32 iflag, oflag, cflag, lflag;
    u8 line, cc[TTY_NCCS];
    u32 ispeed, ospeed;
};
BUILD_ASSERT(sizeof(struct termios_k) == 44);
struct winsize_k {
    u16 rows, cols, xpixel, ypixel;
};

/* The device behind a tty. May not sleep, but for open, close, drain; write and room are called with out_lock held. */
struct tty_driver {
    const char *name;                                        /* "ttyS" */
    int (*open)(struct tty *tty);                            /* first open; may be NULL */
    void (*close)(struct tty *tty);                          /* last close; may be NULL */
    size_t (*write)(struct tty *tty, const u8 *p, size_t n); /* takes up to n bytes */
    size_t (*room)(struct tty *tty);                         /* bytes that write would take */
    size_t (*pending)(struct tty *tty);                      /* not yet sent; NULL: none ever */
    void (*flush_output)(struct tty *tty);                   /* may be NULL */
    void (*set_termios)(struct tty *tty);                    /* may be NULL */
    void (*flow)(struct tty *tty, bool stopped);     /* output was held or let go; may be NULL */
    void (*unthrottle)(struct tty *tty);             /* the reader made room; may be NULL */
    void (*send_break)(struct tty *tty, bool on);    /* may be NULL */
    u32 (*modem)(struct tty *tty);                   /* TIOCM_* for TIOCMGET; NULL: -ENOTTY */
    s64 (*ioctl)(struct tty *tty, u32 cmd, u64 arg); /* its own ones; -ENOIOCTLCMD. May be NULL */
};

#define TTY_RING 4096u
struct tty {
    const struct tty_driver *driver;
    void *priv; /* the driver's */
    u32 major, minor, index;
    bool exclusive;    /* TIOCEXCL */
    bool other_closed; /* pty slave: the master is gone */
    u32 generation;    /* grows at hang-up: files opened in an earlier one see EOF and EIO */
    s32 opens;         /* cfg_lock */
    bool pty;          /* the slave side of a pseudo terminal */

    struct mutex cfg_lock, write_lock, read_lock;
    struct termios_k termios, locked; /* locked: set bits stay as they are (TIOCSLCKTRMIOS) */
    struct winsize_k winsize;

    spinlock_t in_lock;
    u8 *ring;                 /* TTY_RING bytes */
    u64 lines[TTY_RING / 64]; /* bit set: this byte ends a line (canonical mode) */
    u32 rd, canon,
        wr; /* bytes ever read, up to the last complete line, ever put in: rd <= canon <= wr */
    u32 nr_lines;     /* complete lines in [rd, canon) */
    u32 canon_column; /* where the line being edited began, for erasing tabs */
    bool lnext, erasing, throttled;

    spinlock_t out_lock;
    u32 column;
    bool stopped; /* output is held: ^S, TCXONC */

    s32 session, pgrp; /* ctrl_lock */
    struct waitq read_wait, write_wait;
    struct list_head all_link;
};

/* Sets up a tty with Linux's default settings and puts it on the list of all. The memory stays for ever. 0 or -ENOMEM. */
int tty_init(struct tty *tty, const struct tty_driver *driver, u32 major, u32 minor, u32 index);
/* Input from the device: through the line discipline. Thread context, may not be called with tty locks held. Returns bytes taken. */
size_t tty_receive(struct tty *tty, const u8 *p, size_t n);
/* The device made room or sent all; any context. */
void tty_write_wakeup(struct tty *tty);
/* Carrier lost: SIGHUP and SIGCONT to the session, files see EOF/EIO, the session loses its terminal. */
void tty_hangup(struct tty *tty);
/* The file operations of every tty but pty masters; f->priv is a struct tty_file. */
extern const struct file_ops tty_file_ops;
int tty_open_file(struct tty *tty, struct file *f, bool noctty);

/* The controlling terminal of p, or NULL. */
struct tty *tty_of_process(const struct process *p);
/* Device number (dev_make; 0 none) and foreground group (-1 none) for /proc/PID/stat. */
u64 tty_stat_numbers(const struct process *p, s32 *tpgid);
/* A session leader ends: the terminal's foreground group gets SIGHUP and SIGCONT, the session loses it. kernel/proc/exit.c */
void tty_session_exit(struct process *p);

/* A console tty for /dev/console by its console= name; the last word of the command line decides. */
void tty_console_register(const char *name, struct tty *tty);

/* Registers /dev/tty, /dev/console, /dev/ttyS*, /dev/ptmx and devpts. After fs_boot's devtmpfs registration. */
void tty_boot(void);
void uart_boot(void);
void pty_boot(void);
void devpts_register(void);
#endif
