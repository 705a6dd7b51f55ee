// SPDX-License-Identifier: Apache-2.0
// Reads execution traces in Go's format, version 1.26, one generation after the other.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weft/base/error.hpp"

namespace weft_command {

/// Numbers of the format.
enum class trace_event : uint8_t {
  procs_change = 9,
  proc_start = 10,
  proc_stop = 11,
  proc_steal = 12,
  proc_status = 13,
  go_create = 14,
  go_create_syscall = 15,
  go_start = 16,
  go_destroy = 17,
  go_destroy_syscall = 18,
  go_stop = 19,
  go_block = 20,
  go_unblock = 21,
  go_syscall_begin = 22,
  go_syscall_end = 23,
  go_syscall_end_blocked = 24,
  go_status = 25,
  stw_begin = 26,
  stw_end = 27,
  gc_active = 28,
  gc_begin = 29,
  gc_end = 30,
  heap_alloc = 37,
  heap_goal = 38,
  go_label = 39,
  task_begin = 40,
  task_end = 41,
  region_begin = 42,
  region_end = 43,
  log = 44,
  go_switch = 45,
  go_switch_destroy = 46,
  go_create_blocked = 47,
  go_status_stack = 48
};

inline constexpr uint64_t no_thread = ~uint64_t{0};

struct traced {
  int64_t ns = 0;
  uint64_t thread = 0;
  uint32_t order = 0;  // in the file
  trace_event what{};
  std::array<uint64_t, 4> arguments{};
};

struct trace_frame {
  std::string_view function;
  std::string_view file;
  uint64_t line = 0;
};

struct cpu_sample {
  int64_t ns = 0;
  uint64_t thread = 0;
  uint64_t goroutine = 0;  // 0: none
  uint64_t stack = 0;
};

struct trace_generation {
  std::vector<traced> events;  // by time; those of one thread in their order
  std::vector<cpu_sample> samples;
  std::unordered_map<uint64_t, std::string_view> strings;
  std::unordered_map<uint64_t, std::vector<trace_frame>> stacks;  // leaf first
  int64_t begin_ns = 0;
  int64_t end_ns = 0;

  [[nodiscard]] std::string_view string(uint64_t id) const;
  /// Empty if there is none.
  [[nodiscard]] const std::vector<trace_frame>& stack(uint64_t id) const;
};

/// `file` must outlive it and what it returns.
class trace_reader {
 public:
  /// Fails if this is no trace of a version that is known.
  [[nodiscard]] static weft::result<trace_reader> open(std::string_view file);
  /// The next generation; false at the end. The error says what is malformed and where.
  [[nodiscard]] weft::result<bool> next(trace_generation& out);
  /// How many bytes of the file have been read.
  [[nodiscard]] size_t offset() const noexcept { return at_; }

 private:
  explicit trace_reader(std::string_view file) : file_(file), at_(16) {}
  struct batch {
    uint64_t thread = 0;
    uint64_t ticks = 0;
    size_t begin = 0;
    size_t end = 0;
  };
  bool varint(size_t end, uint64_t& out);
  bool fail(const std::string& what);
  bool read_batches(std::vector<batch>& out);
  bool read_batch(uint64_t& generation, std::vector<batch>& out);
  bool read_table(const batch& b, trace_generation& out);
  bool read_strings(const batch& b, trace_generation& out);
  bool read_stacks(const batch& b, trace_generation& out);
  bool read_samples(const batch& b, trace_generation& out);
  bool read_sync(const batch& b);
  bool read_events(const batch& b, trace_generation& out);
  [[nodiscard]] int64_t ns_of(uint64_t ticks) const;

  std::string_view file_;
  size_t at_;
  double ns_per_tick_ = 0;
  bool synced_ = false;
  std::string why_;
};

}  // namespace weft_command
