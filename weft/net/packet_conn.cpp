// SPDX-License-Identifier: Apache-2.0
// Datagram sockets: making them, and their two operations.
#include "weft/net/packet_conn.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/resolve.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft::rt {

// Each attempt comes first and the wait after it: a datagram's size says nothing of whether there
// is another one behind it.
result<net::packet> net_fd::receive_packet(void* to, size_t bytes) {
  if (!turns_.lock(fd_side::read)) return failure("read", net::closed);
  result<net::packet> out;
  poll_result can = poll_reset(pd_, poll_mode::read);
  for (;;) {
    if (can != poll_result::ready) {
      out = failure("read", can);
      break;
    }
    sockaddr_storage from;
    uint32_t from_bytes = 0;
    const long got = sys::receive_packet(fd_, to, bytes, &from, &from_bytes);
    if (got >= 0) {
      out->sent_bytes = static_cast<size_t>(got);
      out->bytes = out->sent_bytes < bytes ? out->sent_bytes : bytes;
      out->from = sys::from_native(from, from_bytes);
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

result<void> net_fd::send_packet(const void* from, size_t bytes, const net::address* to) {
  if (!turns_.lock(fd_side::write)) return failure("write", net::closed);
  result<void> out;
  sockaddr_storage native;
  uint32_t native_bytes = 0;
  poll_result can = poll_reset(pd_, poll_mode::write);
  if (to != nullptr) {
    // A socket of both families wants IPv4 in IPv6's clothes.
    net::address mapped = *to;
    if (to->kind == net::family::ipv4 && local().kind == net::family::ipv6) {
      mapped.kind = net::family::ipv6;
      mapped.ip = {0, 0, 0,    0,    0,         0,         0,         0,
                   0, 0, 0xff, 0xff, to->ip[0], to->ip[1], to->ip[2], to->ip[3]};
    }
    native_bytes = sys::to_native(mapped, native);
    if (remote_.kind != net::family::none)
      out = failure("write", error("write_to on a dialed socket: use write"));
    else if (native_bytes == 0 || to->kind == net::family::local)
      out = failure("write", error("not an address of UDP: '" + to->string() + "'"));
  }
  while (out) {
    if (can != poll_result::ready) {
      out = failure("write", can);
      break;
    }
    const long put =
        sys::send_packet(fd_, from, bytes, native_bytes != 0 ? &native : nullptr, native_bytes);
    if (put >= 0) break;
    if (put == -EAGAIN) {
      can = poll_wait(pd_, poll_mode::write);
    } else if (put != -EINTR) {
      out = failure("write", "sendto", static_cast<int>(-put));
    }
  }
  leave(fd_side::write);
  return out;
}

}  // namespace weft::rt

namespace weft::net {

namespace sys = rt::sys;

packet_conn::packet_conn(const packet_conn&) noexcept = default;
packet_conn& packet_conn::operator=(const packet_conn&) noexcept = default;
packet_conn& packet_conn::operator=(packet_conn&&) noexcept = default;
packet_conn::~packet_conn() = default;

result<packet> packet_conn::read_from(std::span<char> to) const {
  return fd_ ? fd_->receive_packet(to.data(), to.size()) : fail(closed);
}
result<packet> packet_conn::read_from(std::span<std::byte> to) const {
  return fd_ ? fd_->receive_packet(to.data(), to.size()) : fail(closed);
}
result<void> packet_conn::write_to(std::string_view from, const address& to) const {
  return fd_ ? fd_->send_packet(from.data(), from.size(), &to) : fail(closed);
}
result<void> packet_conn::write_to(std::span<const std::byte> from, const address& to) const {
  return fd_ ? fd_->send_packet(from.data(), from.size(), &to) : fail(closed);
}
result<void> packet_conn::write(std::string_view from) const {
  return fd_ ? fd_->send_packet(from.data(), from.size(), nullptr) : fail(closed);
}
result<void> packet_conn::write(std::span<const std::byte> from) const {
  return fd_ ? fd_->send_packet(from.data(), from.size(), nullptr) : fail(closed);
}

result<void> packet_conn::close() const { return fd_ ? fd_->close() : fail(closed); }
result<void> packet_conn::set_deadline(time_point when) const {
  return fd_ ? fd_->set_deadline(rt::deadline_ns(when), true, true) : fail(closed);
}
result<void> packet_conn::set_read_deadline(time_point when) const {
  return fd_ ? fd_->set_deadline(rt::deadline_ns(when), true, false) : fail(closed);
}
result<void> packet_conn::set_write_deadline(time_point when) const {
  return fd_ ? fd_->set_deadline(rt::deadline_ns(when), false, true) : fail(closed);
}
result<void> packet_conn::set_read_buffer(int bytes) const {
  return fd_ ? fd_->set_option(SOL_SOCKET, SO_RCVBUF, bytes) : fail(closed);
}
result<void> packet_conn::set_write_buffer(int bytes) const {
  return fd_ ? fd_->set_option(SOL_SOCKET, SO_SNDBUF, bytes) : fail(closed);
}

address packet_conn::local_addr() const { return fd_ ? fd_->local() : address{}; }
address packet_conn::remote_addr() const { return fd_ ? fd_->remote() : address{}; }
int packet_conn::native_handle() const noexcept { return fd_ ? fd_->native() : -1; }

namespace {

/// What making a socket needs to know.
struct packet_plan {
  const char* op;  // "listen", "dial": for errors
  const char* network;
  bool ipv6_only = false;
  bool reuse_port = false;
  address from;  // kind none: the system chooses when it sends
  address to;    // kind none: no peer
};

result<packet_conn> make_packet_conn(const packet_plan& plan) {
  const bool dials = plan.to.kind != family::none;
  const auto failed = [&](const char* call, int why) {
    return fail(rt::make_op_error(plan.op, plan.network, dials ? plan.from.string() : "",
                                  (dials ? plan.to : plan.from).string(), call,
                                  sys::errno_error(-why)));
  };
  const bool six = (dials ? plan.to : plan.from).kind == family::ipv6;
  const int fd = sys::make_socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM);
  if (fd < 0) return failed("socket", fd);
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), fd, plan.network);
  // Without it a broadcast is refused, not prevented; Go sets it, too.
  (void)sys::set_option(fd, SOL_SOCKET, SO_BROADCAST, 1);
  if (six) (void)sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, plan.ipv6_only ? 1 : 0);
  if (plan.reuse_port)
    if (const int bad = sys::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1); bad != 0)
      return failed("setsockopt", bad);
  if (plan.from.kind != family::none) {
    sockaddr_storage native;
    const uint32_t bytes = sys::to_native(plan.from, native);
    if (const int bad = sys::bind_to(fd, native, bytes); bad != 0) return failed("bind", bad);
  }
  if (dials)
    if (const int bad = made->start_connect(plan.to); bad != 0) return failed("connect", -bad);
  made->learn_names();
  if (const int bad = made->open(); bad != 0) return failed("epoll_ctl", -bad);
  return packet_conn(std::move(made));
}

