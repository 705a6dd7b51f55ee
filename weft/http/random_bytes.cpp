// SPDX-License-Identifier: Apache-2.0
// getrandom(2). It waits for the system's entropy only while that boots.
#include "weft/http/internal/random_bytes.hpp"

#include <sys/random.h>

namespace weft::rt {

void fill_random(std::span<unsigned char> to) noexcept {
  while (!to.empty()) {
    const ssize_t got = ::getrandom(to.data(), to.size(), 0);
    if (got > 0) to = to.subspan(static_cast<size_t>(got));
    // Interrupted: again. There is no other failure with a valid buffer on systems we run on.
  }
}

std::string random_hex(size_t digits) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out(digits, '0');
  fill_random({reinterpret_cast<unsigned char*>(out.data()), digits});
  for (char& c : out) c = hex[static_cast<unsigned char>(c) & 15];
  return out;
}

}  // namespace weft::rt
