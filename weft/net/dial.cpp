// SPDX-License-Identifier: Apache-2.0
// Dialing: addresses one after the other, each a non-blocking connect that waits for writability.
// Time limits are the socket's write deadline; a canceled context sets one in the past.
#include "weft/net/dial.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/resolve.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::net {

namespace {

namespace sys = rt::sys;

int64_t nanoseconds_of(time_point when) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
}

/// What the attempts of one dial have in common.
struct dialing {
  const context* ctx = nullptr;
  const char* network = "";
  int64_t deadline_ns = 0;  // 0: none
  address from;             // kind none: the system chooses
};

/// A context that has ended explains a failure better than the deadline it was carried out with.
error explain(const dialing& how, error why) {
  if (how.ctx == nullptr) return why;
  const error ended = how.ctx->err();
  if (!ended) return why;
  return ended.timeout() ? err_timeout : ended;
}

result<conn> dial_one(const dialing& how, const address& to) {
  const char* call = "";
  const auto failed = [&](error why) {
    return fail(rt::make_op_error("dial", how.network, how.from.string(), to.string(), call,
                                  std::move(why)));
  };
  const int domain = to.kind == family::ipv4   ? AF_INET
                     : to.kind == family::ipv6 ? AF_INET6
                                               : AF_UNIX;
  const int fd = sys::make_socket(domain, SOCK_STREAM);
  if (fd < 0) {
    call = "socket";
    return failed(sys::errno_error(-fd));
  }
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), fd, how.network);
  if (how.from.kind != family::none) {
    sockaddr_storage native;
    const uint32_t bytes = sys::to_native(how.from, native);
    if (const int bad = sys::bind_to(fd, native, bytes); bad != 0) {
      call = "bind";
      return failed(sys::errno_error(-bad));
    }
  }
  if (domain != AF_UNIX) rt::set_tcp_defaults(fd);
  if (const int bad = made->start_connect(to); bad != 0) {
    call = "connect";
    return failed(sys::errno_error(bad));
  }
  if (const int bad = made->open(); bad != 0) {
    call = "epoll_ctl";
    return failed(sys::errno_error(bad));
  }
  if (how.deadline_ns != 0) (void)made->set_deadline(how.deadline_ns, false, true);
  error why;
  if (how.ctx == nullptr) {
    why = made->finish_connect();
  } else {
    // Whoever cancels makes the wait end: 1 ns is in the past.
    auto stop = after_func(*how.ctx, [made] { (void)made->set_deadline(1, false, true); });
    why = made->finish_connect();
    // Not prevented: it has run, or is about to spoil this socket's deadline.
    if (!stop() && !why) why = err_timeout;
  }
  if (why) return failed(explain(how, std::move(why)));
  if (how.deadline_ns != 0) (void)made->set_deadline(0, false, true);
  return conn(std::move(made));
}

bool connected_to_itself(const conn& c) {
  return c.local_addr().kind != family::local && c.local_addr() == c.remote_addr();
}

result<conn> dial_all(const context* ctx, std::string_view network, std::string_view where,
                      const dial_options& options) {
  const auto refuse = [&](error why) {
    return fail(rt::make_op_error("dial", network, "", std::string(where), "", std::move(why)));
  };
  dialing how;
  how.ctx = ctx;
  if (options.timeout.count() > 0)
    how.deadline_ns = nanoseconds_of(now()) + options.timeout.count();
  if (ctx != nullptr) {
    if (error ended = ctx->err()) return refuse(explain(how, ended));
    if (const auto limit = ctx->deadline()) {
      const int64_t at = std::max<int64_t>(nanoseconds_of(*limit), 1);
      how.deadline_ns = how.deadline_ns == 0 ? at : std::min(how.deadline_ns, at);
    }
  }
  const result<rt::resolved> what = rt::resolve(network, where, rt::resolve_purpose::dial);
  if (!what) return refuse(what.error());
  how.network = what->network;
  if (!options.local_address.empty()) {
    const auto own = rt::resolve(network, options.local_address, rt::resolve_purpose::listen);
    if (!own) return refuse(own.error());
    how.from = own->addresses.front();
  }
  result<conn> first_failure;
  bool failed = false;
  for (const address& to : what->addresses) {
    result<conn> got = dial_one(how, to);
    // A port of the ephemeral range without a listener: the kernel may give our socket that very
    // port and connect it to itself (simultaneous open).
    for (int again = 0; got && connected_to_itself(*got) && again < 2; ++again) {
      (void)got->close();
      got = dial_one(how, to);
    }
    if (got) return got;
    if (!failed) first_failure = std::move(got);
    failed = true;
    if (how.deadline_ns != 0 && nanoseconds_of(now()) >= how.deadline_ns) break;
    if (ctx != nullptr && ctx->err()) break;
  }
  return first_failure;
}

}  // namespace

result<conn> dial(std::string_view network, std::string_view where, dial_options options) {
  return dial_all(nullptr, network, where, options);
}

result<conn> dial(const context& ctx, std::string_view network, std::string_view where,
                  dial_options options) {
  return dial_all(&ctx, network, where, options);
}

}  // namespace weft::net
