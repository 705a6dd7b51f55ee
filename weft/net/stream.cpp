// SPDX-License-Identifier: Apache-2.0
// What streams have in common.
#include "weft/net/internal/stream.hpp"

namespace weft::rt {

result<size_t> stream::write_vector(std::span<iovec> parts) {
  size_t done = 0;
  for (const iovec& part : parts) {
    if (part.iov_len == 0) continue;
    result<size_t> put = write(part.iov_base, part.iov_len);
    if (!put) return put;
    done += *put;
  }
  return done;
}

result<int64_t> stream::send_file(int /*file*/, uint64_t /*offset*/, size_t /*bytes*/) {
  return -1;
}

int64_t deadline_ns(std::chrono::steady_clock::time_point when) noexcept {
  if (when == std::chrono::steady_clock::time_point{}) return 0;
  const int64_t at =
      std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
  return at > 0 ? at : 1;
}

}  // namespace weft::rt
