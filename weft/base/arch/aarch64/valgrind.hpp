// SPDX-License-Identifier: Apache-2.0
// AArch64: how a program talks to valgrind. Four rotations that together change nothing, and x10 or
// itself; valgrind's translator knows the sequence, a CPU does nothing.
#pragma once

#include <cstdint>

namespace weft::rt::arch {

/// `words`: a request and its five arguments. Returns 0 where there is no valgrind.
inline uint64_t valgrind_request(const uint64_t (&words)[6]) noexcept {
  uint64_t result;
  asm volatile(
      "mov x3, xzr\n\tmov x4, %1\n\t"
      "ror x12, x12, #3\n\tror x12, x12, #13\n\tror x12, x12, #51\n\tror x12, x12, #61\n\t"
      "orr x10, x10, x10\n\tmov %0, x3"
      : "=r"(result)
      : "r"(&words[0])
      : "x3", "x4", "cc", "memory");
  return result;
}

}  // namespace weft::rt::arch
