// SPDX-License-Identifier: Apache-2.0
// timer, ticker, after, tick, after_func: time as channels and as goroutines, as in Go 1.23.
//
// Times are std::chrono::steady_clock::time_point as weft::now() gives them: the monotonic clock,
// or the virtual one inside weft::sim. A timer never fires early. What a channel delivers is the
// time of delivery, not the deadline.
//
// A timer's channel looks unbuffered: len() and cap() are 0 even when a time is ready. Once stop()
// or reset() has returned, no time from before can be received. Destroying the handle does not stop
// a timer: its channel, or its function, keeps it; the last handle of the channel frees it.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/chrono.hpp"
#include "weft/base/export.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/internal/duration.hpp"

namespace weft {

using time_point = std::chrono::steady_clock::time_point;

namespace rt {

using callback_function = callable<void>;
struct func_timer;

/// A channel with a timer that sends to it. `period_ns` > 0: again and again.
[[nodiscard]] WEFT_API hchan* make_timer_channel(int64_t duration_ns, int64_t period_ns);
/// True if a time was still to come or to be received.
WEFT_API bool stop_timer_channel(hchan* c) noexcept;
WEFT_API bool reset_timer_channel(hchan* c, int64_t duration_ns, int64_t period_ns) noexcept;

[[nodiscard]] WEFT_API func_timer* make_func_timer(int64_t duration_ns, callback_function f);
WEFT_API bool stop_func_timer(func_timer* t) noexcept;
WEFT_API bool reset_func_timer(func_timer* t, int64_t duration_ns) noexcept;
WEFT_API void release_func_timer(func_timer* t) noexcept;

struct func_timer_deleter {
  void operator()(func_timer* t) const noexcept { release_func_timer(t); }
};

}  // namespace rt

/// One event in the future: a time on a channel, or a function (made by after_func).
class WEFT_API timer {
 public:
  /// Uninitialized: stop() and reset() panic.
  timer() noexcept = default;
  template <class Rep, class Period>
  explicit timer(std::chrono::duration<Rep, Period> d)
      : c_(rt::chan_handle::adopt(rt::make_timer_channel(rt::saturating_ns(d), 0))) {}
  timer(timer&&) noexcept = default;
  timer& operator=(timer&&) noexcept = default;

  /// Where the time arrives; nil for after_func's timers.
  [[nodiscard]] const recv_chan<time_point>& c() const noexcept { return c_; }
  /// Prevents the event. True if it prevented it: the time was not received yet (even if it has
  /// come), or the function not started. Does not wait for a function that runs. Never parks.
  bool stop();
  /// As stop(), then starts again. Returns what stop() would have.
  template <class Rep, class Period>
  bool reset(std::chrono::duration<Rep, Period> d) {
    return reset_ns(rt::saturating_ns(d));
  }

 private:
  template <class Rep, class Period, class F>
  friend timer after_func(std::chrono::duration<Rep, Period> d, F f);
  explicit timer(rt::func_timer* f) noexcept : f_(f) {}
  bool reset_ns(int64_t duration_ns);

  recv_chan<time_point> c_;
  std::unique_ptr<rt::func_timer, rt::func_timer_deleter> f_;
};

/// A time on a channel every period. Who receives too slowly misses some: at most one is kept.
class WEFT_API ticker {
 public:
  /// Uninitialized: stop() does nothing, reset() panics.
  ticker() noexcept = default;
  /// Panics `non-positive interval for NewTicker`.
  template <class Rep, class Period>
  explicit ticker(std::chrono::duration<Rep, Period> d) : ticker(ns{rt::saturating_ns(d)}) {}
  ticker(ticker&&) noexcept = default;
  ticker& operator=(ticker&&) noexcept = default;

  [[nodiscard]] const recv_chan<time_point>& c() const noexcept { return c_; }
  /// No more ticks. Does not close the channel.
  void stop() noexcept;
  /// A new period, from now on. Panics `non-positive interval for Ticker.Reset`.
  template <class Rep, class Period>
  void reset(std::chrono::duration<Rep, Period> d) {
    reset_ns(rt::saturating_ns(d));
  }

 private:
  struct ns {
    int64_t count;
  };
  explicit ticker(ns period);
  void reset_ns(int64_t period_ns);

  recv_chan<time_point> c_;
};

/// The time, once, after `d`. Frees itself when the channel is dropped.
template <class Rep, class Period>
[[nodiscard]] recv_chan<time_point> after(std::chrono::duration<Rep, Period> d) {
  return recv_chan<time_point>(
      rt::chan_handle::adopt(rt::make_timer_channel(rt::saturating_ns(d), 0)));
}

template <rt::number N>
recv_chan<time_point> after(N) {
  static_assert(!rt::number<N>,
                "weft: a time needs a unit: after(5s), after(std::chrono::seconds(n))");
  return {};
}

/// A ticker's channel for those who never stop it; nil if `d` is not positive.
template <class Rep, class Period>
[[nodiscard]] recv_chan<time_point> tick(std::chrono::duration<Rep, Period> d) {
  const int64_t period = rt::saturating_ns(d);
  if (period <= 0) return {};
  return recv_chan<time_point>(rt::chan_handle::adopt(rt::make_timer_channel(period, period)));
}

/// Runs `f` in a goroutine of its own after `d`. The timer may be dropped; f runs all the same.
template <class Rep, class Period, class F>
timer after_func(std::chrono::duration<Rep, Period> d, F f) {
  WEFT_CHECK_FUNCTION(after_func(d, f), F);
  if constexpr (!std::is_invocable_v<F&>)
    return timer();
  else
    return timer(rt::make_func_timer(rt::saturating_ns(d), rt::callback_function(std::move(f))));
}

}  // namespace weft
