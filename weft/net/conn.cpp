// SPDX-License-Identifier: Apache-2.0
// conn: thin over rt::stream.
#include "weft/net/conn.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <vector>

#include "weft/net/internal/net_fd.hpp"
#include "weft/net/internal/stream.hpp"

namespace weft::net {

conn::conn(const conn&) noexcept = default;
conn& conn::operator=(const conn&) noexcept = default;
conn& conn::operator=(conn&&) noexcept = default;
conn::~conn() = default;

result<size_t> conn::read(std::span<char> to) const {
  if (!stream_) return fail(closed);
  return stream_->read(to.data(), to.size());
}

result<size_t> conn::read(std::span<std::byte> to) const {
  return read(std::span<char>(reinterpret_cast<char*>(to.data()), to.size()));
}

result<size_t> conn::read_full(std::span<char> to) const {
  size_t done = 0;
  while (done < to.size()) {
    result<size_t> got = read(to.subspan(done));
    if (!got) return got;
    if (*got == 0) {
      if (done == 0) return size_t{0};
      return fail(unexpected_eof);
    }
    done += *got;
  }
  return done;
}

result<size_t> conn::read_full(std::span<std::byte> to) const {
  return read_full(std::span<char>(reinterpret_cast<char*>(to.data()), to.size()));
}

result<size_t> conn::write(std::string_view from) const {
  if (!stream_) return fail(closed);
  return stream_->write(from.data(), from.size());
}

result<size_t> conn::write(std::span<const std::byte> from) const {
  return write(std::string_view(reinterpret_cast<const char*>(from.data()), from.size()));
}

result<size_t> conn::writev(std::span<const std::string_view> parts) const {
  if (!stream_) return fail(closed);
  constexpr size_t few = 16;  // on the stack: head, body and tail of most messages
  std::array<iovec, few> small;
  std::vector<iovec> large;
  if (parts.size() > few) large.resize(parts.size());
  iovec* out = parts.size() > few ? large.data() : small.data();
  for (size_t i = 0; i < parts.size(); ++i)
    out[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
  return stream_->write_vector(std::span<iovec>(out, parts.size()));
}

result<void> conn::wait_readable() const {
  return stream_ ? stream_->wait_readable() : fail(closed);
}
bool conn::wait_hangup() const { return !stream_ || stream_->wait_hangup(); }

result<void> conn::close() const { return stream_ ? stream_->close() : fail(closed); }
result<void> conn::close_write() const {
  return stream_ ? stream_->shut_down(SHUT_WR) : fail(closed);
}
result<void> conn::close_read() const {
  return stream_ ? stream_->shut_down(SHUT_RD) : fail(closed);
}

result<void> conn::deadline(time_point when, bool read, bool write) const {
  if (!stream_) return fail(closed);
  return stream_->set_deadline(rt::deadline_ns(when), read, write);
}
result<void> conn::set_deadline(time_point when) const { return deadline(when, true, true); }
result<void> conn::set_read_deadline(time_point when) const { return deadline(when, true, false); }
result<void> conn::set_write_deadline(time_point when) const { return deadline(when, false, true); }

result<void> conn::set_no_delay(bool on) const {
  if (!stream_) return fail(closed);
  return stream_->set_option(IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}
result<void> conn::set_keep_alive(bool on) const {
  if (!stream_) return fail(closed);
  return stream_->set_option(SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
}

result<void> conn::set_keep_alive(const keep_alive_options& options) const {
  const rt::native_keep_alive as = rt::to_native(options);
  result<void> done = set_keep_alive(options.enable);
  if (!options.enable) return done;
  if (done) done = stream_->set_option(IPPROTO_TCP, TCP_KEEPIDLE, as.idle_s);
  if (done) done = stream_->set_option(IPPROTO_TCP, TCP_KEEPINTVL, as.interval_s);
  if (done) done = stream_->set_option(IPPROTO_TCP, TCP_KEEPCNT, as.count);
  return done;
}

address conn::local_addr() const { return stream_ ? stream_->local() : address{}; }
address conn::remote_addr() const { return stream_ ? stream_->remote() : address{}; }
int conn::native_handle() const noexcept { return stream_ ? stream_->native() : -1; }

}  // namespace weft::net
