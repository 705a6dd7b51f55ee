// SPDX-License-Identifier: Apache-2.0
// Listening.
#include "weft/net/listener.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/resolve.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft::net {

listener::listener(const listener&) noexcept = default;
listener& listener::operator=(const listener&) noexcept = default;
listener& listener::operator=(listener&&) noexcept = default;
listener::~listener() = default;

result<conn> listener::accept() const {
  if (!acceptor_) return fail(closed);
  result<std::shared_ptr<rt::stream>> got = acceptor_->accept();
  if (!got) return fail(std::move(got.error()));
  return conn(std::move(*got));
}

result<void> listener::close() const { return acceptor_ ? acceptor_->close() : fail(closed); }

result<void> listener::set_deadline(time_point when) const {
  if (!acceptor_) return fail(closed);
  return acceptor_->set_deadline(rt::deadline_ns(when), true, false);
}

address listener::addr() const { return acceptor_ ? acceptor_->local() : address{}; }
int listener::native_handle() const noexcept { return acceptor_ ? acceptor_->native() : -1; }

namespace {

namespace sys = rt::sys;

/// One attempt. `number` is the errno of a failure.
result<listener> listen_on(const rt::resolved& what, const address& where,
                           const listen_options& options, int& number) {
  const int domain = where.kind == family::ipv4   ? AF_INET
                     : where.kind == family::ipv6 ? AF_INET6
                                                  : AF_UNIX;
  const auto failed = [&](const char* name, int why) {
    number = -why;
    return fail(rt::make_op_error("listen", what.network, "", where.string(), name,
                                  sys::errno_error(-why)));
  };
  const int fd = sys::make_socket(domain, SOCK_STREAM);
  if (fd < 0) return failed("socket", fd);
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), fd, what.network);
  if (domain != AF_UNIX) {
    (void)sys::set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    rt::set_tcp_options(fd, options.keep_alive);
    if (options.reuse_port)
      if (const int bad = sys::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1); bad != 0)
        return failed("setsockopt", bad);
  }
  if (domain == AF_INET6)
    (void)sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, what.ipv6_only ? 1 : 0);
  sockaddr_storage native;
  const uint32_t bytes = sys::to_native(where, native);
  if (const int bad = sys::bind_to(fd, native, bytes); bad != 0) return failed("bind", bad);
  made->learn_names();
  if (domain == AF_UNIX) made->unlink_on_close();
  const int backlog = options.backlog > 0 ? options.backlog : sys::max_backlog();
  if (const int bad = sys::listen_on(fd, backlog); bad != 0) return failed("listen", bad);
  if (const int bad = made->open(); bad != 0) return failed("epoll_ctl", -bad);
  return listener(std::move(made));
}

}  // namespace

result<listener> listen(std::string_view network, std::string_view where,
                        const listen_options& options) {
  const result<rt::resolved> what =
      rt::resolve(background(), network, where, rt::resolve_purpose::listen);
  if (!what) return fail(rt::make_op_error("listen", network, "", "", "", what.error()));
  result<listener> out;
  for (const address& at : what->addresses) {
    int number = 0;
    out = listen_on(*what, at, options, number);
    // The second address is for kernels without IPv6 only.
    if (out || (number != EAFNOSUPPORT && number != EADDRNOTAVAIL)) break;
  }
  return out;
}

}  // namespace weft::net
