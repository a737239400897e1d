/* SPDX-License-Identifier: MIT */
/* Port: fail points. The kernel home never fails on purpose. */
#ifndef PORT_IMPL_FAILPOINT_H
#define PORT_IMPL_FAILPOINT_H
static inline bool failpoint_hit(enum failpoint point)
{
    return false;
}
#endif
