/* SPDX-License-Identifier: MIT */
/*
 * The wire between `pagoda run` on the host and run-init in the guest.
 *
 * One virtio-serial port named "pagoda" carries frames both ways: an 8-byte header, then `len`
 * bytes.
 *
 *      0      1        2      4           8
 *      | type | stream | zero | len (LE)  | payload ...
 *
 * Flow control is by credit: each of the three streams starts with FRAME_WINDOW bytes; a sender of
 * FRAME_DATA spends them, the receiver hands them back with FRAME_CREDIT once the bytes have really
 * gone out. A stream whose reader dawdles therefore never blocks the port for the others.
 */
#ifndef USER_PROTO_H
#define USER_PROTO_H

#include <stdint.h>

#define FRAME_WINDOW  (256u * 1024)
#define FRAME_MAX     (32u * 1024) /* longest payload */
#define PORT_NAME     "pagoda"
#define PROTO_VERSION 1u

enum frame_type {
    FRAME_READY = 1, /* guest: CMD is about to start; payload: u32 PROTO_VERSION */
    FRAME_DATA,      /* both: bytes of `stream` */
    FRAME_EOF,       /* host: stdin has ended, or nobody reads stdout/stderr any more */
    FRAME_CREDIT,    /* both: u32 bytes of `stream` were consumed */
    FRAME_WINSIZE,   /* host: u16 rows, u16 columns */
    FRAME_SIGNAL,    /* host: u32 signal for CMD's process group */
    FRAME_EXIT,      /* guest: u32 exit status as a shell would show it; the last frame */
    FRAME_FAIL,      /* guest: the guest could not be set up; payload: text; the last frame */
};

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_COUNT };

struct frame {
    uint8_t type;
    uint8_t stream;
    uint16_t zero;
    uint32_t len;
};

_Static_assert(sizeof(struct frame) == 8, "the header is on the wire");

/* Where run-init finds its orders inside the initramfs: NUL-terminated "key=value" strings, in
 * order. module=PATH  load this kernel module          root=ro|rw|none  how to mount the host's
 * files arg=WORD     next word of CMD                 env=NAME=VALUE   its environment cwd=DIR its
 * working directory            tty=DIGIT        bit n set: stream n is a terminal rows=N cols=N
 * window size                     host=NAME        host name of the guest console=1    no port: use
 * the console's streams and print the status there swap=DEVICE   swapon before CMD starts
 */
#define ORDERS_PATH "/pagoda.orders"

#endif
