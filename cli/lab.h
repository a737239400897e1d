/* SPDX-License-Identifier: MIT */
/* `pagoda policies` and the other commands of the laboratory: build/pagoda-lab is brought up to date and takes over. */
#ifndef CLI_LAB_H
#define CLI_LAB_H

int cmd_lab(int argc, char **argv);

#endif
