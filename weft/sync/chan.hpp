// SPDX-License-Identifier: Apache-2.0
// Channels: typed conduits between goroutines, with Go's semantics to the letter.
//
//            nil               open                                   closed
//   send     blocks for ever   to a receiver, the buffer, or waits    panic: send on closed channel
//   recv     blocks for ever   a value, or waits                      what is left, then nullopt
//   close    panic             wakes all: receivers end, senders panic  panic
//   len/cap  0 / 0             buffered / capacity                    left / capacity
//
// A handle is a counted reference: copying shares the channel, a default-constructed one is nil.
// Handles themselves are not synchronized, as no C++ object is; channels are. Any thread may use
// them, goroutine or not. A handle must outlive the operations that run through it.
//
// Happens before: a send, before its receive returns; the k-th receive, before the (k+cap)-th send
// returns; close, before a receive that returns because of it.
//
// Elements move between stacks inside the runtime, so moving one must not throw (checked) nor use
// channels, locks or other things that park (not checkable). Copies are made before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/sync/internal/channel.hpp"
#include "weft/sync/internal/element.hpp"

namespace weft {

template <class T>
class send_chan;
template <class T>
class recv_chan;

namespace rt {

template <class T>
concept channel_element = std::is_nothrow_move_constructible_v<T> &&
                          std::is_nothrow_destructible_v<T> && std::is_object_v<T>;

/// Class templates ask this only, so that a type may have channels of itself as members.
template <class T>
concept channel_object = std::is_object_v<T>;

#define WEFT_CHECK_ELEMENT(T)                                                      \
  static_assert(::weft::rt::channel_element<T>,                                    \
                "weft: a channel's elements are moved between stacks: their move " \
                "constructor must exist and be noexcept (or use std::unique_ptr<T>)")

template <class T>
void send_value(hchan* c, T& value) {
  WEFT_CHECK_ELEMENT(T);
  if (chan_send(c, std::addressof(value), true) != chan_status::ok) panic_send_on_closed();
}

template <class T>
[[nodiscard]] bool try_send_value(hchan* c, T& value) {
  WEFT_CHECK_ELEMENT(T);
  const chan_status status = chan_send(c, std::addressof(value), false);
  if (status == chan_status::closed) panic_send_on_closed();
  return status == chan_status::ok;
}

template <class T>
[[nodiscard]] std::optional<T> recv_value(hchan* c, bool wait, chan_status* status) {
  WEFT_CHECK_ELEMENT(T);
  element_slot<T> slot;
  const chan_status got = chan_recv(c, std::addressof(slot.value), wait);
  if (status != nullptr) *status = got;
  if (got != chan_status::ok) return std::nullopt;
  return slot.template take<std::optional<T>>();
}

/// Receives until the channel is closed and drained.
template <class T>
class chan_iterator {
 public:
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using reference = T&&;
  using iterator_concept = std::input_iterator_tag;

  chan_iterator() noexcept = default;
  explicit chan_iterator(hchan* c) : c_(c) { ++*this; }
  chan_iterator(chan_iterator&&) noexcept = default;
  chan_iterator& operator=(chan_iterator&&) noexcept = default;

  /// The received value, to be moved from: `for (T v : ch)`, `for (auto&& v : ch)`.
  reference operator*() const noexcept { return std::move(*current_); }
  /// May park.
  chan_iterator& operator++() {
    current_.reset();
    std::optional<T> next = recv_value<T>(c_, true, nullptr);
    if (next) current_.emplace(std::move(*next));
    return *this;
  }
  void operator++(int) { ++*this; }
  friend bool operator==(const chan_iterator& i, std::default_sentinel_t) noexcept {
    return !i.current_.has_value();
  }

 private:
  hchan* c_ = nullptr;
  mutable std::optional<T> current_;
};

/// What every kind of handle has. Handles of one channel are equal whatever their direction.
template <class T>
class chan_base {
 public:
  using value_type = T;

  /// Elements in the buffer now, and how many it can hold; 0 for nil and for timers' channels.
  [[nodiscard]] size_t len() const noexcept { return chan_len(handle_.get()); }
  [[nodiscard]] size_t cap() const noexcept { return chan_cap(handle_.get()); }
  /// False for nil.
  [[nodiscard]] explicit operator bool() const noexcept { return handle_.get() != nullptr; }
  /// For Weft's own code.
  [[nodiscard]] hchan* raw() const noexcept { return handle_.get(); }
  [[nodiscard]] const chan_handle& handle() const noexcept { return handle_; }

  friend bool operator==(const chan_base& a, const chan_base& b) noexcept {
    return a.raw() == b.raw();
  }
  friend bool operator==(const chan_base& a, std::nullptr_t) noexcept { return a.raw() == nullptr; }

 protected:
  constexpr chan_base() noexcept = default;
  explicit chan_base(chan_handle handle) noexcept : handle_(std::move(handle)) {}

