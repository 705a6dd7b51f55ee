// SPDX-License-Identifier: Apache-2.0
// Operations on a socket: try, and wait in netpoll when the system says EAGAIN.
//
// Every operation holds its side's turn, so at most one goroutine waits per direction, and a
// reference, so that close() in the middle wakes it with `closed` and the number stays ours until
// it has left.
#include "weft/net/internal/net_fd.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft::net {

const error closed("use of closed network connection");
const error err_timeout(std::make_error_code(std::errc::timed_out), "i/o timeout");
const error unexpected_eof("unexpected EOF");

}  // namespace weft::net

namespace weft::rt {

namespace {
/// What errors call a descriptor's network.
constexpr std::array<const char*, 4> networks = {"tcp", "unix", "udp", "descriptor"};
}  // namespace

uint8_t net_fd::number_of(std::string_view network) noexcept {
  size_t at = 0;
  while (at < networks.size() && networks[at] != network) ++at;
  WEFT_ASSERT(at < networks.size());
  return static_cast<uint8_t>(at);
}

const char* net_fd::network() const noexcept { return networks[network_]; }

error make_op_error(std::string_view op, std::string_view network, const std::string& source,
                    const std::string& address, std::string_view call, error cause) {
  if (!call.empty() && call != op) cause = error::wrap(std::string(call), std::move(cause));
  std::string text(op);
  text.append(" ").append(network);
  if (!source.empty()) text.append(" ").append(source);
  if (!address.empty()) text.append(source.empty() ? " " : "->").append(address);
  return error::wrap(std::move(text), std::move(cause))
      .with(net::op_error{std::string(op), std::string(network), source, address});
}

native_keep_alive to_native(const net::keep_alive_options& options) noexcept {
  constexpr int seconds_max = 32767;  // MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT
  constexpr int count_max = 127;
  const net::keep_alive_options defaults;
  const auto seconds = [](std::chrono::nanoseconds asked, std::chrono::nanoseconds otherwise) {
    const int64_t ns = (asked.count() > 0 ? asked : otherwise).count();
    const int64_t s = ns / 1'000'000'000 + (ns % 1'000'000'000 != 0 ? 1 : 0);
    return static_cast<int>(s < seconds_max ? s : seconds_max);
  };
  const int count = options.count > 0 ? options.count : defaults.count;
  return {options.enable ? 1 : 0, seconds(options.idle, defaults.idle),
          seconds(options.interval, defaults.interval), count < count_max ? count : count_max};
}

void set_tcp_options(int fd, const net::keep_alive_options& keep_alive) noexcept {
  // Refusals are of no consequence here: the connection works without.
  (void)sys::set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const native_keep_alive as = to_native(keep_alive);
  (void)sys::set_option(fd, SOL_SOCKET, SO_KEEPALIVE, as.enable);
  if (as.enable == 0) return;
  (void)sys::set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, as.idle_s);
  (void)sys::set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, as.interval_s);
  (void)sys::set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, as.count);
}

net_fd::~net_fd() {
  if (fd_ < 0) return;
  race_acquire(&turns_);  // partner: fd_mutex, when an operation ends
  if (pd_ != nullptr) poll_evict(pd_);
  remove_path();
  destroy();
}

void net_fd::remove_path() noexcept {
  const net::address& bound = local();
  if (unlink_ && bound.kind == net::family::local && !bound.path.empty() &&
      bound.path.front() != '@')
    (void)sys::unlink_path(bound.path.c_str());
}

int net_fd::open() noexcept {
  int number = 0;
  pd_ = poll_open(fd_, number);
  return number;
}

std::unexpected<error> net_fd::failure(const char* op, error cause) const {
  const bool connected = remote_.kind != net::family::none;
  return fail(make_op_error(op, network(), connected ? local().string() : "",
                            connected ? remote_.string() : local().string(), "", std::move(cause)));
}

std::unexpected<error> net_fd::failure(const char* op, const char* call, int number) const {
  error cause = sys::errno_error(number);
  if (std::string_view(call) != op) cause = error::wrap(call, std::move(cause));
  return failure(op, std::move(cause));
}

std::unexpected<error> net_fd::failure(const char* op, poll_result why) const {
  return failure(op, why == poll_result::timeout ? net::err_timeout : net::closed);
}

void net_fd::leave(fd_side side) noexcept {
  if (turns_.unlock(side)) destroy();
}

void net_fd::release() noexcept {
  if (turns_.decref()) destroy();
}

