// SPDX-License-Identifier: Apache-2.0
// The table of settings, and how they are read.
//
// Nothing is allocated unless a setting is bad: a fatal error may be what reads them first.
#include "weft/base/settings.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "weft/base/atomic.hpp"
#include "weft/base/dlog.hpp"
#include "weft/base/os/os.hpp"

extern "C" char** environ;

namespace weft::rt {

namespace {

enum class kind : uint8_t {
  number,
  size_power_of_two,
  size,
  size_or_off,
  flag,
  text,
  traceback,
  debug_list
};

/// One setting. `store` gets the parsed value; of a text, `store_text` the text itself.
struct entry {
  std::string_view name;
  kind is;
  int64_t least, most;
  std::string_view default_text;
  std::string_view allowed;
  std::string_view doc;
  void (*store)(settings& out, int64_t value) noexcept;
  void (*store_text)(settings& out, std::string_view text) noexcept = nullptr;
};

constexpr int64_t kib = 1024;
constexpr int64_t gib = kib * kib * kib;

constexpr entry variables[] = {
    {"WEFT_MAXPROCS", kind::number, 1, 1024, "CPU affinity and cgroup quota",
     "a whole number from 1 to 1024",
     "How many goroutines run at once. More than CPUs only adds switches; fewer leaves CPUs idle.",
     [](settings& out, int64_t value) noexcept { out.max_procs = static_cast<int>(value); }},
    {"WEFT_MAXTHREADS", kind::number, 4, 100'000, "10000", "a whole number from 4 to 100000",
     "Threads the runtime may start. Reaching it ends the process: so many blocked calls are a "
     "leak. Larger hides it longer, smaller limits how many calls may block at once.",
     [](settings& out, int64_t value) noexcept { out.max_threads = static_cast<int>(value); }},
    {"WEFT_STACK", kind::size_power_of_two, 16 * kib, gib, "256K",
     "a power of two from 16K to 1G, with an optional suffix K, M or G",
     "Address space of one goroutine's stack; pages are committed when touched. Larger allows "
     "deeper recursion, smaller allows more goroutines in the address space.",
     [](settings& out, int64_t value) noexcept { out.stack_bytes = static_cast<size_t>(value); }},
    {"WEFT_TRACEBACK", kind::traceback, 0, 0, "single",
     "none or 0, single, all or 1, system or 2, crash",
     "Which goroutines a dying process prints: no, the failing one, all of the user's, also the "
     "runtime's; crash is system and ends with SIGABRT for a core file.",
     [](settings& out, int64_t value) noexcept {
       out.traceback = static_cast<traceback_level>(value);
     }},
    {"WEFT_MEMLIMIT", kind::size_or_off, 16 * 1024 * kib, INT64_MAX, "off",
     "off, or bytes from 16MiB up, with an optional suffix B, KiB, MiB, GiB, TiB, K, M, G or T",
     "Most bytes of the heap in use. Near it, free memory goes back to the kernel at once; an "
     "allocation that would pass it fails, after a message. Lower fails sooner, higher leaves it "
     "to "
     "the kernel to end the process.",
     [](settings& out, int64_t value) noexcept {
       out.memory_limit = value == INT64_MAX ? SIZE_MAX : static_cast<size_t>(value);
     }},
    {"WEFT_DEBUG_ADDR", kind::text, 0, 0, "unix:$XDG_RUNTIME_DIR/weft/PID.sock",
     "off, unix:PATH, or HOST:PORT of this machine",
     "Where a program that links weft::debughttp shows profiles and its state. By default only to "
     "its user; HOST that is not loopback needs WEFT_DEBUG_TOKEN.",
     nullptr, [](settings& out, std::string_view text) noexcept { out.debug_addr = text; }},
    {"WEFT_DEBUG_TOKEN", kind::text, 0, 0, "", "any text without blanks",
     "Who asks at WEFT_DEBUG_ADDR must send it (Authorization: Bearer TOKEN).", nullptr,
     [](settings& out, std::string_view text) noexcept { out.debug_token = text; }},
    {"WEFT_TRACE_DIR", kind::text, 0, 0, "", "a directory",
     "The flight recorder runs from the start, and its files go there: when the process dies, on "
     "SIGQUIT, and when a watched latency is exceeded.",
     nullptr, [](settings& out, std::string_view text) noexcept { out.trace_dir = text; }},
    {"WEFT_DEBUG", kind::debug_list, 0, 0, "", "KEY=VALUE,...", "Debug settings, see below.",
     nullptr},
};

constexpr entry debug_keys[] = {
    {"schedtrace", kind::number, 0, 3'600'000, "0",
     "a whole number of milliseconds from 0 to 3600000",
     "Prints a line of scheduler state this often; 0: never.",
     [](settings& out, int64_t value) noexcept { out.schedtrace_ms = static_cast<int>(value); }},
    {"scheddetail", kind::flag, 0, 1, "0", "0 or 1", "With schedtrace: every P, M and goroutine.",
     [](settings& out, int64_t value) noexcept { out.sched_detail = value != 0; }},
    {"plainfence", kind::flag, 0, 1, "0", "0 or 1",
     "Behaves as if the kernel had no membarrier: every runtime entry pays a full fence.",
     [](settings& out, int64_t value) noexcept { out.plain_fence = value != 0; }},
    {"mprotectguards", kind::flag, 0, 1, "0", "0 or 1",
     "Behaves as if the kernel had no MADV_GUARD_INSTALL: one mapping for every stack.",
     [](settings& out, int64_t value) noexcept { out.no_guard_install = value != 0; }},
    {"noretake", kind::flag, 0, 1, "0", "0 or 1",
     "sysmon never takes a P from a goroutine that computes or blocks for long.",
     [](settings& out, int64_t value) noexcept { out.no_retake = value != 0; }},
    {"dlog", kind::flag, 0, 1, "0", "0 or 1",
     "Keeps the runtime's last debug events in a ring; reports print it.",
     [](settings& out, int64_t value) noexcept { out.dlog = value != 0; }},
    {"heaptrace", kind::number, 0, 3'600'000, "0",
     "a whole number of milliseconds from 0 to 3600000",
     "Prints what the heap holds, by size class, this often; 0: never.",
     [](settings& out, int64_t value) noexcept { out.heaptrace_ms = static_cast<int>(value); }},
    {"heapcheck", kind::flag, 0, 1, "0", "0 or 1",
     "Objects with red zones and the stacks of their allocation and free; freed ones are kept in "
     "quarantine and looked at. Slow, and several times the memory.",
     [](settings& out, int64_t value) noexcept { out.heap_check = value != 0; }},
    {"noscavenger", kind::flag, 0, 1, "0", "0 or 1",
     "The heap has no thread of its own: free() gives memory back to the kernel, and only while a "
     "program frees.",
     [](settings& out, int64_t value) noexcept { out.no_scavenger = value != 0; }},
    {"memprofilerate", kind::size, 0, INT64_MAX, "512K",
     "bytes, with an optional suffix K, M or G; 0: nothing is sampled",
     "One allocation in so many bytes is recorded with its stack. Less is more exact and slower.",
     [](settings& out, int64_t value) noexcept {
       out.memory_profile_rate = static_cast<size_t>(value);
     }},
    {"heldmutex", kind::number, 0, 2, "1", "0, 1 or 2",
     "Debug builds: a goroutine that waits while it holds a std::mutex is told once for each place "
     "that locks; 2: it is a fatal error; 0: nothing.",
     [](settings& out, int64_t value) noexcept { out.held_mutex = static_cast<int>(value); }},
    {"traceruns", kind::flag, 0, 1, "0", "0 or 1",
     "With WEFT_TRACE_DIR: each weft::run is traced from its beginning to its end, to a file "
     "there, instead of being remembered for some seconds.",
     [](settings& out, int64_t value) noexcept { out.trace_runs = value != 0; }},
};

/// A decimal number that fills `text`, without sign or blanks.
bool parse_whole(std::string_view text, int64_t& value) noexcept {
  if (text.empty() || text.front() == '-') return false;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc{} && end == text.data() + text.size();
}

/// A whole number with an optional suffix K, M, G or T, of either case.
bool parse_size(std::string_view text, int64_t& bytes) noexcept {
  int64_t unit = 1;
  constexpr std::string_view suffixes = "KMGTkmgt";
  size_t suffix = text.empty() ? std::string_view::npos : suffixes.find(text.back());
  if (suffix != std::string_view::npos) {
    for (size_t i = 0; i <= suffix % 4; ++i) unit *= kib;
    text.remove_suffix(1);
  }
  int64_t count = 0;
  if (!parse_whole(text, count)) return false;
  return !__builtin_mul_overflow(count, unit, &bytes);
}

/// The same, or as Go writes it: B, KiB, MiB, GiB, TiB; or off.
bool parse_size_or_off(std::string_view text, int64_t& bytes) noexcept {
  bytes = INT64_MAX;
  if (text == "off") return true;
  if (text.ends_with("iB"))
    text.remove_suffix(2);
  else if (text.ends_with("B"))
    text.remove_suffix(1);
  return parse_size(text, bytes);
}

bool parse_traceback(std::string_view text, int64_t& level) noexcept {
  struct {
    std::string_view text;
    traceback_level level;
  } constexpr words[] = {
      {"none", traceback_level::none},     {"0", traceback_level::none},
      {"single", traceback_level::single}, {"all", traceback_level::all},
      {"1", traceback_level::all},         {"system", traceback_level::system},
      {"2", traceback_level::system},      {"crash", traceback_level::crash},
  };
  for (const auto& word : words) {
    if (word.text != text) continue;
    level = static_cast<int64_t>(word.level);
    return true;
  }
  return false;
}

bool parse_value(const entry& setting, std::string_view text, int64_t& value) noexcept {
  switch (setting.is) {
    case kind::number:
    case kind::flag:
      return parse_whole(text, value) && value >= setting.least && value <= setting.most;
    case kind::size_power_of_two:
      return parse_size(text, value) && value >= setting.least && value <= setting.most &&
             (value & (value - 1)) == 0;
    case kind::size:
      return parse_size(text, value) && value >= setting.least && value <= setting.most;
    case kind::size_or_off:
      return parse_size_or_off(text, value) && value >= setting.least && value <= setting.most;
    case kind::traceback:
      return parse_traceback(text, value);
    case kind::text:
    case kind::debug_list:
      return true;
  }
  return false;
}

/// `weft: NAME="VALUE": must be ALLOWED`
std::string refusal(std::string_view name, std::string_view value, std::string_view allowed) {
  std::string message = "weft: ";
  message.append(name).append("=\"").append(value).append("\": must be ").append(allowed);
  return message;
}

std::string unknown_key(std::string_view key) {
  std::string message = "weft: WEFT_DEBUG: unknown key \"";
  message.append(key).append("\"; known are ");
  bool first = true;
  for (const entry& known : debug_keys) {
    if (!first) message += ", ";
    message.append(known.name);
    first = false;
  }
  return message;
}

bool parse_debug_item(std::string_view item, settings& out, std::string& message) {
  size_t equals = item.find('=');
  std::string_view key = item.substr(0, equals);
  for (const entry& known : debug_keys) {
    if (known.name != key) continue;
    std::string_view text =
        equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1);
    int64_t value = 0;
    if (!parse_value(known, text, value)) {
      std::string name = "WEFT_DEBUG: ";
      message = refusal(name.append(key), text, known.allowed);
      return false;
    }
    known.store(out, value);
    return true;
  }
  message = unknown_key(key);
  return false;
}

bool parse_debug(std::string_view list, settings& out, std::string& message) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!item.empty() && !parse_debug_item(item, out, message)) return false;
  }
  return true;
}

