// SPDX-License-Identifier: Apache-2.0
// Files that timeline viewers open: Chrome's trace events (JSON), and Perfetto's own (protobuf).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weft_command {

/// Tracks with slices that nest, points, counters, and arrows between slices. Of each track events
/// come in the order of time.
class timeline {
 public:
  timeline() = default;
  timeline(const timeline&) = delete;
  timeline& operator=(const timeline&) = delete;
  virtual ~timeline() = default;
  /// A number that is no track's. Groups hold tracks: group 0 is none.
  virtual uint64_t add_group(std::string_view name) = 0;
  virtual uint64_t add_track(uint64_t group, std::string_view name) = 0;
  /// Another name for a track of that group.
  virtual void rename(uint64_t group, uint64_t track, std::string_view name) = 0;
  virtual uint64_t add_counter(uint64_t group, std::string_view name, bool bytes) = 0;
  /// `arrow` != 0: the arrow of that number ends here. `note`: a longer text with it.
  virtual void begin(uint64_t track, int64_t ns, std::string_view name, std::string_view note,
                     uint64_t arrow) = 0;
  virtual void end(uint64_t track, int64_t ns) = 0;
  /// `arrow` != 0: the arrow of that number begins here.
  virtual void point(uint64_t track, int64_t ns, std::string_view name, std::string_view note,
                     uint64_t arrow) = 0;
  virtual void count(uint64_t counter, int64_t ns, int64_t value) = 0;
  /// The whole file.
  virtual std::string finish() = 0;
};

[[nodiscard]] std::unique_ptr<timeline> chrome_timeline();
[[nodiscard]] std::unique_ptr<timeline> perfetto_timeline();

}  // namespace weft_command
