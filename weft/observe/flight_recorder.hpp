// SPDX-License-Identifier: Apache-2.0
// The flight recorder: an execution trace of the last seconds, always in memory, written when
// something has happened. docs/guide/trace.md.
//
// WEFT_TRACE_DIR=DIR starts it with weft::run, and files go to DIR: when a watched latency is
// exceeded, on SIGQUIT, and when the process dies of a signal, a panic or a fatal error.
#pragma once

#include <string>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/observe/trace.hpp"

namespace weft::trace {

struct flight_options {
  /// How far back it remembers at least, as long as max_bytes allows. 100 ms to 10 minutes. More
  /// shows more of what led there, and takes more memory.
  std::chrono::nanoseconds min_age = std::chrono::seconds(10);
  /// Most bytes kept, 1 MiB to 1 GiB; what is being recorded, and a last whole generation, come on
  /// top: a quarter more each. Less forgets sooner than min_age where much happens.
  size_t max_bytes = size_t{10} << 20;
  /// Where files go; it must be there, and ours to write. Empty: WEFT_TRACE_DIR, and if that is
  /// empty too, there are no files.
  std::string_view dir{};
};

/// Begins to remember. One at a time; a trace may be on beside it. From a goroutine. Fails with
/// already_recording, with what is wrong about an option, or when weft::run is ending. It ends when
/// weft::run's function returns.
WEFT_API result<void> start_flight_recorder(const flight_options& how = {});
/// Ends it and forgets. From a goroutine. Fails with not_recording.
WEFT_API result<void> stop_flight_recorder();
[[nodiscard]] WEFT_API bool flight_recorder_enabled() noexcept;
/// The last seconds, up to this moment, as a trace of its own. Stops the world as the beginning of
/// a generation does, not while it writes; the recorder goes on. From a goroutine. Fails with
/// not_recording, or with what the sink says.
WEFT_API result<void> write_flight_recorder(sink to);
/// The same, into a file NAME.PID.WHY-N.trace of the recorder's directory: returns its path. `why`
/// is a short word; what is no letter or digit of it becomes a dash. Fails with not_recording,
/// no_directory, or what the system says.
WEFT_API result<std::string> save_flight_recorder(std::string_view why);

WEFT_API extern const error already_recording;
WEFT_API extern const error not_recording;
WEFT_API extern const error no_directory;

/// Until the end of the scope something is awaited that should take no longer than `limit`. As soon
/// as it does, within a tenth of a second, the recorder is saved from a goroutine of its own, with
/// a line on standard error and a log of `what` in the trace: also if it never ends. At most once a
/// minute and twenty times in a process (latency_files_max), so that a service which is slow does
/// not become one with a full disk. Costs two looks at the clock and a short lock; nothing to speak
/// of while no recorder is on. `what` must live as long as the scope; 128 bytes of it are shown.
class WEFT_API latency_watch {
 public:
  latency_watch(std::string_view what, std::chrono::nanoseconds limit) noexcept;
  ~latency_watch();
  latency_watch(const latency_watch&) = delete;
  latency_watch& operator=(const latency_watch&) = delete;

 private:
  friend struct watch_list;
  std::string_view what_;
  int64_t limit_ns_;
  int64_t begun_ns_ = 0;  // 0: no recorder was on
  // In a list, under its lock.
  latency_watch* next_ = nullptr;
  latency_watch** at_ = nullptr;
  bool told_ = false;
};

inline constexpr int latency_files_max = 20;
inline constexpr std::chrono::nanoseconds latency_pause = std::chrono::minutes(1);

}  // namespace weft::trace