void net_fd::destroy() noexcept {
  if (pd_ != nullptr) poll_close(pd_);
  pd_ = nullptr;
  (void)sys::close_fd(fd_);
  fd_ = -1;
}

/// Before an attempt to read: waits if the last read emptied the socket and no end has been seen.
/// An end that came together with the last data made no event of its own: hence poll_hangup().
poll_result net_fd::before_read() noexcept {
  if (drained_ && !poll_hangup(pd_)) {
    const poll_result result = poll_wait(pd_, poll_mode::read);
    if (result == poll_result::ready) drained_ = false;
    return result;
  }
  drained_ = false;
  return poll_reset(pd_, poll_mode::read);
}

result<size_t> net_fd::read(void* to, size_t bytes) {
  if (!turns_.lock(fd_side::read)) return failure("read", net::closed);
  result<size_t> out = size_t{0};
  poll_result can = bytes != 0 ? before_read() : poll_result::ready;
  while (bytes != 0) {
    if (can != poll_result::ready) {
      out = failure("read", can);
      break;
    }
    const long got = sys::receive(fd_, to, bytes);
    if (got >= 0) {
      drained_ = got > 0 && static_cast<size_t>(got) < bytes;
      out = static_cast<size_t>(got);
      break;
    }
    if (got == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::read);
    } else if (got != -EINTR) {
      out = failure("read", "read", static_cast<int>(-got));
      break;
    }
  }
  leave(fd_side::read);
  return out;
}

result<void> net_fd::wait_readable() {
  if (!turns_.lock(fd_side::read)) return failure("read", net::closed);
  result<void> out;
  if (const poll_result can = before_read(); can != poll_result::ready) out = failure("read", can);
  leave(fd_side::read);
  return out;
}

result<void> net_fd::wait_level(fd_side side, const context* ctx, int64_t deadline_ns) {
  if (!turns_.lock(side)) return failure("wait", net::closed);
  const bool read = side == fd_side::read;
  const poll_mode mode = read ? poll_mode::read : poll_mode::write;
  poll_set_deadline(pd_, deadline_ns, read, !read);
  wait_group told;
  stop_func stop;
  if (ctx != nullptr) {
    told.add(1);
    stop = after_func(*ctx, [&] {
      poll_set_deadline(pd_, 1, read, !read);  // in the past
      told.done();
    });
  }
  result<void> out;
  for (;;) {
    poll_result can = poll_reset(pd_, mode);
    // Asked after the reset: what comes later makes an event. A file that cannot be asked is for
    // its owner to find broken.
    if (can == poll_result::ready) {
      const int now = sys::ready_now(fd_, !read);
      if (now != 0 && now != -EINTR) break;
      if (now == 0) can = poll_wait(pd_, mode);
    }
    if (can == poll_result::ready) continue;
    const error ended = ctx != nullptr && can == poll_result::timeout ? ctx->err() : error{};
    out = ended && !ended.timeout() ? failure("wait", ended) : failure("wait", can);
    break;
  }
  // Not prevented: it has set its deadline, or is about to. The next wait shall not meet it.
  if (ctx != nullptr && !stop()) told.wait();
  poll_set_deadline(pd_, 0, read, !read);
  leave(side);
  return out;
}

bool net_fd::wait_hangup() {
  if (!turns_.lock(fd_side::read)) return true;
  bool gone = false;
  for (;;) {
    if (poll_reset(pd_, poll_mode::read) != poll_result::ready) break;
    // Peeked after the reset: what comes later makes an event.
    if (poll_hangup(pd_) || sys::peer_gone(fd_)) {
      gone = true;
      break;
    }
    if (poll_wait(pd_, poll_mode::read) != poll_result::ready) break;
  }
  // The events seen here are those of data that nobody has read.
  drained_ = false;
  leave(fd_side::read);
  return gone;
}

void net_fd::watched(poll_watcher* self) {
  race_acquire(self);  // partner: arm()
  auto* owner = static_cast<net_fd*>(self);
  read_watcher& told = *owner->told_;
  owner->drained_ = false;
  owner->leave(fd_side::read);
  told.readable();
}

/// Under the read turn, which is the watcher's from then on. False: an event came first.
bool net_fd::arm(read_watcher& watcher) {
  run = watched;
  told_ = &watcher;
  race_release(static_cast<poll_watcher*>(this));
  return poll_watch(pd_, *this);
}