 private:
  chan_handle handle_;
};

/// The sending half of a handle. Self derives from chan_base<T>.
template <class Self, class T>
class sender {
 public:
  /// Parks until a receiver or the buffer has taken `value`. Panics when the channel is closed,
  /// also while waiting.
  void send(T&& value) const { send_value<T>(raw_self(), value); }
  void send(const T& value) const {
    T copy(value);
    send_value<T>(raw_self(), copy);
  }
  /// Never parks. True if `value` was taken; an rvalue keeps its value otherwise.
  [[nodiscard]] bool try_send(const T& value) const {
    T copy(value);
    return try_send_value<T>(raw_self(), copy);
  }
  [[nodiscard]] bool try_send(T&& value) const { return try_send_value<T>(raw_self(), value); }
  /// No more will be sent. Wakes everybody who waits. Does not park. Panics for nil and when
  /// closed before.
  void close() const { chan_close(raw_self()); }

 private:
  hchan* raw_self() const noexcept { return static_cast<const Self*>(this)->raw(); }
};

/// The receiving half.
template <class Self, class T>
class receiver {
 public:
  /// Parks until there is a value; nullopt once the channel is closed and drained.
  std::optional<T> recv() const { return recv_value<T>(raw_self(), true, nullptr); }
  /// Never parks. nullopt: nothing there now, or closed and drained.
  [[nodiscard]] std::optional<T> try_recv() const {
    return recv_value<T>(raw_self(), false, nullptr);
  }
  /// As try_recv(), and tells which: `closed` becomes true once closed and drained.
  [[nodiscard]] std::optional<T> try_recv(bool& closed) const {
    chan_status status;
    std::optional<T> value = recv_value<T>(raw_self(), false, &status);
    closed = status == chan_status::closed;
    return value;
  }
  /// `for (T v : ch)`: receives until closed and drained.
  [[nodiscard]] chan_iterator<T> begin() const { return chan_iterator<T>(raw_self()); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  hchan* raw_self() const noexcept { return static_cast<const Self*>(this)->raw(); }
};

/// Of channels that cannot be.
template <class T>
struct no_channel {
  static_assert(rt::channel_object<T>,
                "weft: a channel carries objects: std::monostate instead of void, a pointer "
                "instead of a reference");
};

}  // namespace rt

/// Both directions. Made by make_chan().
template <class T>
class chan : public rt::chan_base<T>,
             public rt::sender<chan<T>, T>,
             public rt::receiver<chan<T>, T> {
 public:
  constexpr chan() noexcept = default;
  constexpr chan(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor): as Go's nil
  explicit chan(rt::chan_handle handle) noexcept : rt::chan_base<T>(std::move(handle)) {}
};
template <class T>
  requires(!rt::channel_object<T>)
class chan<T> : rt::no_channel<T> {};

/// Sending only; every chan<T> converts to it.
template <class T>
class send_chan : public rt::chan_base<T>, public rt::sender<send_chan<T>, T> {
 public:
  constexpr send_chan() noexcept = default;
  constexpr send_chan(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)
  send_chan(const chan<T>& both) noexcept          // NOLINT(google-explicit-constructor)
      : rt::chan_base<T>(both.handle()) {}

  std::optional<T> recv() const WEFT_DELETED("weft: a send_chan only sends: use a recv_chan");
  std::optional<T> try_recv() const WEFT_DELETED("weft: a send_chan only sends: use a recv_chan");
  rt::chan_iterator<T> begin() const WEFT_DELETED("weft: a send_chan only sends: use a recv_chan");
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }
};
template <class T>
  requires(!rt::channel_object<T>)
class send_chan<T> : rt::no_channel<T> {};

/// Receiving only; every chan<T> converts to it.
template <class T>
class recv_chan : public rt::chan_base<T>, public rt::receiver<recv_chan<T>, T> {
 public:
  constexpr recv_chan() noexcept = default;
  constexpr recv_chan(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)
  recv_chan(const chan<T>& both) noexcept          // NOLINT(google-explicit-constructor)
      : rt::chan_base<T>(both.handle()) {}
  explicit recv_chan(rt::chan_handle handle) noexcept : rt::chan_base<T>(std::move(handle)) {}

  void send(const T&) const WEFT_DELETED("weft: a recv_chan only receives: use a send_chan");
  bool try_send(const T&) const WEFT_DELETED("weft: a recv_chan only receives: use a send_chan");
  void close() const WEFT_DELETED("weft: a recv_chan only receives: use a send_chan");
};
template <class T>
  requires(!rt::channel_object<T>)
class recv_chan<T> : rt::no_channel<T> {};

/// A channel that holds up to `capacity` elements, or none: then each send meets its receive.
/// Panics `makechan: size out of range` for a negative or impossible capacity.
template <class T>
[[nodiscard]] chan<T> make_chan(int64_t capacity = 0) {
  if constexpr (!rt::channel_object<T>) {
    return {};  // chan<T> says why
  } else {
    WEFT_CHECK_ELEMENT(T);
    if constexpr (rt::channel_element<T>)
      return chan<T>(rt::chan_handle::adopt(rt::make_hchan(rt::element_ops_of<T>, capacity)));
    else
      return {};
  }
}

}  // namespace weft
