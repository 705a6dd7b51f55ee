// SPDX-License-Identifier: Apache-2.0
// select: waits for several channel operations at once and runs the one that happened.
//
//   int which = weft::select(
//       weft::on_recv(in, [&](std::optional<job> j) { ... }),   // nullopt: closed
//       weft::on_send(out, value, [&] { ... }),
//       weft::on_done(ctx, [&] { ... }),                        // context.hpp
//       weft::after(5s, [&] { ... }),
//       weft::otherwise([&] { ... }));                          // never parks then
//
// Among the ready cases each is equally likely. Nil channels are never ready. Sending on a closed
// channel is ready, and panics. Channels and values are evaluated before choosing, functions run
// after, outside the runtime: they may do anything. Nothing is allocated.
//
// A case refers to the channel of the handle it was made from, which must live and not be assigned
// to until a case is chosen (its function may do so); handles passed as temporaries are kept.
// select_case keeps every handle.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "weft/sched/heap_object.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/internal/duration.hpp"
#include "weft/sync/internal/select.hpp"

namespace weft {
namespace rt {

struct nothing {
  void operator()() const noexcept {}
};

template <class Channel>
concept receiving_channel = requires(const std::remove_cvref_t<Channel>& ch) { ch.try_recv(); };
template <class Channel>
concept sending_channel = requires(const std::remove_cvref_t<Channel>& ch) { ch.close(); };
/// What `ch` carries; for what is no channel a type that takes anything, since an error was said.
struct no_element {
  template <class T>
  no_element(T&&) noexcept {}  // NOLINT(google-explicit-constructor)
};
template <class Channel>
struct element_of {
  using type = no_element;
};
template <class Channel>
  requires receiving_channel<Channel> || sending_channel<Channel>
struct element_of<Channel> {
  using type = typename std::remove_cvref_t<Channel>::value_type;
};
template <class Channel>
using element_of_t = typename element_of<Channel>::type;

template <class Case>
concept select_case_like = requires(std::remove_cvref_t<Case>& c, scase& out) {
  c.prepare(out);
  c.run(chan_status::ok);
};

/// The handle of a channel, kept only if it was a temporary.
template <class Channel>
[[nodiscard]] chan_handle keep_temporary(const std::remove_cvref_t<Channel>& ch) noexcept {
  if constexpr (std::is_lvalue_reference_v<Channel>)
    return {};
  else
    return ch.handle();
}

template <class T, class F>
class recv_case {
 public:
  recv_case(hchan* c, chan_handle keep, F f) noexcept(std::is_nothrow_move_constructible_v<F>)
      : c_(c), keep_(std::move(keep)), f_(std::move(f)) {}
  recv_case(recv_case&& other) noexcept(std::is_nothrow_move_constructible_v<F>)
      : recv_case(other.c_, std::move(other.keep_), std::move(other.f_)) {}

  void prepare(scase& out) noexcept {
    out.what = scase::kind::recv;
    out.c = c_;
    out.element = std::addressof(slot_.value);
  }
  void run(chan_status status) {
    std::optional<T> value;
    if (status == chan_status::ok) value.emplace(slot_.template take<T>());
    if constexpr (std::invocable<F&, std::optional<T>>)
      f_(std::move(value));
    else
      f_();
  }
  [[nodiscard]] hchan* channel() const noexcept { return c_; }

 private:
  hchan* c_;
  chan_handle keep_;
  F f_;
  element_slot<T> slot_;
};

template <class T, class F>
class send_case {
 public:
  send_case(hchan* c, chan_handle keep, T value, F f)
      : c_(c), keep_(std::move(keep)), value_(std::move(value)), f_(std::move(f)) {}

  void prepare(scase& out) noexcept {
    out.what = scase::kind::send;
    out.c = c_;
    out.element = std::addressof(value_);
  }
  void run(chan_status status) {
    if (status != chan_status::ok) panic_send_on_closed();
    f_();
  }
  [[nodiscard]] hchan* channel() const noexcept { return c_; }

 private:
  hchan* c_;
  chan_handle keep_;
  T value_;
  F f_;
};

template <scase::kind Kind, class F>
class plain_case {
 public:
  plain_case(int64_t duration_ns, F f) : duration_ns_(duration_ns), f_(std::move(f)) {}
  void prepare(scase& out) noexcept {
    out.what = Kind;
    out.duration_ns = duration_ns_;
  }
  void run(chan_status) { f_(); }
  [[nodiscard]] hchan* channel() const noexcept { return nullptr; }

