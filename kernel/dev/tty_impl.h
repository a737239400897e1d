/* SPDX-License-Identifier: MIT */
/* Termios bits, ioctl numbers and what the tty files share with each other and with nobody else. */
#ifndef KERNEL_DEV_TTY_IMPL_H
#define KERNEL_DEV_TTY_IMPL_H
#include <kernel/tty.h>

/* c_iflag */
#define IGNBRK  0000001u
#define BRKINT  0000002u
#define PARMRK  0000010u
#define INPCK   0000020u
#define ISTRIP  0000040u
#define INLCR   0000100u
#define IGNCR   0000200u
#define ICRNL   0000400u
#define IUCLC   0001000u
#define IXON    0002000u
#define IXANY   0004000u
#define IXOFF   0010000u
#define IMAXBEL 0020000u
#define IUTF8   0040000u
/* c_oflag */
#define OPOST  0000001u
#define OLCUC  0000002u
#define ONLCR  0000004u
#define OCRNL  0000010u
#define ONOCR  0000020u
#define ONLRET 0000040u
#define TABDLY 0014000u
#define XTABS  0014000u
/* c_cflag */
#define CBAUD  0010017u
#define B38400 0000017u
#define CSIZE  0000060u
#define CS8    0000060u
#define CSTOPB 0000100u
#define CREAD  0000200u
#define PARENB 0000400u
#define PARODD 0001000u
#define HUPCL  0002000u
#define CLOCAL 0004000u
#define BOTHER 0010000u
/* c_lflag */
#define ISIG    0000001u
#define ICANON  0000002u
#define ECHO    0000010u
#define ECHOE   0000020u
#define ECHOK   0000040u
#define ECHONL  0000100u
#define NOFLSH  0000200u
#define TOSTOP  0000400u
#define ECHOCTL 0001000u
#define ECHOPRT 0002000u
#define ECHOKE  0004000u
#define IEXTEN  0100000u
#define EXTPROC 0200000u
/* c_cc */
enum {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2
};

#define TCGETS         0x5401u
#define TCSETS         0x5402u
#define TCSETSW        0x5403u
#define TCSETSF        0x5404u
#define TCGETA         0x5405u
#define TCSETA         0x5406u
#define TCSETAW        0x5407u
#define TCSETAF        0x5408u
#define TCSBRK         0x5409u
#define TCXONC         0x540au
#define TCFLSH         0x540bu
#define TIOCEXCL       0x540cu
#define TIOCNXCL       0x540du
#define TIOCSCTTY      0x540eu
#define TIOCGPGRP      0x540fu
#define TIOCSPGRP      0x5410u
#define TIOCOUTQ       0x5411u
#define TIOCSTI        0x5412u
#define TIOCGWINSZ     0x5413u
#define TIOCSWINSZ     0x5414u
#define TIOCMGET       0x5415u
#define FIONREAD       0x541bu
#define TIOCGSERIAL    0x541eu
#define TIOCPKT        0x5420u
#define TIOCNOTTY      0x5422u
#define TIOCSETD       0x5423u
#define TIOCGETD       0x5424u
#define TCSBRKP        0x5425u
#define TIOCSBRK       0x5427u
#define TIOCCBRK       0x5428u
#define TIOCGSID       0x5429u
#define TCGETS2        0x802c542au
#define TCSETS2        0x402c542bu
#define TCSETSW2       0x402c542cu
#define TCSETSF2       0x402c542du
#define TIOCGPTN       0x80045430u
#define TIOCSPTLCK     0x40045431u
#define TIOCGDEV       0x80045432u
#define TIOCSIG        0x40045436u
#define TIOCVHANGUP    0x5437u
#define TIOCGPKT       0x80045438u
#define TIOCGPTLCK     0x80045439u
#define TIOCGEXCL      0x80045440u
#define TIOCGSOFTCAR   0x5419u
#define TIOCSSOFTCAR   0x541au
#define TIOCGLCKTRMIOS 0x5456u
#define TIOCSLCKTRMIOS 0x5457u
#define TIOCGPTPEER    0x5441u

#define TIOCPKT_FLUSHREAD  0x01u
#define TIOCPKT_FLUSHWRITE 0x02u
#define TIOCPKT_STOP       0x04u
#define TIOCPKT_START      0x08u
#define TIOCPKT_NOSTOP     0x10u
#define TIOCPKT_DOSTOP     0x20u
#define TIOCPKT_IOCTL      0x40u

#define CAP_SYS_ADMIN_TTY  21
#define CAP_SYS_TTY_CONFIG 26

/* An open file of a tty. */
struct tty_file {
    struct tty *tty;
    u32 generation; /* of the tty at open: another one now means that this file was hung up */
    bool console;   /* opened as /dev/console: hang-ups pass it by */
};

/* process->tty of who gave up the session's terminal with TIOCNOTTY; children inherit it. */
#define TTY_GIVEN_UP ((void *)1)

extern spinlock_t tty_ctrl_lock; /* session, pgrp, the list */
extern struct list_head tty_list;

static inline bool tty_file_hung(const struct tty_file *tf)
{
    return unlikely(READ_ONCE(tf->tty->generation) != tf->generation) && !tf->console;
}
static inline bool tty_l(const struct tty *t, u32 bit)
{
    return READ_ONCE(t->termios.lflag) & bit;
}

/* tty_output.c; out_lock held */
size_t tty_opost(struct tty *tty, const u8 *p, size_t n); /* bytes of p consumed */
void tty_echo(struct tty *tty, u8 c);                     /* takes out_lock itself: through opost */
void tty_echo_visible(struct tty *tty, u8 c);             /* control characters as ^X */
ssize_t tty_write(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
void tty_stop(struct tty *tty);
void tty_start(struct tty *tty);
int tty_drain(struct tty *tty); /* waits until all is sent: 0 or -ERESTARTSYS */

/* tty_input.c, tty_read.c */
void tty_flush_input(struct tty *tty);
void tty_mode_changed(struct tty *tty, u32 old_lflag); /* in_lock held */
bool tty_input_ready(struct tty *tty,
                     u32 least);         /* would a read of at least that many bytes return */
size_t tty_input_bytes(struct tty *tty); /* FIONREAD */
ssize_t tty_read(struct file *f, const struct iobuf *buf, size_t n, u64 *pos);
u32 tty_poll(struct file *f, struct poll_table *pt);

/* tty_ioctl.c: the ioctls that do not depend on which side of a pty is asked. tf NULL: pty master. */
s64 tty_ioctl(struct file *f, u32 cmd, u64 arg);
s64 tty_common_ioctl(struct tty *tty, u32 cmd, u64 arg, bool master);
u32 tty_speed_cflag(u32 speed); /* CBAUD bits */

/* tty_jobctl.c */
int tty_check_change(
    struct tty *tty,
    int sig); /* may a background process do this? 0, -ERESTARTSYS (signalled), -EIO */
s64 tty_session_ioctl(struct tty *tty, struct file *f, u32 cmd, u64 arg, bool master);
void tty_open_ctty(struct tty *tty, struct file *f);
bool tty_is_mine(const struct tty *tty); /* current's controlling terminal */
void tty_signal_fg(struct tty *tty, int sig);

/* tty.c */
void tty_reset_termios(struct tty *tty);
#endif
