// SPDX-License-Identifier: Apache-2.0
// x86-64: reads weft_thread_slot through its initial-exec offset, afresh every time.
#pragma once

extern "C" thread_local void* weft_thread_slot;

namespace weft::rt {

inline __attribute__((always_inline)) void* thread_slot() noexcept {
  void* value;
  // volatile: must not be merged with an earlier read, the goroutine may have moved since.
  asm volatile(
      "movq weft_thread_slot@gottpoff(%%rip), %0\n\t"
      "movq %%fs:(%0), %0"
      : "=r"(value)
      :
      : "memory");
  return value;
}

}  // namespace weft::rt