result<packet_conn> dial_any(const context& ctx, std::string_view network, std::string_view where,
                             const dial_options& options) {
  context lookup_ctx = ctx;
  cancel_func lookup_end;
  if (options.timeout.count() > 0) {
    context_and_cancel made = with_timeout(ctx, options.timeout);
    lookup_ctx = std::move(made.ctx);
    lookup_end = std::move(made.cancel);
  }
  const auto resolve = [&](std::string_view text, rt::resolve_purpose purpose) {
    return rt::resolve(lookup_ctx, network, text, purpose, rt::socket_kind::datagram);
  };
  const auto refuse = [&](error why) {
    return fail(rt::make_op_error("dial", network, "", std::string(where), "", std::move(why)));
  };
  const auto what = resolve(where, rt::resolve_purpose::dial);
  if (!what) return refuse(what.error());
  packet_plan plan{.op = "dial", .network = what->network, .from = {}, .to = {}};
  if (!options.local_address.empty()) {
    const auto own = resolve(options.local_address, rt::resolve_purpose::listen);
    if (!own) return refuse(own.error());
    plan.from = own->addresses.front();
  }
  result<packet_conn> first;
  for (const address& to : what->addresses) {
    plan.to = to;
    result<packet_conn> made = make_packet_conn(plan);
    if (made) return made;
    if (&to == &what->addresses.front()) first = std::move(made);
  }
  return first;
}

}  // namespace

result<packet_conn> listen_packet(std::string_view network, std::string_view where,
                                  const listen_options& options) {
  const auto what = rt::resolve(background(), network, where, rt::resolve_purpose::listen,
                                rt::socket_kind::datagram);
  if (!what) return fail(rt::make_op_error("listen", network, "", "", "", what.error()));
  result<packet_conn> made;
  for (const address& at : what->addresses) {
    made = make_packet_conn({.op = "listen",
                             .network = what->network,
                             .ipv6_only = what->ipv6_only,
                             .reuse_port = options.reuse_port,
                             .from = at,
                             .to = {}});
    // The second address is for kernels without IPv6 only.
    if (made || (!made.error().is(std::error_code(EAFNOSUPPORT, std::system_category())) &&
                 !made.error().is(std::error_code(EADDRNOTAVAIL, std::system_category()))))
      break;
  }
  return made;
}

result<packet_conn> dial_packet(std::string_view network, std::string_view where,
                                dial_options options) {
  return dial_any(background(), network, where, options);
}

result<packet_conn> dial_packet(const context& ctx, std::string_view network,
                                std::string_view where, dial_options options) {
  return dial_any(ctx, network, where, options);
}

}  // namespace weft::net