bool net_fd::watch_readable(read_watcher& watcher) {
  if (!turns_.lock(fd_side::read)) return false;
  // Ends: a round in vain has taken an event. It may be that of bytes read long ago.
  while (!poll_hangup(pd_)) {
    // Peeked after the reset: what comes later makes an event.
    if (!drained_ &&
        (poll_reset(pd_, poll_mode::read) != poll_result::ready || sys::has_input(fd_)))
      break;
    if (arm(watcher)) return true;
    drained_ = false;
  }
  drained_ = false;
  leave(fd_side::read);
  return false;
}

bool net_fd::watch_hangup(read_watcher& watcher) {
  if (!turns_.lock(fd_side::read)) return false;
  bool gone = poll_reset(pd_, poll_mode::read) != poll_result::ready;
  gone = gone || poll_hangup(pd_) || sys::peer_gone(fd_);
  if (!gone && arm(watcher)) return true;
  drained_ = false;
  leave(fd_side::read);
  return false;
}

bool net_fd::unwatch() {
  // Closed: the watcher was told, and the descriptor's state may be gone.
  if (!turns_.incref()) return false;
  const bool taken = poll_unwatch(pd_, *this);
  if (taken) {
    drained_ = false;
    leave(fd_side::read);
  }
  release();
  return taken;
}

bool net_fd::has_input() {
  if (!turns_.incref()) return true;
  const bool pending = poll_hangup(pd_) || sys::has_input(fd_);
  release();
  return pending;
}

bool net_fd::hung_up() {
  if (!turns_.incref()) return true;
  const bool gone = poll_hangup(pd_) || sys::peer_gone(fd_);
  release();
  return gone;
}

result<size_t> net_fd::write(const void* from, size_t bytes) {
  if (!turns_.lock(fd_side::write)) return failure("write", net::closed);
  result<size_t> out = bytes;
  const auto* at = static_cast<const char*>(from);
  poll_result can = poll_reset(pd_, poll_mode::write);
  for (size_t left = bytes;;) {
    if (can != poll_result::ready) {
      out = failure("write", can);
      break;
    }
    const long put = sys::transmit(fd_, at, left);
    if (put >= 0) {
      at += put;
      left -= static_cast<size_t>(put);
      if (left == 0) break;
    } else if (put == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::write);
    } else if (put != -EINTR) {
      out = failure("write", "write", static_cast<int>(-put));
      break;
    }
  }
  leave(fd_side::write);
  return out;
}

result<size_t> net_fd::write_vector(std::span<iovec> parts) {
  if (!turns_.lock(fd_side::write)) return failure("write", net::closed);
  size_t done = 0;
  result<size_t> out = size_t{0};
  poll_result can = poll_reset(pd_, poll_mode::write);
  while (!parts.empty()) {
    if (can != poll_result::ready) {
      out = failure("write", can);
      break;
    }
    if (parts.front().iov_len == 0) {
      parts = parts.subspan(1);
      continue;
    }
    constexpr size_t parts_max = 1024;  // IOV_MAX on Linux
    const long put = sys::transmit_vector(fd_, parts.data(),
                                          parts.size() < parts_max ? parts.size() : parts_max);
    if (put >= 0) {
      auto left = static_cast<size_t>(put);
      done += left;
      while (left != 0) {
        const size_t here = left < parts.front().iov_len ? left : parts.front().iov_len;
        parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + here;
        parts.front().iov_len -= here;
        left -= here;
        if (parts.front().iov_len == 0) parts = parts.subspan(1);
      }
    } else if (put == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::write);
    } else if (put != -EINTR) {
      out = failure("write", "writev", static_cast<int>(-put));
      break;
    }
  }
  leave(fd_side::write);
  if (out) out = done;
  return out;
}

result<int64_t> net_fd::send_file(int file, uint64_t offset, size_t bytes) {
  if (!turns_.lock(fd_side::write)) return failure("write", net::closed);
  int64_t done = 0;
  result<int64_t> out;
  poll_result can = poll_reset(pd_, poll_mode::write);
  while (static_cast<size_t>(done) < bytes) {
    if (can != poll_result::ready) {
      out = failure("write", can);
      break;
    }
    const long put = blocking([&] {
      return sys::transmit_file(fd_, file, offset + static_cast<uint64_t>(done),
                                bytes - static_cast<size_t>(done));
    });
    if (put == 0) break;  // the file has ended
    if (put > 0) {
      done += put;
    } else if (put == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::write);
    } else if (done == 0 && (put == -EINVAL || put == -ENOSYS)) {
      done = -1;  // a file that has no pages
      break;
    } else if (put != -EINTR) {
      out = failure("write", "sendfile", static_cast<int>(-put));
      break;
    }
  }
  leave(fd_side::write);
  if (out) out = done;
  return out;
}

