/* SPDX-License-Identifier: MIT */
/* `pagoda mkinitramfs`, and the busybox initramfs that the boot tests use. */
#ifndef CLI_MKINITRAMFS_H
#define CLI_MKINITRAMFS_H

int cmd_mkinitramfs(int argc, char **argv);

/* Writes busybox, its applets, and an /init that runs the shell script `script` (NULL: an
 * interactive shell) and powers off. 0/-errno; -ENOENT also when busybox-static is not installed.
 */
int busybox_initramfs(const char *path, const char *script);

#endif
