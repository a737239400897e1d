/* SPDX-License-Identifier: MIT */
/*
 * The line discipline's input half: what becomes of a byte from the device.
 *
 *   byte ─ flow control (IXON) ─ signals (ISIG) ─ CR/NL ─ line editing (ICANON) ─ echo ─> ring
 *
 *   ring   rd ........ canon ........ wr
 *          complete lines │ the line being edited          raw mode: canon is not looked at
 *
 * A set bit in tty->lines marks the byte that ends a line; a marked 0 byte is an end-of-file character, which readers drop.
 *
 * N1. rd <= canon <= wr <= rd + TTY_RING (as differences of u32).
 * N2. nr_lines is the number of marks in [rd, canon).
 * N3. In canonical mode the last free byte of the ring is kept for an end of line.
 */
#include "tty_impl.h"
#include <lib/bits.h>
#include <lib/string.h>

#define RING_MASK (TTY_RING - 1)

static inline u8 ring_at(const struct tty *t, u32 i)
{
    return t->ring[i & RING_MASK];
}

static void ring_put(struct tty *t, u8 c, bool ends_line)
{
    u32 i = t->wr & RING_MASK;
    t->ring[i] = c;
    if (ends_line)
        set_bit(i, t->lines);
    else
        clear_bit(i, t->lines);
    WRITE_ONCE(t->wr, t->wr + 1);
}

static inline u32 ring_used(const struct tty *t)
{
    return t->wr - t->rd;
}

void tty_flush_input(struct tty *tty)
{
    spin_lock(&tty->in_lock);
    tty->rd = tty->canon = tty->wr = 0;
    tty->nr_lines = 0;
    tty->lnext = tty->erasing = false;
    memset(tty->lines, 0, sizeof(tty->lines));
    bool was = tty->throttled;
    tty->throttled = false;
    spin_unlock(&tty->in_lock);
    if (was && tty->driver->unthrottle)
        tty->driver->unthrottle(tty);
}

/* ICANON was switched: what is there becomes one unfinished stretch (raw) or one complete line (canonical). */
void tty_mode_changed(struct tty *tty, u32 old_lflag)
{
    if (!((old_lflag ^ tty->termios.lflag) & ICANON))
        return;
    memset(tty->lines, 0, sizeof(tty->lines));
    tty->nr_lines = 0;
    tty->canon = tty->rd;
    tty->erasing = tty->lnext = false;
    if ((tty->termios.lflag & ICANON) && ring_used(tty)) {
        set_bit((tty->wr - 1) & RING_MASK, tty->lines);
        tty->canon = tty->wr;
        tty->nr_lines = 1;
    }
}

