// SPDX-License-Identifier: Apache-2.0
// x86-64: how a program talks to valgrind. Four rotations that together change nothing, and an
// exchange of %rbx with itself; valgrind's translator knows the sequence, a CPU does nothing.
#pragma once

#include <cstdint>

namespace weft::rt::arch {

/// `words`: a request and its five arguments. Returns 0 where there is no valgrind.
inline uint64_t valgrind_request(const uint64_t (&words)[6]) noexcept {
  uint64_t result = 0;
  asm volatile(
      "rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
      "xchgq %%rbx, %%rbx"
      : "+d"(result)
      : "a"(&words[0])
      : "cc", "memory");
  return result;
}

}  // namespace weft::rt::arch
