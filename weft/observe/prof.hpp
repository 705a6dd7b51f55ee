// SPDX-License-Identifier: Apache-2.0
// Profiles that `go tool pprof` opens: where the CPU goes, what memory is for, what goroutines wait
// for. Formats and rules are Go's runtime/pprof (profile.proto, gzip).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"

namespace weft {
class context;  // sync/context.hpp
}

namespace weft::prof {

/// Takes a profile's bytes, piece by piece. An error ends the writing, which returns it.
using sink_function = result<void> (*)(void* to, std::string_view bytes);
class sink {
 public:
  sink(sink_function f, void* to) noexcept : f_(f), to_(to) {}
  /// Any `f(std::string_view)` that returns result<void> or nothing; it must outlive the sink.
  template <class F>
    requires(std::is_invocable_v<F&, std::string_view> && !std::is_same_v<std::decay_t<F>, sink>)
  sink(F&& f) noexcept
      : f_([](void* to, std::string_view bytes) -> result<void> {
          auto& call = *static_cast<std::remove_reference_t<F>*>(to);
          if constexpr (std::is_void_v<std::invoke_result_t<F&, std::string_view>>) {
            call(bytes);
            return {};
          } else {
            return call(bytes);
          }
        }),
        to_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))) {}
  [[nodiscard]] result<void> operator()(std::string_view bytes) const { return f_(to_, bytes); }

 private:
  sink_function f_;
  void* to_;
};

/// How a profile is written. `text` and `full` are Go's debug=1 and debug=2: `full` is every
/// goroutine's stack as in a crash report, for `goroutine`; for the others it is `text`.
enum class form : uint8_t { proto, text, full };

/// Writes a profile as it is now:
///
///   goroutine      stacks of all goroutines
///   heap, allocs   sampled allocations: in use; since the start (the same data, another default)
///   block          time blocked in channels, select, mutexes, wait groups, ... (set_block_rate)
///   mutex          time others waited for a mutex, at who unlocked it (set_mutex_fraction)
///   sched          time from ready to running, at who made it ready (set_sched_fraction)
///   threadcreate   threads that the runtime has started
///
/// `cpu` and `wall` are over a time: start_cpu(), start_wall(). Fails with no_such_profile, or with
/// what the sink says. Reads debug information the first time (milliseconds a megabyte). May
/// allocate; blocks its thread while it symbolizes.
WEFT_API result<void> write(std::string_view name, sink to, form how = form::proto);
/// What happens from now to `seconds` later: the difference of two. Parks meanwhile. Not for `cpu`
/// and `wall`.
WEFT_API result<void> write_delta(std::string_view name, std::chrono::nanoseconds seconds, sink to);
/// The same; fails with the context's error, and writes nothing, if that ends before.
WEFT_API result<void> write_delta(const context& ctx, std::string_view name,
                                  std::chrono::nanoseconds seconds, sink to);
WEFT_API extern const error no_such_profile;

/// A profile that write() knows.
struct info {
  std::string_view name;
  std::string_view description;
  int64_t count = 0;  // records
};
/// By name. Also `cpu`, whose count is 0.
WEFT_API void list(void (*each)(void* to, const info& profile), void* to);

// --- cpu, wall -----------------------------------------------------------------------------------

struct cpu_options {
  /// Samples per second of CPU time of each thread: 1 to 10,000. Above 250 the kernel's performance
  /// events are used, where they are allowed: timers fire on the kernel's tick only.
  int rate_hz = 100;
};
struct cpu_summary {
  int64_t samples = 0;
  int64_t lost = 0;  // no room, or a stack could not be read
  std::chrono::nanoseconds duration{};
  /// Samples per second of CPU time that came.
  double achieved_hz = 0;
};
/// Fails with already_profiling, or what the system says about timers.
WEFT_API result<void> start_cpu(const cpu_options& how = {});
/// Ends it, and writes what it saw since. Fails with not_profiling.
WEFT_API result<cpu_summary> stop_cpu(sink to, form how = form::proto);
WEFT_API extern const error already_profiling;
WEFT_API extern const error not_profiling;

struct wall_options {
  /// Looks per second, 1 to 1,000.
  int rate_hz = 100;
  /// Goroutines looked at each time. More of them are looked at by turns, and count for those that
  /// are not.
  int goroutines_each = 256;
};
/// Where goroutines spend their time, running and parked alike: a sample_type of time for each,
/// with the label `state`. Costs nothing to goroutines that are parked.
WEFT_API result<void> start_wall(const wall_options& how = {});
WEFT_API result<cpu_summary> stop_wall(sink to, form how = form::proto);

// --- rates ---------------------------------------------------------------------------------------

/// Blocking of `ns` and longer is always recorded, shorter with probability duration / ns. 0 (the
/// default): nothing; 1: everything. Returns the rate until now.
WEFT_API int64_t set_block_rate(int64_t ns) noexcept;
/// One in `n` contended unlocks is recorded. 0 (the default): none; negative: only asks.
WEFT_API int set_mutex_fraction(int n) noexcept;
/// One in `n` goroutines that become ready is recorded, with the time until it runs. 0 (the
/// default): none; negative: only asks.
WEFT_API int set_sched_fraction(int n) noexcept;
/// Bytes between sampled allocations on average: 512 KiB. 0: nothing is sampled from now on.
WEFT_API size_t set_memory_rate(size_t bytes) noexcept;

// --- labels --------------------------------------------------------------------------------------

namespace detail {
struct label_set;
}

/// Keys and values that CPU, wall and goroutine profiles show with a goroutine's stack. Immutable,
/// shared, cheap to copy. A key that comes twice has its later value.
class WEFT_API labels {
 public:
  labels() noexcept = default;
  struct pair {
    std::string_view key;
    std::string_view value;
  };
  /// Keys and values by turns: labels{"route", "/pay", "tenant", "7"}.
  template <class... Texts>
    requires(sizeof...(Texts) > 0 && sizeof...(Texts) % 2 == 0 &&
             (std::is_convertible_v<const Texts&, std::string_view> && ...))
  labels(const Texts&... texts) {
    const std::string_view all[] = {std::string_view(texts)...};
    make(all, sizeof...(Texts));
  }
  labels(const labels& other) noexcept;
  labels(labels&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  labels& operator=(labels other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }
  ~labels();

  /// These and those of `more`, which wins.
  [[nodiscard]] labels with(const labels& more) const;
  [[nodiscard]] size_t size() const noexcept;
  [[nodiscard]] pair operator[](size_t index) const noexcept;  // by key
  /// The value of `key`, or empty.
  [[nodiscard]] std::string_view get(std::string_view key) const noexcept;

  /// Those of the current goroutine or thread.
  [[nodiscard]] static labels current() noexcept;

 private:
  friend class scope;
  friend struct label_access;
  void make(const std::string_view* texts, size_t count);
  detail::label_set* set_ = nullptr;
};

/// Adds labels to the current goroutine's until the end of the scope; goroutines started meanwhile
/// inherit them. May be held across parks; ends on the goroutine that began it, innermost first.
class WEFT_API scope {
 public:
  explicit scope(const labels& added);
  ~scope();
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

 private:
  detail::label_set* before_;
};

/// Calls `f()` with labels added.
template <class F>
decltype(auto) do_(const labels& added, F&& f) {
  WEFT_CHECK_FUNCTION(do_(labels, f), F);
  if constexpr (std::is_invocable_v<F&>) {
    const scope during(added);
    return std::forward<F>(f)();
  }
}

}  // namespace weft::prof
