// SPDX-License-Identifier: Apache-2.0
// System calls of net/, each beginning and ending on one thread.
#include "weft/net/internal/sys.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>

#define WEFT_SYS __attribute__((noinline))

namespace weft::rt::sys {

WEFT_SYS int make_socket(int domain, int type) noexcept {
  const int fd = ::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd >= 0 ? fd : -errno;
}

WEFT_SYS long receive(int fd, void* to, size_t bytes) noexcept {
  const ssize_t got = ::recv(fd, to, bytes, 0);
  return got >= 0 ? got : -errno;
}

WEFT_SYS bool peer_gone(int fd) noexcept {
  char byte = 0;
  const ssize_t got = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return false;
  return got == 0 || (errno != EAGAIN && errno != EINTR);
}

WEFT_SYS bool has_input(int fd) noexcept {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

WEFT_SYS long transmit(int fd, const void* from, size_t bytes) noexcept {
  const ssize_t put = ::send(fd, from, bytes, MSG_NOSIGNAL);
  return put >= 0 ? put : -errno;
}

WEFT_SYS long transmit_vector(int fd, const iovec* parts, size_t count) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  const ssize_t put = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  return put >= 0 ? put : -errno;
}

WEFT_SYS long transmit_file(int fd, int file, uint64_t offset, size_t bytes) noexcept {
  // sendfile(2) has no MSG_NOSIGNAL: the signal of a peer that has gone is kept off this thread,
  // and taken back if it came from here.
  sigset_t pipe;
  sigset_t before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  auto at = static_cast<off_t>(offset);
  const ssize_t put = ::sendfile(fd, file, &at, bytes);
  const long out = put >= 0 ? put : -errno;
  if (sigismember(&before, SIGPIPE) == 0) {
    const timespec none{};
    // Also when it was cut short: the peer may have gone in the middle.
    if (out < static_cast<long>(bytes)) (void)::sigtimedwait(&pipe, nullptr, &none);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  return out;
}

WEFT_SYS long receive_packet(int fd, void* to, size_t bytes, sockaddr_storage* from,
                             uint32_t* from_bytes) noexcept {
  socklen_t length = sizeof *from;
  const ssize_t got =
      ::recvfrom(fd, to, bytes, MSG_TRUNC, reinterpret_cast<sockaddr*>(from), &length);
  if (got < 0) return -errno;
  *from_bytes = length;
  return got;
}

WEFT_SYS long send_packet(int fd, const void* from, size_t bytes, const sockaddr_storage* to,
                          uint32_t to_bytes) noexcept {
  const ssize_t put =
      ::sendto(fd, from, bytes, MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(to), to_bytes);
  return put >= 0 ? put : -errno;
}

WEFT_SYS int accept_one(int fd, sockaddr_storage* from, uint32_t* from_bytes) noexcept {
  socklen_t length = sizeof *from;
  const int got =
      ::accept4(fd, reinterpret_cast<sockaddr*>(from), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (got < 0) return -errno;
  *from_bytes = length;
  return got;
}

WEFT_SYS int connect_to(int fd, const sockaddr_storage& to, uint32_t bytes) noexcept {
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), bytes) == 0 ? 0 : -errno;
}

WEFT_SYS int bind_to(int fd, const sockaddr_storage& to, uint32_t bytes) noexcept {
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&to), bytes) == 0 ? 0 : -errno;
}

WEFT_SYS int listen_on(int fd, int backlog) noexcept {
  return ::listen(fd, backlog) == 0 ? 0 : -errno;
}

WEFT_SYS int set_option(int fd, int level, int option, int value) noexcept {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

WEFT_SYS int pending_error(int fd) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : errno;
}

WEFT_SYS int local_name(int fd, sockaddr_storage* out, uint32_t* bytes) noexcept {
  socklen_t length = sizeof *out;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(out), &length) != 0) return -errno;
  *bytes = length;
  return 0;
}