result<std::shared_ptr<stream>> net_fd::accept() {
  if (!turns_.lock(fd_side::read)) return failure("accept", net::closed);
  result<std::shared_ptr<stream>> out;
  poll_result can = poll_reset(pd_, poll_mode::read);
  for (;;) {
    if (can != poll_result::ready) {
      out = failure("accept", can);
      break;
    }
    sockaddr_storage from;
    uint32_t from_bytes = 0;
    const int got = sys::accept_one(fd_, &from, &from_bytes);
    if (got >= 0) {
      auto made = std::allocate_shared<net_fd>(heap_allocator<net_fd>(), got, network());
      if (const int number = made->open(); number != 0) {
        out = failure("accept", "epoll_ctl", number);
        break;
      }
      // Its options are the listener's: Linux copies them (set_tcp_options).
      sockaddr_storage own;
      uint32_t own_bytes = 0;
      if (sys::local_name(got, &own, &own_bytes) == 0) {
        net::address name = sys::from_native(own, own_bytes);
        if (name == local())
          made->local_ = local_;
        else
          made->set_local(std::move(name));
      }
      made->remote_ = sys::from_native(from, from_bytes);
      out = std::move(made);
      break;
    }
    if (got == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::read);
    } else if (got != -EINTR && got != -ECONNABORTED) {
      // ECONNABORTED: the peer has left the queue; somebody else may be in it.
      out = failure("accept", "accept4", -got);
      break;
    }
  }
  leave(fd_side::read);
  return out;
}

int net_fd::start_connect(const net::address& to) {
  sockaddr_storage native;
  const uint32_t bytes = sys::to_native(to, native);
  if (bytes == 0) return EINVAL;
  const int number = -sys::connect_to(fd_, native, bytes);
  if (number != 0 && number != EINPROGRESS && number != EINTR) return number;
  remote_ = to;
  connecting_ = number != 0;
  return 0;
}

error net_fd::finish_connect() {
  if (!turns_.lock(fd_side::write)) return net::closed;
  error why;
  // Readiness without an error and without a peer is of before the call: wait again.
  while (connecting_ && !why) {
    const poll_result can = poll_wait(pd_, poll_mode::write);
    if (can != poll_result::ready) {
      why = can == poll_result::timeout ? net::err_timeout : net::closed;
      break;
    }
    sockaddr_storage peer;
    uint32_t peer_bytes = 0;
    const int number = sys::pending_error(fd_);
    if (number == 0)
      connecting_ = sys::peer_name(fd_, &peer, &peer_bytes) != 0;
    else if (number != EINPROGRESS && number != EALREADY && number != EINTR)
      why = error::wrap("connect", sys::errno_error(number));
  }
  leave(fd_side::write);
  if (!why) learn_names();
  return why;
}

result<void> net_fd::close() {
  if (!turns_.incref_and_close()) return failure("close", net::closed);
  poll_evict(pd_);
  remove_path();
  release();
  return {};
}

result<void> net_fd::shut_down(int how) {
  if (!turns_.incref()) return failure("close", net::closed);
  const int got = sys::shut_down(fd_, how);
  result<void> out;
  if (got != 0) out = failure("close", "shutdown", -got);
  release();
  return out;
}

result<void> net_fd::set_deadline(int64_t when_ns, bool read, bool write) {
  if (!turns_.incref()) return failure("set", net::closed);
  poll_set_deadline(pd_, when_ns, read, write);
  release();
  return {};
}

result<void> net_fd::set_option(int level, int option, int value) {
  if (!turns_.incref()) return failure("set", net::closed);
  const int got = sys::set_option(fd_, level, option, value);
  result<void> out;
  if (got != 0) out = failure("set", "setsockopt", -got);
  release();
  return out;
}

void net_fd::learn_names() {
  sockaddr_storage native;
  uint32_t bytes = 0;
  if (sys::local_name(fd_, &native, &bytes) == 0) set_local(sys::from_native(native, bytes));
}

void net_fd::set_local(net::address where) {
  local_ =
      std::allocate_shared<const net::address>(heap_allocator<net::address>(), std::move(where));
}

const net::address& net_fd::no_address() noexcept {
  // Never destroyed: goroutines may outlive main().
  static const net::address& none = *new net::address;
  return none;
}

}  // namespace weft::rt
