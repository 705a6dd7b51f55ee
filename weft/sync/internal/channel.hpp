// SPDX-License-Identifier: Apache-2.0
// The untyped operations that chan<T> is made of; chan.cpp implements them over hchan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "weft/base/export.hpp"

namespace weft::rt {

struct hchan;
struct element_ops;

enum class chan_status : uint8_t { ok, closed, would_block };

/// Panics `makechan: size out of range` for a capacity that no memory could hold.
[[nodiscard]] WEFT_API hchan* make_hchan(const element_ops& ops, int64_t capacity);
WEFT_API void retain_chan(hchan* c) noexcept;
WEFT_API void release_chan(hchan* c) noexcept;

/// May park if `wait`. Moves from *element only when it returns ok.
[[nodiscard]] WEFT_API chan_status chan_send(hchan* c, void* element, bool wait) noexcept;
/// May park if `wait`. Constructs an element in *slot when it returns ok.
[[nodiscard]] WEFT_API chan_status chan_recv(hchan* c, void* slot, bool wait) noexcept;
/// Panics for a nil or a closed channel. Does not park.
WEFT_API void chan_close(hchan* c);
[[nodiscard]] WEFT_API size_t chan_len(const hchan* c) noexcept;
[[nodiscard]] WEFT_API size_t chan_cap(const hchan* c) noexcept;
[[noreturn]] WEFT_API void panic_send_on_closed();

/// A counted pointer to a channel; null is the nil channel.
class chan_handle {
 public:
  constexpr chan_handle() noexcept = default;
  chan_handle(const chan_handle& other) noexcept : c_(other.c_) {
    if (c_ != nullptr) retain_chan(c_);
  }
  chan_handle(chan_handle&& other) noexcept : c_(std::exchange(other.c_, nullptr)) {}
  chan_handle& operator=(chan_handle other) noexcept {
    std::swap(c_, other.c_);
    return *this;
  }
  ~chan_handle() {
    if (c_ != nullptr) release_chan(c_);
  }
  /// Takes over one reference.
  [[nodiscard]] static chan_handle adopt(hchan* c) noexcept {
    chan_handle handle;
    handle.c_ = c;
    return handle;
  }
  /// Adds a reference.
  [[nodiscard]] static chan_handle share(hchan* c) noexcept {
    if (c != nullptr) retain_chan(c);
    return adopt(c);
  }
  /// Gives the reference away.
  [[nodiscard]] hchan* detach() noexcept { return std::exchange(c_, nullptr); }
  [[nodiscard]] hchan* get() const noexcept { return c_; }

 private:
  hchan* c_ = nullptr;
};

}  // namespace weft::rt
