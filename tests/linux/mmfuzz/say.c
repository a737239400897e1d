/* SPDX-License-Identifier: MIT */
/* The text of a game; fuzz.h. A line too many is cut, visibly. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *fuzz_out;
size_t *fuzz_out_len, fuzz_out_room;

void fuzz_say(const char *fmt, ...)
{
    size_t room = fuzz_out_room - *fuzz_out_len;
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(fuzz_out + *fuzz_out_len, room, fmt, args);
    va_end(args);
    *fuzz_out_len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

void fuzz_say_addr(const struct fuzz *f, uint64_t addr)
{
    uint64_t odd = addr % FUZZ_PAGE;

    if (addr >= FUZZ_BASE - 64 * FUZZ_PAGE && addr < FUZZ_BASE + 4 * FUZZ_PAGES * FUZZ_PAGE)
        fuzz_say("w%ld", ((long)addr - (long)FUZZ_BASE) >> 12);
    else if (addr >= f->brk0 - 64 * FUZZ_PAGE && addr < f->brk0 + 4096 * FUZZ_PAGE)
        fuzz_say("h%ld", ((long)addr - (long)f->brk0) >> 12);
    else if (addr > FUZZ_ANCHOR - (1ul << 40) && addr < FUZZ_ANCHOR + (1ul << 24))
        fuzz_say("t%ld", ((long)addr - (long)FUZZ_ANCHOR) >> 12);
    else {
        fuzz_say("%lx", addr);
        return;
    }
    if (odd)
        fuzz_say(".%lx", odd);
}

void fuzz_say_result(int64_t r)
{
    const char *name = r < 0 && r >= -4095 ? strerrorname_np((int)-r) : NULL;

    if (name)
        fuzz_say(" = %s", name);
    else
        fuzz_say(" = %ld", (long)r);
}

void fuzz_say_place(const struct fuzz *f, int64_t r)
{
    if (r < 0 && r >= -4095) {
        fuzz_say_result(r);
        return;
    }
    fuzz_say(" = ");
    fuzz_say_addr(f, (uint64_t)r);
}
