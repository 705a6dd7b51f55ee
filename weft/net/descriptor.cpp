// SPDX-License-Identifier: Apache-2.0
// Other libraries' descriptors: a net_fd that is waited on and never read.
#include "weft/net/descriptor.hpp"

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/sys.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft::net {

namespace sys = rt::sys;

descriptor::descriptor(const descriptor&) noexcept = default;
descriptor& descriptor::operator=(const descriptor&) noexcept = default;
descriptor& descriptor::operator=(descriptor&&) noexcept = default;
descriptor::~descriptor() = default;

result<descriptor> descriptor::watch(int fd) {
  const auto failed = [&](const char* call, int number) {
    return fail(rt::make_op_error("watch", "descriptor", "", std::to_string(fd), call,
                                  sys::errno_error(number)));
  };
  // A number of our own: the poller knows open files by number, and the owner may close its one and
  // get the same again for another file while this is still registered.
  const int own = sys::duplicate(fd);
  if (own < 0) return failed("fcntl", -own);
  auto made = std::allocate_shared<rt::net_fd>(rt::heap_allocator<rt::net_fd>(), own, "descriptor");
  address name;
  name.kind = family::local;
  name.path = std::to_string(fd);
  made->set_local(std::move(name));
  if (const int bad = made->open(); bad != 0) return failed("epoll_ctl", bad);
  return descriptor(std::move(made));
}

result<void> descriptor::wait_readable(const context& ctx) const {
  return fd_ ? fd_->wait_level(rt::fd_side::read, &ctx, 0) : fail(closed);
}

result<void> descriptor::wait_readable(time_point limit) const {
  return fd_ ? fd_->wait_level(rt::fd_side::read, nullptr, rt::deadline_ns(limit)) : fail(closed);
}

result<void> descriptor::wait_writable(const context& ctx) const {
  return fd_ ? fd_->wait_level(rt::fd_side::write, &ctx, 0) : fail(closed);
}

result<void> descriptor::wait_writable(time_point limit) const {
  return fd_ ? fd_->wait_level(rt::fd_side::write, nullptr, rt::deadline_ns(limit)) : fail(closed);
}

result<void> descriptor::close() const { return fd_ ? fd_->close() : fail(closed); }

}  // namespace weft::net
