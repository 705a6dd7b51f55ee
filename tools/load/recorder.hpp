// SPDX-License-Identifier: Apache-2.0
// Where connections write down what happened, and the reporter collects it.
//
// A tally is what happened in some stretch of time. Connections share a few of them (two for each
// processor), each behind a lock that is held for nanoseconds; the reporter takes a tally by
// putting an empty one in its place, and adds it up outside.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.hpp"
#include "weft/sync/mutex.hpp"

namespace load {

using time_point = std::chrono::steady_clock::time_point;

enum class failure : uint8_t { connect, timeout, write, read, closed, malformed, unsent };
inline constexpr size_t failure_count = 7;
/// "connect", "timeout", ...: names in the report and in JSON.
[[nodiscard]] std::string_view failure_name(failure what) noexcept;

struct tally {
  histogram latency;     // ns; of responses, and what timeouts and unsent requests waited at least
  histogram connecting;  // ns
  histogram lag;         // ns; open loop: how late this program itself was
  uint64_t responses = 0;
  uint64_t late = 0;  // responses after the run's end, to requests before it
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t reconnects = 0;  // kept connections that the server had closed meanwhile
  std::array<uint64_t, 1000> statuses{};
  std::array<uint64_t, failure_count> failures{};
  std::array<std::string, failure_count> samples;  // the first of each

  void merge(const tally& other);
  void clear() noexcept;
  [[nodiscard]] uint64_t failed() const noexcept;
};

class recorder {
 public:
  explicit recorder(size_t stripes);

  /// Where connection `number` writes: with the lock held.
  class stripe {
   public:
    template <class F>
    void with(F&& f) {
      lock_.lock();
      f(*current_);
      lock_.unlock();
    }

   private:
    friend class recorder;
    weft::mutex lock_;
    std::unique_ptr<tally> current_ = std::make_unique<tally>();
  };
  [[nodiscard]] stripe& stripe_of(size_t number) noexcept {
    return *stripes_[number % stripes_.size()];
  }
  /// Moves everything that was written down since the last time into `to`. By one goroutine.
  void collect(tally& to);

 private:
  std::vector<std::unique_ptr<stripe>> stripes_;
  std::unique_ptr<tally> spare_ = std::make_unique<tally>();
};

}  // namespace load