WEFT_SYS int peer_name(int fd, sockaddr_storage* out, uint32_t* bytes) noexcept {
  socklen_t length = sizeof *out;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(out), &length) != 0) return -errno;
  *bytes = length;
  return 0;
}

WEFT_SYS int shut_down(int fd, int how) noexcept { return ::shutdown(fd, how) == 0 ? 0 : -errno; }

WEFT_SYS int duplicate(int fd) noexcept {
  const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return own >= 0 ? own : -errno;
}

WEFT_SYS int ready_now(int fd, bool to_write) noexcept {
  pollfd asked{fd, static_cast<short>(to_write ? POLLOUT : POLLIN), 0};
  const int got = ::poll(&asked, 1, 0);
  return got >= 0 ? got : -errno;
}

WEFT_SYS int close_fd(int fd) noexcept {
  // Linux has closed it even when it says EINTR; trying again could close another's.
  return ::close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

WEFT_SYS int unlink_path(const char* path) noexcept { return ::unlink(path) == 0 ? 0 : -errno; }

WEFT_SYS int max_backlog() noexcept {
  const int fd = ::open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 128;
  char text[16] = {};
  const ssize_t got = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  int value = 0;
  for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i)
    value = value * 10 + (text[i] - '0');
  return value > 0 ? value : 128;
}

error errno_error(int number) {
  const std::error_code code(number, std::system_category());
  std::string text = code.message();
  // Only a plain capitalized word: "RPC ..." and the like stay.
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return error(code, std::move(text));
}

net::address from_native(const sockaddr_storage& native, uint32_t bytes) {
  net::address out;
  if (native.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &native, sizeof in);
    out.kind = net::family::ipv4;
    out.port = ntohs(in.sin_port);
    std::memcpy(out.ip.data(), &in.sin_addr, 4);
  } else if (native.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &native, sizeof in);
    out.port = ntohs(in.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      out.kind = net::family::ipv4;
      std::memcpy(out.ip.data(), in.sin6_addr.s6_addr + 12, 4);
    } else {
      out.kind = net::family::ipv6;
      out.scope = in.sin6_scope_id;
      std::memcpy(out.ip.data(), in.sin6_addr.s6_addr, 16);
    }
  } else if (native.ss_family == AF_UNIX) {
    out.kind = net::family::local;
    sockaddr_un un;
    std::memcpy(&un, &native, sizeof un);
    constexpr size_t head = offsetof(sockaddr_un, sun_path);
    const size_t length = bytes > head ? bytes - head : 0;
    if (length > 0 && un.sun_path[0] == '\0')
      out.path = "@" + std::string(un.sun_path + 1, length - 1);
    else
      out.path.assign(un.sun_path, strnlen(un.sun_path, length));
  }
  return out;
}

uint32_t to_native(const net::address& from, sockaddr_storage& native) noexcept {
  std::memset(&native, 0, sizeof native);
  switch (from.kind) {
    case net::family::ipv4: {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_port = htons(from.port);
      std::memcpy(&in.sin_addr, from.ip.data(), 4);
      std::memcpy(&native, &in, sizeof in);
      return sizeof in;
    }
    case net::family::ipv6: {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(from.port);
      in.sin6_scope_id = from.scope;
      std::memcpy(in.sin6_addr.s6_addr, from.ip.data(), 16);
      std::memcpy(&native, &in, sizeof in);
      return sizeof in;
    }
    case net::family::local: {
      sockaddr_un un{};
      un.sun_family = AF_UNIX;
      if (from.path.empty() || from.path.size() >= sizeof un.sun_path) return 0;
      std::memcpy(un.sun_path, from.path.data(), from.path.size());
      const bool abstract = un.sun_path[0] == '@';
      if (abstract) un.sun_path[0] = '\0';
      std::memcpy(&native, &un, sizeof un);
      const size_t head = offsetof(sockaddr_un, sun_path);
      return static_cast<uint32_t>(head + from.path.size() + (abstract ? 0 : 1));
    }
    case net::family::none:
      break;
  }
  return 0;
}

}  // namespace weft::rt::sys