 private:
  int64_t duration_ns_;
  F f_;
};

/// Stands for a case whose error was said.
struct no_case {
  void prepare(scase&) noexcept {}
  void run(chan_status) {}
  [[nodiscard]] hchan* channel() const noexcept { return nullptr; }
};

}  // namespace rt

/// Ready when `ch` has a value or is closed; `f(std::optional<T>)` or `f()`.
template <class Channel, class F = rt::nothing>
[[nodiscard]] auto on_recv(Channel&& ch, F f = {}) {
  using T = rt::element_of_t<Channel>;
  constexpr bool receives = rt::receiving_channel<Channel>;
  constexpr bool called = std::invocable<F&, std::optional<T>> || std::invocable<F&>;
  static_assert(receives, "weft: on_recv(ch, f): ch must be a chan or a recv_chan");
  static_assert(
      !receives || called,
      "weft: on_recv(ch, f): f must take std::optional<T> for a channel of T, or nothing");
  if constexpr (receives && called)
    return rt::recv_case<T, F>(ch.raw(), rt::keep_temporary<Channel>(ch), std::move(f));
  else
    return rt::no_case{};
}

/// Ready when `ch` can take `value`.
template <class Channel, class F = rt::nothing>
[[nodiscard]] auto on_send(Channel&& ch, rt::element_of_t<Channel> value, F f = {}) {
  constexpr bool sends = rt::sending_channel<Channel>;
  static_assert(sends, "weft: on_send(ch, v, f): ch must be a chan or a send_chan");
  static_assert(!sends || std::invocable<F&>,
                "weft: on_send(ch, v, f): f is called without arguments once v is sent");
  if constexpr (sends && std::invocable<F&>)
    return rt::send_case<rt::element_of_t<Channel>, F>(ch.raw(), rt::keep_temporary<Channel>(ch),
                                                       std::move(value), std::move(f));
  else
    return rt::no_case{};
}

/// Ready once select has waited for `d`; at once if `d` is not positive.
template <class Rep, class Period, class F>
[[nodiscard]] auto after(std::chrono::duration<Rep, Period> d, F f) {
  static_assert(std::invocable<F&>, "weft: after(d, f): f is called without arguments");
  if constexpr (std::invocable<F&>)
    return rt::plain_case<rt::scase::kind::timer, F>(rt::saturating_ns(d), std::move(f));
  else
    return rt::no_case{};
}
template <rt::number N, class F>
rt::no_case after(N, F) {
  static_assert(!rt::number<N>,
                "weft: a time needs a unit: after(5s, f), after(std::chrono::seconds(n), f)");
  return {};
}

/// Taken when no other case is ready.
template <class F = rt::nothing>
[[nodiscard]] auto otherwise(F f = {}) {
  static_assert(std::invocable<F&>, "weft: otherwise(f): f is called without arguments");
  if constexpr (std::invocable<F&>)
    return rt::plain_case<rt::scase::kind::otherwise, F>(0, std::move(f));
  else
    return rt::no_case{};
}

/// Any of the cases above, for lists made at run time. Usable for one select at a time, and again.
class select_case {
 public:
  template <rt::select_case_like Case>
    requires(!std::same_as<std::remove_cvref_t<Case>, select_case>)
  select_case(Case&& c)  // NOLINT(google-explicit-constructor): a list of them reads as a select
      : keep_(rt::chan_handle::share(c.channel())),
        held_(std::make_unique<held<std::remove_cvref_t<Case>>>(std::forward<Case>(c))) {}

  void prepare(rt::scase& out) noexcept { held_->prepare(out); }
  void run(rt::chan_status status) { held_->run(status); }
  [[nodiscard]] rt::hchan* channel() const noexcept { return keep_.get(); }

 private:
  struct any : rt::heap_object {
    virtual ~any() = default;
    virtual void prepare(rt::scase& out) noexcept = 0;
    virtual void run(rt::chan_status status) = 0;
  };
  template <class Case>
  struct held final : any {
    explicit held(Case c) : inner(std::move(c)) {}
    void prepare(rt::scase& out) noexcept override { inner.prepare(out); }
    void run(rt::chan_status status) override { inner.run(status); }
    Case inner;
  };
  rt::chan_handle keep_;
  std::unique_ptr<any> held_;
};

/// Waits until one of the cases can proceed, does it, runs its function, and returns its position.
/// With no case at all it parks for ever. May park, unless one case is otherwise().
template <class... Cases>
int select(Cases&&... cases) {
  constexpr int count = sizeof...(Cases);
  constexpr bool known = (rt::select_case_like<Cases> && ...);
  static_assert(known,
                "weft: select takes cases: on_recv, on_send, on_done, after, otherwise; "
                "select_any takes a list of them");
  if constexpr (!known) {
    return -1;
  } else if constexpr (count == 0) {
    rt::select_nothing();
  } else {
    static_assert(count <= rt::select_cases_max);
    rt::select_room<count> room;
    int i = 0;
    (cases.prepare(room.cases[i++]), ...);
    const rt::select_outcome chosen = rt::select_go(room.cases, room.waits, room.order, count);
    i = 0;
    ((i++ == chosen.index ? cases.run(chosen.status) : void()), ...);
    return chosen.index;
  }
}

/// select over a list made at run time. Allocates beyond 16 cases.
WEFT_API int select_any(std::span<select_case> cases);

}  // namespace weft
