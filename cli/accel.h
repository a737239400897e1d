/* SPDX-License-Identifier: MIT */
/* Which accelerator a guest gets. */
#ifndef CLI_ACCEL_H
#define CLI_ACCEL_H

#include <stdbool.h>

/* "tcg", "kvm" or "auto" (NULL: $PAGODA_ACCEL, else auto) -> whether to use KVM. `auto` boots a
 * probe guest under KVM the first time and remembers the answer; exits with a message when "kvm"
 * cannot be had or the word is unknown. */
bool accel_is_kvm(const char *word);

enum kvm_state { KVM_ABSENT, KVM_FORBIDDEN, KVM_BROKEN, KVM_WORKS, KVM_UNTRIED };
/* What is known; with `probe`, an untried one is tried. `*why` is a short text. */
enum kvm_state accel_kvm_state(bool probe, const char **why);

#endif
