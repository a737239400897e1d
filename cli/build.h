/* SPDX-License-Identifier: MIT */
/* `pagoda build`, and make for those who need something built. */
#ifndef CLI_BUILD_H
#define CLI_BUILD_H

int cmd_build(int argc, char **argv);

/* Runs make on a target in the source tree with its talk on standard error; make's status. */
int build_target(const char *target);

#endif
