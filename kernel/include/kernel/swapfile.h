/* SPDX-License-Identifier: MIT */
/* swapon(2), swapoff(2) and /proc/swaps. Body in kernel/block/swapfile.c. */
#ifndef KERNEL_SWAPFILE_H
#define KERNEL_SWAPFILE_H


void swaps_show(struct seq *s, void *arg);
#endif
