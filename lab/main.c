/* SPDX-License-Identifier: MIT */
/* The laboratory's program, build/pagoda-lab: `pagoda policies` and its kin hand over to it. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"policies", cmd_policies}, {"replay", cmd_replay}, {"trace", cmd_trace}, {"convert", cmd_convert}};
    for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "pagoda: the laboratory has no command '%s'\n", argc > 1 ? argv[1] : "");
    return EXIT_USAGE;
}