/* ---- erasing ---- */
static bool continues_char(const struct tty *t, u8 c)
{
    return (t->termios.iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* Columns that the edited line takes up to (not with) index `end`, from where it began on the screen. */
static u32 column_at(const struct tty *t, u32 end)
{
    u32 col = t->canon_column;
    for (u32 i = t->canon; i != end; i++) {
        u8 c = ring_at(t, i);
        if (c == '\t')
            col = (col | 7) + 1;
        else if (c < 32 || c == 127)
            col += tty_l(t, ECHOCTL) ? 2 : 0;
        else if (!continues_char(t, c))
            col++;
    }
    return col;
}

static void end_erasing(struct tty *t)
{
    if (t->erasing) {
        tty_echo(t, '/');
        t->erasing = false;
    }
}

static void rub_out(struct tty *t)
{
    tty_echo(t, '\b');
    tty_echo(t, ' ');
    tty_echo(t, '\b');
}

/* Takes the last character off the line, with its continuation bytes, and off the screen. */
static void erase_char(struct tty *t, u8 key)
{
    u32 old_end = t->wr;
    u8 c;
    do {
        c = ring_at(t, --t->wr);
    } while (continues_char(t, c) && t->wr != t->canon);
    if (!tty_l(t, ECHO))
        return;
    if (tty_l(t, ECHOPRT)) {
        if (!t->erasing) {
            tty_echo(t, '\\');
            t->erasing = true;
        }
        tty_echo_visible(t, c);
    } else if (key == VERASE && !tty_l(t, ECHOE)) {
        tty_echo_visible(t, t->termios.cc[VERASE]);
    } else if (c == '\t') {
        for (u32 n = column_at(t, old_end) - column_at(t, t->wr); n; n--)
            tty_echo(t, '\b');
    } else if (c < 32 || c == 127) {
        if (tty_l(t, ECHOCTL)) {
            rub_out(t);
            rub_out(t);
        }
    } else {
        rub_out(t);
    }
}

static bool word_char(u8 c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c >= 0x80;
}

static void erase(struct tty *t, u8 key)
{
    if (t->wr == t->canon)
        return;
    if (key == VKILL &&
        (!tty_l(t, ECHO) || !tty_l(t, ECHOK) || !tty_l(t, ECHOKE) || !tty_l(t, ECHOE))) {
        t->wr = t->canon;
        if (tty_l(t, ECHO)) {
            end_erasing(t);
            tty_echo_visible(t, t->termios.cc[VKILL]);
            if (tty_l(t, ECHOK))
                tty_echo(t, '\n');
        }
        return;
    }
    bool in_word = false;
    while (t->wr != t->canon) {
        bool w = word_char(ring_at(t, t->wr - 1));
        if (key == VWERASE && in_word && !w)
            break;
        in_word |= w;
        erase_char(t, key);
        if (key == VERASE)
            break;
    }
    if (t->wr == t->canon && tty_l(t, ECHO))
        end_erasing(t);
}

/* ---- bytes ---- */
static void echo_input(struct tty *t, u8 c)
{
    if (!tty_l(t, ECHO))
        return;
    end_erasing(t);
    if (c == '\n') {
        tty_echo(t, c);
        return;
    }
    if (t->canon == t->wr)
        t->canon_column = t->column;
    tty_echo_visible(t, c);
}

static void end_line(struct tty *t, u8 c)
{
    ring_put(t, c, true);
    WRITE_ONCE(t->canon, t->wr);
    WRITE_ONCE(t->nr_lines, t->nr_lines + 1);
}

/* False when the ring is full and the byte has to wait (raw mode). */
static bool put_plain(struct tty *t, u8 c)
{
    bool canon = tty_l(t, ICANON);
    u32 room = TTY_RING - ring_used(t), need = 1;
    bool twice = (t->termios.iflag & PARMRK) && c == 0xff;
    need += twice;
    if (canon && room < need + 1) { /* N3: too long a line loses its end */
        if (t->termios.iflag & IMAXBEL)
            tty_echo(t, '\a');
        return t->nr_lines == 0;
    }
    if (!canon && room < need)
        return false;
    echo_input(t, c);
    if (twice)
        ring_put(t, c, false);
    ring_put(t, c, false);
    return true;
}

static int signal_of(const struct tty *t, u8 c)
{
    if (c == t->termios.cc[VINTR])
        return SIGINT;
    if (c == t->termios.cc[VQUIT])
        return SIGQUIT;
    if (c == t->termios.cc[VSUSP])
        return SIGTSTP;
    return 0;
}

static void reprint(struct tty *t)
{
    end_erasing(t);
    tty_echo_visible(t, t->termios.cc[VREPRINT]);
    tty_echo(t, '\n');
    t->canon_column = 0;
    for (u32 i = t->canon; i != t->wr; i++)
        tty_echo_visible(t, ring_at(t, i));
}

/* A canonical-mode special character: true when c was one and is dealt with. */
static bool edit_line(struct tty *t, u8 c, bool *full)
{
    const u8 *cc = t->termios.cc;
    bool ext = tty_l(t, IEXTEN);
    if (c == cc[VERASE] || c == cc[VKILL] || (ext && c == cc[VWERASE])) {
        erase(t, c == cc[VERASE] ? VERASE : c == cc[VKILL] ? VKILL : VWERASE);
        return true;
    }
    if (ext && c == cc[VLNEXT]) {
        t->lnext = true;
        if (tty_l(t, ECHO)) {
            end_erasing(t);
            if (tty_l(t, ECHOCTL)) {
                tty_echo(t, '^');
                tty_echo(t, '\b');
            }
        }
        return true;
    }
    if (ext && tty_l(t, ECHO) && c == cc[VREPRINT]) {
        reprint(t);
        return true;
    }
    bool eof = c == cc[VEOF], eol = c == '\n' || c == cc[VEOL] || (ext && c == cc[VEOL2]);
    if (!eof && !eol)
        return false;
    if (ring_used(t) >= TTY_RING) {
        *full = true;
        return true;
    }
    if (c == '\n' ? tty_l(t, ECHO | ECHONL) : eol && tty_l(t, ECHO)) {
        end_erasing(t);
        if (c == '\n')
            tty_echo(t, c);
        else
            echo_input(t, c);
    }
    end_line(t, eof && !eol ? 0 : c);
    return true;
}

/* A signal character: flushes, echoes; the caller sends the signal without locks. */
static void signal_char(struct tty *t, u8 c)
{
    if (!tty_l(t, NOFLSH)) {
        t->rd = t->canon = t->wr = 0;
        t->nr_lines = 0;
        t->lnext = false;
        memset(t->lines, 0, sizeof(t->lines));
        spin_lock(&t->out_lock);
        if (t->driver->flush_output)
            t->driver->flush_output(t);
        spin_unlock(&t->out_lock);
    }
    if (tty_l(t, ECHO))
        tty_echo_visible(t, c);
}

/* One byte; false: no room. *sig: a signal to be sent to the foreground group. in_lock held. */
static bool input_byte(struct tty *t, u8 c, int *sig)
{
    u32 iflag = t->termios.iflag;
    const u8 *cc = t->termios.cc;
    bool full = false;
    if (t->lnext) {
        t->lnext = false;
        return put_plain(t, c);
    }
    if (iflag & ISTRIP)
        c &= 0x7f;
    if ((iflag & IUCLC) && tty_l(t, IEXTEN) && c >= 'A' && c <= 'Z')
        c += 32;
    if ((iflag & IXON) && c && (c == cc[VSTART] || c == cc[VSTOP])) {
        if (c == cc[VSTART])
            tty_start(t);
        else
            tty_stop(t);
        return true;
    }
    if (t->stopped && (iflag & IXON) && (iflag & IXANY))
        tty_start(t);
    if (tty_l(t, ISIG) && c && (*sig = signal_of(t, c))) {
        if (iflag & IXON)
            tty_start(t);
        signal_char(t, c);
        return true;
    }
    if (c == '\r') {
        if (iflag & IGNCR)
            return true;
        if (iflag & ICRNL)
            c = '\n';
    } else if (c == '\n' && (iflag & INLCR)) {
        c = '\r';
    }
    if (tty_l(t, ICANON) && (c || cc[VEOF] == 0) && edit_line(t, c, &full))
        return !full;
    return put_plain(t, c);
}

size_t tty_receive(struct tty *tty, const u8 *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        int sig = 0;
        bool room = true;
        spin_lock(&tty->in_lock);
        while (done < n && !sig) {
            room = input_byte(tty, p[done], &sig);
            if (!room) {
                tty->throttled = true;
                break;
            }
            done++;
        }
        bool wake = tty_input_ready(tty, 1), flushed = sig && tty->throttled;
        if (flushed)
            tty->throttled = false;
        spin_unlock(&tty->in_lock);
        if (sig)
            tty_signal_fg(tty, sig);
        if (flushed && tty->driver->unthrottle)
            tty->driver->unthrottle(tty);
        if (wake)
            waitq_wake_all(&tty->read_wait);
        if (!room)
            break;
    }
    return done;
}
