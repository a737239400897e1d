/* SPDX-License-Identifier: MIT */
/* The pagoda command: picks the subcommand. Each lives in a file of its name. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "build.h"
#include "doctor.h"
#include "help.h"
#include "lab.h"
#include "mkinitramfs.h"
#include "run.h"
#include "test.h"
#include "util.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", cmd_run},     {"shell", cmd_shell},   {"bench", cmd_bench},
    {"build", cmd_build}, {"doctor", cmd_doctor}, {"mkinitramfs", cmd_mkinitramfs},
    {"test", cmd_test},   {"policies", cmd_lab},  {"replay", cmd_lab},
    {"trace", cmd_lab},   {"convert", cmd_lab},
};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        fputs(help_main, stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(name, commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "pagoda: no command '%s'; `pagoda --help` lists them\n", name);
    return EXIT_USAGE;
}
