// SPDX-License-Identifier: Apache-2.0
// What the flight recorder keeps: whole generations, also within reach of a process that dies.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "weft/observe/flight_recorder.hpp"
#include "weft/observe/internal/tracer.hpp"

namespace weft::trace {

/// More generations are not kept, whatever the options say.
inline constexpr size_t flight_generations_max = 1024;

/// Saves the recorder if something that is being watched takes too long.
void look_at_latencies(int64_t now_ns);

class flight_recorder final : public listener {
 public:
  result<void> start(const flight_options& how);
  result<void> stop();
  [[nodiscard]] bool enabled() const noexcept { return on_.load(rt::relaxed) != 0; }
  result<void> write(sink to);
  /// The directory of files; empty: none.
  [[nodiscard]] std::string directory();
  /// Header, kept generations and the unfinished one; nothing if no recorder is on. For good:
  /// nothing is freed any more. Async-signal-safe.
  void write_dying(int fd) noexcept;

  void take(const std::shared_ptr<const generation>& ended) override;
  void lost() noexcept override;
  void look(int64_t now_ns) override { look_at_latencies(now_ns); }
  [[nodiscard]] size_t bytes_wanted() const noexcept override { return bytes_wanted_; }

 private:
  void forget_old(int64_t now_ns);
  void forget_oldest();

  mutex lock_;  // start and stop
  mutex kept_lock_;
  rt::atomic<uint32_t> on_{0};
  flight_options how_;
  std::string dir_;
  size_t bytes_wanted_ = 0;
  // Under kept_lock_.
  std::deque<std::shared_ptr<const generation>> kept_;
  size_t kept_bytes_ = 0;
  uint64_t next_ = 0;  // number of the generation that is kept next
};

flight_recorder& the_flight_recorder();
/// Where a dying process writes; an empty directory: nowhere.
void prepare_dying_path(const std::string& dir);

}  // namespace weft::trace
