/* SPDX-License-Identifier: MIT */
/* `pagoda run` and `pagoda shell`. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

int cmd_run(int argc, char **argv);
int cmd_shell(int argc, char **argv);

#endif
