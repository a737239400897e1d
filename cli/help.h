/* SPDX-License-Identifier: MIT */
/* What --help says. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

extern const char help_main[], help_run[], help_shell[], help_build[], help_test[], help_bench[],
    help_doctor[], help_mkinitramfs[];

#endif
