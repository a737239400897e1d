/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void split_words(struct words *w, char *text)
{
    char *save = NULL;

    for (char *p = strtok_r(text, " \t", &save); p; p = strtok_r(NULL, " \t", &save))
        words_add(w, p);
}

static void add_line(char **text, const char *line)
{
    char *joined = xasprintf("%s%s\n", *text ? *text : "", line);

    free(*text);
    *text = joined;
}

static struct guest_case *new_case(struct case_list *list, enum case_kind kind, const char *name)
{
    list->v = xrealloc(list->v, (list->n + 1) * sizeof(*list->v));
    struct guest_case *c = &list->v[list->n++];
    *c = (struct guest_case){.kind = kind, .name = xstrdup(name), .timeout = 120};
    return c;
}

/* One "key: value" line; false when the key is unknown. */
static bool set_key(struct guest_case *c, const char *key, char *value)
{
    if (!strcmp(key, "sh"))
        add_line(&c->script, value);
    else if (!strcmp(key, "opts"))
        split_words(&c->opts, value);
    else if (!strcmp(key, "disk"))
        words_add(&c->disks, value);
    else if (!strcmp(key, "append"))
        c->append = xstrdup(value);
    else if (!strcmp(key, "initrd"))
        c->initrd = xstrdup(value);
    else if (!strcmp(key, "needs"))
        split_words(&c->needs, value);
    else if (!strcmp(key, "match"))
        words_add(&c->match, value);
    else if (!strcmp(key, "input"))
        add_line(&c->input, value);
    else if (!strcmp(key, "out"))
        add_line(&c->expect, value);
    else if (!strcmp(key, "as") && !strcmp(value, "host"))
        c->as_host = true;
    else if (!strcmp(key, "as") && !strcmp(value, "linux"))
        c->as_linux = true;
    else if (!strcmp(key, "status"))
        c->status = !strcmp(value, "lives") ? STATUS_LIVES : atoi(value);
    else if (!strcmp(key, "timeout"))
        c->timeout = atoi(value);
    else
        return false;
    return true;
}

void cases_read(struct case_list *list, const char *path)
{
    char *text = file_read(path, NULL), *save = NULL;
    struct guest_case *c = NULL;
    int line_number = 0;

    if (!text)
        die(EXIT_FAILED, "%s: %s", path, strerror(errno));
    for (char *line = text; line; line = save) {
        save = strchr(line, '\n');
        if (save)
            *save++ = '\0';
        line_number++;
        if (!*line || *line == '#')
            continue;
        char *value = strchr(line, ':');
        if (!value)
            die(EXIT_FAILED, "%s:%d: no key", path, line_number);
        *value++ = '\0';
        if (*value == ' ')
            value++;
        if (!strcmp(line, "run"))
            c = new_case(list, CASE_RUN, value);
        else if (!strcmp(line, "host"))
            c = new_case(list, CASE_HOST, value);
        else if (!strcmp(line, "boot"))
            c = new_case(list, CASE_BOOT, value);
        else if (!c || !set_key(c, line, value))
            die(EXIT_FAILED, "%s:%d: key '%s'", path, line_number, line);
    }
    for (size_t i = 0; i < list->n; i++) {
        c = &list->v[i];
        if (!c->script)
            die(EXIT_FAILED, "%s: %s has no sh line", path, c->name);
    }
    free(text);
}

void cases_add_programs(struct case_list *list, enum case_kind kind, const char *dir,
                        const char *prefix)
{
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char *path = xasprintf("%s/%s", dir, entries[i]->d_name);
        struct stat st;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0100) {
            char *name = xasprintf("%s/%s", prefix, entries[i]->d_name);
            struct guest_case *c = new_case(list, kind, name);
            c->script = xstrdup(path);
            c->timeout = 300;
            if (kind == CASE_PROGRAM) { /* these are about processors too */
                words_add(&c->opts, "-p");
                words_add(&c->opts, "4");
            }
            free(name);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
}

void cases_add_fuzz(struct case_list *list)
{
    struct guest_case *c = new_case(list, CASE_FUZZ, "linux/mmfuzz");

    c->script = xstrdup("401-430");
}
