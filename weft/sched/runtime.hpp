// SPDX-License-Identifier: Apache-2.0
// What a goroutine asks of the scheduler.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/chrono.hpp"
#include "weft/base/export.hpp"

namespace weft {

/// Lets others run: the goroutine goes to the back of the queue. On a foreign thread: sched_yield.
WEFT_API void yield() noexcept;

/// Parks for at least `duration` (monotonic clock; virtual inside weft::sim). Zero or less returns
/// at once. A foreign thread sleeps.
WEFT_API void sleep_for(std::chrono::nanoseconds duration) noexcept;
template <class N>
  requires std::is_arithmetic_v<N>
void sleep_for(N) {
  static_assert(!std::is_arithmetic_v<N>, "weft: a time needs a unit: sleep_for(10ms)");
}
/// The same until a time on the monotonic clock.
WEFT_API void sleep_until(std::chrono::steady_clock::time_point when) noexcept;

/// The runtime's clock: std::chrono::steady_clock, or the virtual one inside weft::sim.
[[nodiscard]] WEFT_API std::chrono::steady_clock::time_point now() noexcept;

/// Sets how many Ps there are (1..1024) and returns how many there were; n < 1 only asks. Stops
/// the world shortly. Panics above 1024. Inside weft::sim there is one. Outside of weft::run it
/// changes nothing: the next run has what its options say.
WEFT_API int maxprocs(int n);

/// Goroutines that have started and not ended. Approximate while others start and end.
[[nodiscard]] WEFT_API int64_t num_goroutine() noexcept;

/// Id of the current goroutine, as dumps print it; 0 on a foreign thread.
[[nodiscard]] WEFT_API uint64_t goroutine_id() noexcept;

namespace rt {
/// Tells sysmon that this thread is about to block in the kernel.
class WEFT_API blocking_scope {
 public:
  blocking_scope() noexcept;
  ~blocking_scope();
  blocking_scope(const blocking_scope&) = delete;
  blocking_scope& operator=(const blocking_scope&) = delete;
};
}  // namespace rt

/// Runs `f()`, which is about to block the thread (a system call, another library's lock). Other
/// goroutines that wait to run go on after some 20 us, instead of the 1 to 2 ms that unannounced
/// blocking costs them. Returns what `f` returns.
template <class F>
decltype(auto) blocking(F&& f) {
  WEFT_CHECK_FUNCTION(blocking(f), F);
  if constexpr (std::is_invocable_v<F>) {
    const rt::blocking_scope announced;
    return std::forward<F>(f)();
  }
}

}  // namespace weft
