// SPDX-License-Identifier: Apache-2.0
// What is behind a conn or a listener: a socket (net_fd), or an end in memory (pipe.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/net/address.hpp"

struct iovec;

namespace weft::rt {

/// The contract of each is conn's or listener's function of that name. All may park.
class stream {
 public:
  stream() noexcept = default;
  virtual ~stream() = default;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  [[nodiscard]] virtual result<size_t> read(void* to, size_t bytes) = 0;
  [[nodiscard]] virtual result<size_t> write(const void* from, size_t bytes) = 0;
  [[nodiscard]] virtual result<size_t> write_vector(std::span<iovec> parts) = 0;
  [[nodiscard]] virtual result<void> wait_readable() = 0;
  [[nodiscard]] virtual bool wait_hangup() = 0;
  [[nodiscard]] virtual result<std::shared_ptr<stream>> accept() = 0;

  [[nodiscard]] virtual result<void> close() = 0;
  /// `how` is shutdown(2)'s.
  [[nodiscard]] virtual result<void> shut_down(int how) = 0;
  [[nodiscard]] virtual result<void> set_deadline(int64_t when_ns, bool read, bool write) = 0;
  [[nodiscard]] virtual result<void> set_option(int level, int option, int value) = 0;

  /// The descriptor, or -1.
  [[nodiscard]] virtual int native() const noexcept = 0;
  [[nodiscard]] virtual const net::address& local() const noexcept = 0;
  [[nodiscard]] virtual const net::address& remote() const noexcept = 0;
};

}  // namespace weft::rt
