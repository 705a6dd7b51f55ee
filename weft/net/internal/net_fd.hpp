// SPDX-License-Identifier: Apache-2.0
// A socket: descriptor, readiness state, turns, and the names that errors give. Shared by handles.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/net/address.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/internal/fd_mutex.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/net/options.hpp"
#include "weft/sched/internal/netpoll.hpp"

namespace weft {
class context;
namespace net {
struct packet;
}
}  // namespace weft

namespace weft::rt {

/// Builds `OP NETWORK SOURCE->ADDRESS: [CALL: ]CAUSE` with an op_error payload. `call` is left out
/// when it is the operation's own name.
[[nodiscard]] error make_op_error(std::string_view op, std::string_view network,
                                  const std::string& source, const std::string& address,
                                  std::string_view call, error cause);

// Many of these exist and wait: members are ordered and shared for size.
class net_fd final : public stream, public acceptor, private poll_watcher {
 public:
  /// Takes `fd`. `network` is one of those in net_fd.cpp: "tcp", "unix", ...
  net_fd(int fd, const char* network) noexcept : fd_(fd), network_(number_of(network)) {}
  ~net_fd() override;

  /// Registers with netpoll. 0 or an errno; the descriptor is then still closed by the destructor.
  [[nodiscard]] int open() noexcept;

  // All of these may park.
  [[nodiscard]] result<size_t> read(void* to, size_t bytes) override;
  [[nodiscard]] result<size_t> write(const void* from, size_t bytes) override;
  [[nodiscard]] result<size_t> write_vector(std::span<iovec> parts) override;
  [[nodiscard]] result<int64_t> send_file(int file, uint64_t offset, size_t bytes) override;
  [[nodiscard]] result<void> wait_readable() override;
  [[nodiscard]] bool wait_hangup() override;
  [[nodiscard]] bool watch_readable(read_watcher& watcher) override;
  [[nodiscard]] bool watch_hangup(read_watcher& watcher) override;
  [[nodiscard]] bool unwatch() override;
  [[nodiscard]] bool hung_up() override;
  [[nodiscard]] bool has_input() override;
  [[nodiscard]] result<std::shared_ptr<stream>> accept() override;
  /// Waits until poll(2) finds that side ready: for files that others read. Ends at the deadline
  /// (0: none) or with the context (null: none); neither is left behind.
  [[nodiscard]] result<void> wait_level(fd_side side, const context* ctx, int64_t deadline_ns);
  [[nodiscard]] result<net::packet> receive_packet(void* to, size_t bytes);
  /// `to`: null for a connected socket.
  [[nodiscard]] result<void> send_packet(const void* from, size_t bytes, const net::address* to);
  /// Begins to connect; 0 or an errno. Before open(): epoll reports an unconnected socket as hung
  /// up, and that is remembered for ever.
  [[nodiscard]] int start_connect(const net::address& to);
  /// Waits until connected, the write deadline or closing. The error names the system call.
  [[nodiscard]] error finish_connect();

  [[nodiscard]] result<void> close() override;
  [[nodiscard]] result<void> shut_down(int how) override;
  [[nodiscard]] result<void> set_deadline(int64_t when_ns, bool read, bool write) override;
  [[nodiscard]] result<void> set_option(int level, int option, int value) override;

  /// Names a listener before it is bound, for errors.
  void set_local(net::address where);
  /// After bind/connect: asks the system for the names.
  void learn_names();
  /// A listener's Unix path, removed by close().
  void unlink_on_close() noexcept { unlink_ = true; }

  [[nodiscard]] int native() const noexcept override { return fd_; }
  [[nodiscard]] const net::address& local() const noexcept override {
    return local_ != nullptr ? *local_ : no_address();
  }
  [[nodiscard]] const net::address& remote() const noexcept override { return remote_; }
  [[nodiscard]] const char* network() const noexcept;

 private:
  [[nodiscard]] std::unexpected<error> failure(const char* op, const char* call, int number) const;
  [[nodiscard]] std::unexpected<error> failure(const char* op, error cause) const;
  [[nodiscard]] std::unexpected<error> failure(const char* op, poll_result why) const;
  [[nodiscard]] poll_result before_read() noexcept;
  void leave(fd_side side) noexcept;
  void release() noexcept;
  void destroy() noexcept;
  void remove_path() noexcept;

  [[nodiscard]] bool arm(read_watcher& watcher);
  static void watched(poll_watcher* self);
  static const net::address& no_address() noexcept;
  static uint8_t number_of(std::string_view network) noexcept;

  int fd_;
  /// The last read emptied the socket, so the next one waits before it tries: one system call per
  /// request instead of two. True at first: registration reports what is there already. Under the
  /// read turn.
  bool drained_ = true;
  bool unlink_ = false;
  /// Between start_connect() and finish_connect(): not established yet.
  bool connecting_ = false;
  /// Which of the names of networks.
  uint8_t network_;
  poll_desc* pd_ = nullptr;
  fd_mutex turns_;
  /// What the poll_watcher tells. Armed only under the read turn, which it keeps meanwhile.
  read_watcher* told_ = nullptr;
  /// Null: no_address(). Most accepted connections have their listener's.
  std::shared_ptr<const net::address> local_;
  net::address remote_;
};

/// A keep-alive setting as the system counts it.
struct native_keep_alive {
  int enable;
  int idle_s;
  int interval_s;
  int count;
};
[[nodiscard]] native_keep_alive to_native(const net::keep_alive_options& options) noexcept;

/// No delay, and keep-alive as asked. Connections inherit all of it from their listener.
void set_tcp_options(int fd, const net::keep_alive_options& keep_alive) noexcept;

}  // namespace weft::rt
