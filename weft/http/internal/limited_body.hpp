// SPDX-License-Identifier: Apache-2.0
// The body of a request, as servers see it: with a limit that a handler may move.
#pragma once

#include <cstdint>

#include "weft/http/body.hpp"

namespace weft::rt {

class limited_body : public http::body_source {
 public:
  /// Before the first read.
  void set_limit(uint64_t bytes_max) noexcept { limit_ = bytes_max; }
  /// A read failed because of the limit: what answers by itself answers 413.
  [[nodiscard]] bool limit_exceeded() const noexcept { return exceeded_; }

 protected:
  uint64_t limit_ = 0;  // 0: none
  bool exceeded_ = false;
};

}  // namespace weft::rt
