/* SPDX-License-Identifier: MIT */
/* Entropy from devices goes into what random_u64() (port/random.h) answers from. */
#ifndef KERNEL_RNG_H
#define KERNEL_RNG_H
#include <lib/types.h>
/* Stirs n bytes in. Any context. Defined in arch/x86_64. */
void random_stir(const void *bytes, size_t n);
#endif
