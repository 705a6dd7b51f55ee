// SPDX-License-Identifier: Apache-2.0
// Signals as contexts, as Go's signal.NotifyContext:
//
//   auto [ctx, stop] = weft::net::notify_context(weft::background(), {SIGTERM, SIGINT});
//   server.run(ctx);   // until one of them arrives
//
// The signal handler only writes a byte to a socket that netpoll watches; a goroutine reads it and
// cancels. (It lives in net/ because it needs netpoll and contexts; nothing of it is on a network.)
#pragma once

#include <initializer_list>
#include <memory>

#include "weft/sync/context.hpp"

namespace weft::net {

class notify_stop;

struct notified_context {
  context ctx;
  std::unique_ptr<notify_stop> stop;
};

/// A child of `parent` that is canceled when one of `signals` arrives; its cause says which
/// ("terminated signal received"). Until `*stop` is called or destroyed the signals do nothing
/// else; then they have their former effect again, once nobody else is notified of them. Panics
/// for SIGKILL, SIGSTOP, signals of synchronous faults, and numbers that are no signals.
[[nodiscard]] WEFT_API notified_context notify_context(const context& parent,
                                                       std::initializer_list<int> signals);

/// Ends a notification. Idempotent; from any thread.
class WEFT_API notify_stop {
 public:
  explicit notify_stop(uint64_t id) noexcept : id_(id) {}
  ~notify_stop() { (*this)(); }
  notify_stop(const notify_stop&) = delete;
  notify_stop& operator=(const notify_stop&) = delete;
  void operator()() noexcept;

 private:
  uint64_t id_;
};

}  // namespace weft::net
