/* SPDX-License-Identifier: MIT */
/* `pagoda bench --boot`: from QEMU's start to the first instruction of /init that prints. */
#ifndef CLI_BOOTTIME_H
#define CLI_BOOTTIME_H

#include <stdbool.h>

/* `kernels`: names separated by commas. Prints a table; 0 or EXIT_FAILED. */
int boot_times(const char *kernels, bool json, bool verbose);

#endif
