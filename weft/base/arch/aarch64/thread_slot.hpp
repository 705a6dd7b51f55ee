// SPDX-License-Identifier: Apache-2.0
// AArch64: reads weft_thread_slot through its initial-exec offset, afresh every time.
#pragma once

extern "C" thread_local void* weft_thread_slot;

namespace weft::rt {

inline __attribute__((always_inline)) void* thread_slot() noexcept {
  void* value;
  void* offset;
  // volatile: must not be merged with an earlier read, the goroutine may have moved since.
  asm volatile(
      "adrp %1, :gottprel:weft_thread_slot\n\t"
      "ldr %1, [%1, :gottprel_lo12:weft_thread_slot]\n\t"
      "mrs %0, tpidr_el0\n\t"
      "ldr %0, [%0, %1]"
      : "=&r"(value), "=&r"(offset)
      :
      : "memory");
  return value;
}

}  // namespace weft::rt
