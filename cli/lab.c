/* SPDX-License-Identifier: MIT */
/* The laboratory is a program of its own, because it holds the whole core (lab/). */
#include "lab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build.h"
#include "paths.h"
#include "util.h"

int cmd_lab(int argc, char **argv)
{
    char *program = path_build("pagoda-lab"), *makefile = path_source("Makefile");
    struct words w = {0};

    if (!getenv("PAGODA_NO_BUILD") && file_exists(makefile) && build_target("lab"))
        die(EXIT_PAGODA, "the laboratory could not be built; `pagoda build lab` shows why");
    words_add(&w, program);
    for (int i = 0; i < argc; i++)
        words_add(&w, argv[i]);
    execv(program, w.v);
    die(EXIT_PAGODA, "%s: %s", program, strerror(errno));
}
