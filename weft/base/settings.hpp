// SPDX-License-Identifier: Apache-2.0
// Settings from the environment, read once. A bad one is refused by name, with the value and what
// is allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/base/export.hpp"

namespace weft::rt {

enum class traceback_level : uint8_t { none, single, all, system, crash };

/// Every field: its variable, its default, what larger and smaller would do (the table in
/// settings.cpp is what docs/guide/settings.md is checked against).
struct settings {
  int max_procs = 0;                // WEFT_MAXPROCS, 1..1024; 0: from affinity and cgroup
  int max_threads = 10000;          // WEFT_MAXTHREADS, 4..100000
  size_t stack_bytes = 256 * 1024;  // WEFT_STACK, 16K..1G, power of two; suffixes K, M, G
  traceback_level traceback = traceback_level::single;  // WEFT_TRACEBACK
  size_t memory_limit = SIZE_MAX;  // WEFT_MEMLIMIT, 16M.. or off; suffixes K, M, G
  std::string_view debug_addr;     // WEFT_DEBUG_ADDR: the environment's own text
  std::string_view debug_token;    // WEFT_DEBUG_TOKEN: the same
  std::string_view trace_dir;      // WEFT_TRACE_DIR: the same
  // WEFT_DEBUG=key=value,...
  int schedtrace_ms = 0;          // schedtrace=MS
  bool sched_detail = false;      // scheddetail=1
  bool plain_fence = false;       // plainfence=1: behave as if membarrier were missing
  bool no_guard_install = false;  // mprotectguards=1: behave as if MADV_GUARD_INSTALL were
  bool no_retake = false;         // noretake=1: sysmon never retakes a P
  bool dlog = false;              // dlog=1
  int heaptrace_ms = 0;           // heaptrace=MS
  bool heap_check = false;        // heapcheck=1
  bool no_scavenger = false;      // noscavenger=1
  size_t memory_profile_rate = 512 * 1024;  // memprofilerate=BYTES; 0: nothing is sampled
  int held_mutex = 1;                       // heldmutex=0, 1 or 2; debug builds
  bool trace_runs = false;                  // traceruns=1
};

/// Parses the environment. Returns the settings, or a message that names setting, value and what
/// is allowed, e.g. `weft: WEFT_MAXPROCS="abc": must be a whole number from 1 to 1024`.
[[nodiscard]] WEFT_API bool parse_settings(const char* const* environment, settings& out,
                                           std::string& message);
/// The process's settings: parsed on first use; a bad setting prints its message to stderr and
/// exits with 2.
[[nodiscard]] WEFT_API const settings& process_settings() noexcept;
/// The traceback level, also while dying before the settings were read. Async-signal-safe.
[[nodiscard]] WEFT_API traceback_level current_traceback() noexcept;

/// One row of the table of settings, for documentation and its check.
struct setting_row {
  std::string_view name, default_text, allowed, doc;
  bool is_debug_key;  // a key of WEFT_DEBUG, not a variable of its own
};
WEFT_API void describe_settings(void (*row)(void* context, const setting_row& setting),
                                void* context);

}  // namespace weft::rt