/// The process's settings once they are read; null before.
atomic<const settings*> parsed{nullptr};

}  // namespace

bool parse_settings(const char* const* environment, settings& out, std::string& message) {
  for (; *environment != nullptr; ++environment) {
    std::string_view text = *environment;
    size_t equals = text.find('=');
    if (equals == std::string_view::npos || !text.starts_with("WEFT_")) continue;
    std::string_view name = text.substr(0, equals);
    std::string_view value_text = text.substr(equals + 1);
    // Empty is unset. Names that are not ours to know are left alone: other programs' settings
    // may begin with WEFT_ too.
    if (value_text.empty()) continue;
    const entry* setting = std::ranges::find(variables, name, &entry::name);
    if (setting == std::end(variables)) continue;
    if (setting->is == kind::debug_list) {
      if (!parse_debug(value_text, out, message)) return false;
      continue;
    }
    if (setting->is == kind::text) {
      setting->store_text(out, value_text);
      continue;
    }
    int64_t value = 0;
    if (!parse_value(*setting, value_text, value)) {
      message = refusal(name, value_text, setting->allowed);
      return false;
    }
    setting->store(out, value);
  }
  return true;
}

const settings& process_settings() noexcept {
  static const settings read = [] {
    settings values;
    std::string message;
    if (!parse_settings(environ, values, message)) {
      message += '\n';
      os::write_all(STDERR_FILENO, message.data(), message.size());
      ::_exit(2);
    }
    dlog_enabled.store(values.dlog, relaxed);
    return values;
  }();
  parsed.store(&read, release);  // partner: current_traceback()
  return read;
}

traceback_level current_traceback() noexcept {
  const settings* read = parsed.load(acquire);
  if (read != nullptr) return read->traceback;
  // Dying before the settings were read, maybe in a signal handler: look for the one that matters.
  constexpr std::string_view name = "WEFT_TRACEBACK=";
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    int64_t level = 0;
    std::string_view text = *at;
    if (text.starts_with(name) && parse_traceback(text.substr(name.size()), level))
      return static_cast<traceback_level>(level);
  }
  return settings{}.traceback;
}

void describe_settings(void (*row)(void* context, const setting_row& setting), void* context) {
  for (const entry& e : variables) row(context, {e.name, e.default_text, e.allowed, e.doc, false});
  for (const entry& e : debug_keys) row(context, {e.name, e.default_text, e.allowed, e.doc, true});
}

}  // namespace weft::rt
