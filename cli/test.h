/* SPDX-License-Identifier: MIT */
/* `pagoda test`. */
#ifndef CLI_TEST_H
#define CLI_TEST_H

int cmd_test(int argc, char **argv);

#endif
