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

/// One attempt. On failure the errno, and in `call` which system call it was.
result<listener> listen_on(const rt::resolved& what, const address& where, int& number,
                           const char*& call) {
  const int domain = where.kind == family::ipv4   ? AF_INET
                     : where.kind == family::ipv6 ? AF_INET6
                                                  : AF_UNIX;
  const auto failed = [&](const char* name, int why) {
    call = name;
    number = -why;
    return fail(rt::make_op_error("listen", what.network, "", where.string(), name,
                                  sys::errno_error(-why)));
  };
  const int fd = sys::make_socket(domain, SOCK_STREAM);
  if (fd < 0) return failed("socket", fd);
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), fd, what.network);
  if (domain != AF_UNIX) (void)sys::set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (domain == AF_INET6)
    (void)sys::set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, what.ipv6_only ? 1 : 0);
  sockaddr_storage native;
  const uint32_t bytes = sys::to_native(where, native);
  if (const int bad = sys::bind_to(fd, native, bytes); bad != 0) return failed("bind", bad);
  made->learn_names();
  if (domain == AF_UNIX) made->unlink_on_close();
  if (const int bad = sys::listen_on(fd, sys::max_backlog()); bad != 0)
    return failed("listen", bad);
  if (const int bad = made->open(); bad != 0) return failed("epoll_ctl", -bad);
  return listener(std::move(made));
}

}  // namespace

result<listener> listen(std::string_view network, std::string_view where) {
  const result<rt::resolved> what = rt::resolve(network, where, rt::resolve_purpose::listen);
  if (!what) return fail(rt::make_op_error("listen", network, "", "", "", what.error()));
  result<listener> out;
  for (const address& at : what->addresses) {
    int number = 0;
    const char* call = "";
    out = listen_on(*what, at, number, call);
    // The second address is for kernels without IPv6 only.
    if (out || (number != EAFNOSUPPORT && number != EADDRNOTAVAIL)) break;
  }
  return out;
}

}  // namespace weft::net
