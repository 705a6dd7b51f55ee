// SPDX-License-Identifier: Apache-2.0
// What net::conn and net::listener are handles of: a socket, TLS over another stream, or an end of
// a connection in memory. The public handles document what each operation does; here is only what
// implementers must know besides.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/net/address.hpp"

namespace weft::rt {

/// Told, instead of a goroutine that waits. Its owner keeps it alive while it is armed.
class read_watcher {
 public:
  /// Called once for each arming, on a new goroutine.
  virtual void readable() = 0;

 protected:
  ~read_watcher() = default;
};

class WEFT_API stream {
 public:
  stream() = default;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  virtual ~stream() = default;

  // May park. One reader and one writer at a time: an implementation makes the others wait.
  [[nodiscard]] virtual result<size_t> read(void* to, size_t bytes) = 0;
  [[nodiscard]] virtual result<size_t> write(const void* from, size_t bytes) = 0;
  /// Changes the parts. By default each is written by itself.
  [[nodiscard]] virtual result<size_t> write_vector(std::span<iovec> parts);
  /// Sends `bytes` of a file from `offset` on without copying them; fewer if the file ends before.
  /// -1: this stream cannot, and nothing was sent (the default).
  [[nodiscard]] virtual result<int64_t> send_file(int file, uint64_t offset, size_t bytes);
  [[nodiscard]] virtual result<void> wait_readable() = 0;
  [[nodiscard]] virtual bool wait_hangup() = 0;

  /// Arms `watcher`: a goroutine is started for it when there is something to read, an end, an
  /// error, a read deadline that passes, or close(). Until then nobody may read, and no goroutine
  /// waits. False: it is so already, and nothing was armed. Does not park.
  [[nodiscard]] virtual bool watch_readable(read_watcher& watcher) = 0;
  /// The same until the peer hangs up. It may also be told for nothing: then look at hung_up() and
  /// arm it again. False: the peer has gone.
  [[nodiscard]] virtual bool watch_hangup(read_watcher& watcher) = 0;
  /// Takes the watcher out. False: its goroutine runs, or is about to.
  [[nodiscard]] virtual bool unwatch() = 0;
  /// The peer has ended the connection, or there is an error. Takes no data. Does not park.
  [[nodiscard]] virtual bool hung_up() = 0;
  /// A read would not wait: bytes, an end or an error. Takes no data, looks at no deadline, arms
  /// nothing. Does not park for long. Nobody may read at the same time.
  [[nodiscard]] virtual bool has_input() = 0;

  [[nodiscard]] virtual result<void> close() = 0;
  /// SHUT_RD, SHUT_WR or SHUT_RDWR.
  [[nodiscard]] virtual result<void> shut_down(int how) = 0;
  /// On rt::now_ns()'s clock; 0 takes the deadline away; in the past: at once.
  [[nodiscard]] virtual result<void> set_deadline(int64_t when_ns, bool read, bool write) = 0;
  /// A socket's option; what is no socket does nothing.
  [[nodiscard]] virtual result<void> set_option(int level, int option, int value) = 0;

  /// -1 if there is none.
  [[nodiscard]] virtual int native() const noexcept = 0;
  [[nodiscard]] virtual const net::address& local() const noexcept = 0;
  [[nodiscard]] virtual const net::address& remote() const noexcept = 0;
};

/// For set_deadline(): a default time_point is "none"; a time at or before the clock's zero is in
/// the past, not "none".
[[nodiscard]] int64_t deadline_ns(std::chrono::steady_clock::time_point when) noexcept;

class WEFT_API acceptor {
 public:
  acceptor() = default;
  acceptor(const acceptor&) = delete;
  acceptor& operator=(const acceptor&) = delete;
  virtual ~acceptor() = default;

  /// May park.
  [[nodiscard]] virtual result<std::shared_ptr<stream>> accept() = 0;
  [[nodiscard]] virtual result<void> close() = 0;
  [[nodiscard]] virtual result<void> set_deadline(int64_t when_ns, bool read, bool write) = 0;
  [[nodiscard]] virtual int native() const noexcept = 0;
  [[nodiscard]] virtual const net::address& local() const noexcept = 0;
};

}  // namespace weft::rt
