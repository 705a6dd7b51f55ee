// SPDX-License-Identifier: Apache-2.0
// The load itself: one goroutine per connection.
//
// Closed loop: a connection asks, waits for the answer, asks again. What it measures is how the
// server does when its clients wait for it.
//
// Open loop: request k is due at start + k/rate. A connection takes the next k, sleeps until it is
// due, sends it. When all connections wait for answers, requests become due that nobody sends; the
// first connection to come free sends the oldest, late. Its latency counts from when it was due, so
// a server that stalls for a second shows a second's worth of bad latencies, not one. What is still
// unsent at the end is reported as an error, with the time it has waited so far as its latency.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "connect.hpp"
#include "options.hpp"
#include "recorder.hpp"
#include "target.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/wait_group.hpp"

namespace load {

class worker;

/// What all connections share.
struct shared_state {
  const options& how;
  const plan& what;
  recorder& log;
  const tls_dialer& tls;
  weft::context ctx;      // ends dials and waits when the run is abandoned
  time_point begin{};     // the first request may be sent
  time_point measured{};  // the warm-up is over: what begins before is not counted
  /// When the last request may begin; moved forward by Ctrl-C. On the clock of weft::now().
  std::atomic<int64_t> end_ns{INT64_MAX};
  std::atomic<bool> abandoned{false};
  /// The next request's number; warm-up included.
  std::atomic<uint64_t> next{0};
  /// The next place in plan::order.
  std::atomic<uint64_t> turn{0};
  std::atomic<uint64_t> begun{0};  // closed loop with -n: requests that count
};

class runner {
 public:
  runner(const options& how, const plan& what, recorder& log, const tls_dialer& tls);
  ~runner();
  /// Starts the connections; returns at once.
  void start();
  /// No request begins from now on; those in flight are waited for.
  void end() noexcept;
  /// Closes everything; requests in flight are forgotten.
  void abandon();
  /// Parks until every connection has ended.
  void wait();
  [[nodiscard]] time_point measured_from() const noexcept { return state_->measured; }

 private:
  weft::context_and_cancel ctx_;
  std::unique_ptr<shared_state> state_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<weft::wait_group> running_;
};

}  // namespace load
