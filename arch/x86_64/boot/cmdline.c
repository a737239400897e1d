/* SPDX-License-Identifier: MIT */
/* The command line: words separated by blanks, "quotes" keep blanks together. Read-only after
 * boot_main(). */
#include <arch/boot.h>
#include <lib/string.h>

char boot_cmdline[4096];

/* The word that begins at or after s: its start, and its end in *end; NULL at the end of the
 * line. */
static const char *next_word(const char *s, const char **end)
{
    while (*s == ' ' || *s == '\t' || *s == '\n')
        s++;
    if (!*s)
        return NULL;
    const char *e = s;
    for (bool quoted = false; *e && (quoted || (*e != ' ' && *e != '\t' && *e != '\n')); e++)
        if (*e == '"')
            quoted = !quoted;
    *end = e;
    return s;
}

bool cmdline_has(const char *name)
{
    size_t n = str_len(name);
    const char *end;
    for (const char *w = next_word(boot_cmdline, &end); w; w = next_word(end, &end))
        if ((size_t)(end - w) == n && str_ncmp(w, name, n) == 0)
            return true;
    return false;
}

bool cmdline_get(const char *name, char *out, size_t size)
{
    size_t n = str_len(name);
    const char *end;
    bool found = false;
    for (const char *w = next_word(boot_cmdline, &end); w; w = next_word(end, &end)) {
        if ((size_t)(end - w) <= n || str_ncmp(w, name, n) != 0 || w[n] != '=')
            continue;
        size_t len = 0;
        for (const char *v = w + n + 1; v < end && len + 1 < size; v++)
            if (*v != '"')
                out[len++] = *v;
        out[len] = 0;
        found = true;
    }
    return found;
}
