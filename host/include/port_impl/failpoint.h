/* SPDX-License-Identifier: MIT */
/* Hosted home: the N-th hit fails on demand (host/failpoint.c). */
#ifndef PORT_IMPL_FAILPOINT_H
#define PORT_IMPL_FAILPOINT_H
bool failpoint_hit(enum failpoint point);
#endif
