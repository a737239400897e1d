/* SPDX-License-Identifier: MIT */
/*
 * The list of areas as a game prints it: the places of fuzz.h only, addresses by place, files by name. The program's own areas are
 * left out: they lie below the heap's start, at or above the anchor, or are the shared page of the front end.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (256ul << 10)
static char text[ROOM], norm[ROOM];

/* The last component of the path, without what differs between two systems. */
static const char *short_name(const char *line)
{
    const char *at = strpbrk(line, "/[");

    if (!at)
        return "";
    if (*at == '[')
        return at;
    const char *slash = strrchr(at, '/');
    return slash + 1;
}

static bool is_shown(const struct fuzz *f, uint64_t from)
{
    return from < FUZZ_ANCHOR && (from >= f->brk0 || from >= 1ul << 32);
}

static size_t put_place(const struct fuzz *f, char *to, size_t room, uint64_t addr)
{
    if (addr >= FUZZ_BASE - 4096 * FUZZ_PAGE && addr < FUZZ_BASE + 4096 * FUZZ_PAGE)
        return (size_t)snprintf(to, room, "w%ld", ((long)addr - (long)FUZZ_BASE) / 4096);
    if (addr >= f->brk0 && addr < f->brk0 + (1ul << 28))
        return (size_t)snprintf(to, room, "h%ld", ((long)addr - (long)f->brk0) / 4096);
    if (addr > FUZZ_ANCHOR - (1ul << 40) && addr <= FUZZ_ANCHOR)
        return (size_t)snprintf(to, room, "t%ld", ((long)addr - (long)FUZZ_ANCHOR) / 4096);
    return (size_t)snprintf(to, room, "%lx", addr);
}

/* One line of maps into `to`; 0 when it is not shown. */
static size_t put_area(const struct fuzz *f, char *to, size_t room, const char *line)
{
    unsigned long from, end, offset;
    char perms[8];
    size_t n;

    if (sscanf(line, "%lx-%lx %7s %lx", &from, &end, perms, &offset) != 4 || room < 200)
        return 0;
    if (from < f->brk0 && end > f->brk0)
        from = f->brk0;
    if (!is_shown(f, from))
        return 0;
    n = put_place(f, to, 40, from);
    to[n++] = ' ';
    n += put_place(f, to + n, 40, end);
    const char *name = short_name(line);
    n += (size_t)snprintf(to + n, room - n, " %s %lx%s%.60s\n", perms, offset, *name ? " " : "",
                          name);
    return n;
}

void fuzz_maps(struct fuzz *f, bool full)
{
    size_t n = 0, len = home_text(HOME_MAPS, text, ROOM - 1);

    text[len] = '\0';
    for (char *line = text, *next; *line; line = next) {
        next = strchr(line, '\n');
        if (!next)
            break;
        *next++ = '\0';
        n += put_area(f, norm + n, ROOM - n, line);
    }
    norm[n] = '\0';
    fuzz_say(" m=%08lx\n", fuzz_sum(norm, n));
    if (!full)
        return;
    for (char *line = norm, *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        fuzz_say("  %.*s", (int)(next - line), line);
    }
}

static const char *const shown_fields[] = {
    "Rss:", "Pss:", "Anonymous:", "Private_Dirty:", "Locked:", "VmFlags:"};

void fuzz_smaps(struct fuzz *f)
{
    size_t len = home_text(HOME_SMAPS, text, ROOM - 1);
    bool shown = false;

    text[len] = '\0';
    for (char *line = text, *next; *line; line = next) {
        next = strchr(line, '\n');
        if (!next)
            break;
        *next++ = '\0';
        unsigned long from, end;
        if (sscanf(line, "%lx-%lx ", &from, &end) == 2) {
            size_t n = put_area(f, norm, ROOM, line);
            shown = n != 0;
            if (shown)
                fuzz_say("  %.*s:", (int)n - 1, norm);
        } else if (shown) {
            for (unsigned i = 0; i < sizeof(shown_fields) / sizeof(shown_fields[0]); i++) {
                size_t k = strlen(shown_fields[i]);
                if (!strncmp(line, shown_fields[i], k) && !fuzz_avoided(shown_fields[i]))
                    fuzz_say(" %s%s", shown_fields[i], line + k + strspn(line + k, " "));
            }
            if (!strncmp(line, "VmFlags:", 8))
                fuzz_say("\n");
        }
    }
}
