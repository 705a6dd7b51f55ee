// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a context: what waits ends at once and cleans up.
#pragma once

#include <csignal>

#include "weft/net/notify.hpp"
#include "weft/sync/context.hpp"

namespace weft_command {

class interrupt {
 public:
  interrupt() : notified_(weft::net::notify_context(weft::background(), {SIGINT, SIGTERM})) {}
  [[nodiscard]] const weft::context& ctx() const noexcept { return notified_.ctx; }

 private:
  weft::net::notified_context notified_;
};

}  // namespace weft_command
