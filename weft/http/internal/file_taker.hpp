// SPDX-License-Identifier: Apache-2.0
// What a response_writer may also be: one that sends files without reading them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/error.hpp"

namespace weft::rt {

class file_taker {
 public:
  file_taker() = default;
  file_taker(const file_taker&) = delete;
  file_taker& operator=(const file_taker&) = delete;

  /// As write() of `bytes` of the file from `offset` on; fewer if the file ends before. -1: not
  /// this time (TLS, chunks, a body that is compressed); nothing was sent, and write() does it. The
  /// head must have been written, with a Content-Length. May park.
  [[nodiscard]] virtual result<int64_t> write_file(int file, uint64_t offset, size_t bytes) = 0;

 protected:
  ~file_taker() = default;
};

}  // namespace weft::rt
