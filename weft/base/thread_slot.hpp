// SPDX-License-Identifier: Apache-2.0
// The one thread-local word of the runtime: what this thread is (its machine). Compilers keep the
// address of a thread_local in a register across calls; after a switch that address belongs to
// another thread. So it is read by an instruction sequence that the compiler cannot remember.
#pragma once

#if defined(__x86_64__)
#include "weft/base/arch/x86_64/thread_slot.hpp"
#elif defined(__aarch64__)
#include "weft/base/arch/aarch64/thread_slot.hpp"
#else
#error "weft: x86-64 and AArch64 only; see docs/guide/porting.md"
#endif

namespace weft::rt {

/// Sets this thread's word.
void set_thread_slot(void* value) noexcept;

/// Registers `at_exit(value of the slot)` to run when this (foreign) thread ends, once a thread.
void on_thread_exit(void (*at_exit)(void*)) noexcept;

}  // namespace weft::rt
