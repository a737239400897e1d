/* SPDX-License-Identifier: MIT */
/* Steps that use memory: each page of a range is read, written or executed; a letter says what came of it. */
#include "fuzz.h"

#include <signal.h>

static void say_fault(const struct home_fault *why, uint64_t at)
{
    char c = '?';

    if (why->sig == SIGSEGV)
        c = why->code == SEGV_MAPERR   ? 'm'
            : why->code == SEGV_ACCERR ? 'a'
            : why->code == 4           ? 'k'
                                       : '?';
    else if (why->sig == SIGBUS)
        c = why->code == BUS_ADRERR ? 'b' : '?';
    fuzz_say("%c", c);
    if (c == '?')
        fuzz_say("%d/%d", why->sig, why->code);
    if (why->addr != at)
        fuzz_say("!%lx", why->addr);
}

static bool touch_range(struct fuzz *f, uint64_t *at, uint64_t *n)
{
    uint64_t slot = f->slot[fuzz_pick(f, FUZZ_SLOTS)], page = fuzz_pick(f, FUZZ_PAGES - 1),
             heap = f->brk0 + fuzz_pick(f, 40) * FUZZ_PAGE, kind = fuzz_pick(f, 20);

    *n = 1 + fuzz_pick(f, 10);
    *at = FUZZ_BASE + page * FUZZ_PAGE;
    if (kind < 4 && slot)
        *at = slot;
    else if (kind < 6)
        *at = heap;
    *at &= ~(FUZZ_PAGE - 1);
    fuzz_say(" ");
    fuzz_say_addr(f, *at);
    fuzz_say("+%lu ", *n);
    return *at < FUZZ_ANCHOR;
}

static void play_read(struct fuzz *f)
{
    static unsigned char page[FUZZ_PAGE];
    uint64_t at, n, sum = 0, odd = fuzz_pick(f, 4096);
    struct home_fault why;

    if (!touch_range(f, &at, &n))
        return;
    for (uint64_t i = 0; i < n; i++, at += FUZZ_PAGE) {
        if (!home_read(at + odd, page, 1, &why)) {
            say_fault(&why, at + odd);
        } else if (!home_read(at, page, FUZZ_PAGE, &why)) {
            say_fault(&why, at);
        } else {
            sum = sum * 31 + fuzz_sum(page, FUZZ_PAGE);
            fuzz_say(".");
        }
    }
    fuzz_say(" %08lx", sum & 0xffffffff);
}

static void play_write(struct fuzz *f)
{
    uint64_t at, n, odd = fuzz_pick(f, 4000), value = fuzz_pick(f, ~0ul),
                    size = 1 + fuzz_pick(f, 64);
    unsigned char bytes[64];
    struct home_fault why;

    if (!touch_range(f, &at, &n))
        return;
    for (uint64_t i = 0; i < n; i++, at += FUZZ_PAGE) {
        for (unsigned k = 0; k < 64; k++)
            bytes[k] = (unsigned char)(value >> k % 8 * 7 ^ i ^ k);
        if (home_write(at + odd, bytes, size, &why))
            fuzz_say(".");
        else
            say_fault(&why, at + odd);
    }
}

/* A return instruction at the end of the page, put there where one may write, is called where one may read it. */
static void play_run(struct fuzz *f)
{
    const unsigned char ret = 0xc3;
    uint64_t at, n;
    unsigned char byte;
    struct home_fault why;

    if (!touch_range(f, &at, &n))
        return;
    for (uint64_t i = 0; i < n; i++, at += FUZZ_PAGE) {
        uint64_t code = at + 4080;
        home_write(code, &ret, 1, &why);
        if (!home_read(code, &byte, 1, &why))
            say_fault(&why, code);
        else if (byte != ret)
            fuzz_say("-");
        else if (!home_run(code, &why))
            say_fault(&why, code);
        else
            fuzz_say(".");
    }
}

const struct fuzz_op fuzz_touch_ops[] = {
    {"read", 100, play_read},
    {"write", 150, play_write},
    {"run", 10, play_run},
    {NULL, 0, NULL},
};
