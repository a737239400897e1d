/* SPDX-License-Identifier: MIT */
/* Linux's numbers of block device ioctls (linux/fs.h). */
#ifndef UAPI_BLKDEV_H
#define UAPI_BLKDEV_H

#define BLKROSET         0x125du
#define BLKROGET         0x125eu
#define BLKRRPART        0x125fu
#define BLKGETSIZE       0x1260u
#define BLKFLSBUF        0x1261u
#define BLKRASET         0x1262u
#define BLKRAGET         0x1263u
#define BLKFRASET        0x1264u
#define BLKFRAGET        0x1265u
#define BLKSECTGET       0x1267u
#define BLKSSZGET        0x1268u
#define BLKDISCARD       0x1277u
#define BLKIOMIN         0x1278u
#define BLKIOOPT         0x1279u
#define BLKALIGNOFF      0x127au
#define BLKPBSZGET       0x127bu
#define BLKDISCARDZEROES 0x127cu
#define BLKROTATIONAL    0x127eu
#define BLKZEROOUT       0x127fu
#define BLKBSZGET        0x80081270u
#define BLKGETSIZE64     0x80081272u
#endif
