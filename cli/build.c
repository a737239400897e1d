/* SPDX-License-Identifier: MIT */
#include "build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "help.h"
#include "paths.h"
#include "util.h"

static void make_words(struct words *w)
{
    char *root = path_source("."), *makefile = path_source("Makefile");

    if (!file_exists(makefile))
        die(EXIT_FAILED, "no source tree at %s", root);
    words_add(w, "make");
    words_add(w, "--no-print-directory");
    words_addf(w, "-j%ld", sysconf(_SC_NPROCESSORS_ONLN));
    words_add(w, "-C");
    words_add(w, root);
    free(makefile);
    free(root);
}

int build_target(const char *target)
{
    struct words w = {0};

    make_words(&w);
    words_add(&w, "-s");
    words_add(&w, target);
    return run_command(w.v, NULL);
}

int cmd_build(int argc, char **argv)
{
    struct words w = {0};

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(help_build, stdout);
        return EXIT_OK;
    }
    make_words(&w);
    for (int i = 1; i < argc; i++)
        words_add(&w, argv[i]);
    execvp(w.v[0], w.v);
    die(EXIT_FAILED, "make: %s (Debian package make)", strerror(errno));
}
