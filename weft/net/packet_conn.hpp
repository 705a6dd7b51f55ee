// SPDX-License-Identifier: Apache-2.0
// UDP: datagrams, each whole or not at all, from and to anybody (listen_packet) or one peer
// (dial_packet). Parks and ends as conn does; a packet_conn is a shared handle, too.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/net/address.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/options.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {
class net_fd;
}

namespace weft::net {

/// What came in.
struct packet {
  /// Of the span that are the datagram's now. 0 is a datagram without content, no end.
  size_t bytes = 0;
  /// As it was sent. More than `bytes`: the span was too small, and the rest is lost.
  size_t sent_bytes = 0;
  address from;
  [[nodiscard]] bool truncated() const noexcept { return sent_bytes > bytes; }
};

class WEFT_API packet_conn {
 public:
  packet_conn() noexcept = default;
  // Not inline: as conn's.
  packet_conn(const packet_conn&) noexcept;
  packet_conn(packet_conn&&) noexcept = default;
  packet_conn& operator=(const packet_conn&) noexcept;
  packet_conn& operator=(packet_conn&&) noexcept;
  ~packet_conn();
  /// For Weft's own code.
  explicit packet_conn(std::shared_ptr<rt::net_fd> fd) noexcept : fd_(std::move(fd)) {}
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ != nullptr; }

  /// Parks until a datagram is there, and takes it. Of a dialed one: from its peer only; fails with
  /// `read udp A->B: connection refused` when the peer's host has said that nobody listens there.
  [[nodiscard]] result<packet> read_from(std::span<std::byte> to) const;
  [[nodiscard]] result<packet> read_from(std::span<char> to) const;
  /// Sends one datagram; parks while the socket's buffer is full. Says nothing of its arrival.
  /// Too large: `write udp A->B: sendto: message too long`.
  result<void> write_to(std::span<const std::byte> from, const address& to) const;
  result<void> write_to(std::string_view from, const address& to) const;
  /// To the peer of a dialed one.
  result<void> write(std::span<const std::byte> from) const;
  result<void> write(std::string_view from) const;

  /// As conn's.
  result<void> close() const;
  result<void> set_deadline(time_point when) const;
  result<void> set_read_deadline(time_point when) const;
  result<void> set_write_deadline(time_point when) const;
  /// SO_RCVBUF and SO_SNDBUF: how much the system holds for us. It doubles the number for its own
  /// needs and cuts it at net.core.rmem_max and wmem_max.
  result<void> set_read_buffer(int bytes) const;
  result<void> set_write_buffer(int bytes) const;

  [[nodiscard]] address local_addr() const;
  /// Of a dialed one; else kind none.
  [[nodiscard]] address remote_addr() const;
  [[nodiscard]] int native_handle() const noexcept;

  friend bool operator==(const packet_conn&, const packet_conn&) noexcept = default;

 private:
  std::shared_ptr<rt::net_fd> fd_;
};

/// A socket that receives on `where`. Networks: "udp" (an empty host is every interface, IPv6 and
/// IPv4), "udp4", "udp6"; port 0: the system chooses. Of the options `reuse_port` counts. May park
/// to look up a name.
[[nodiscard]] WEFT_API result<packet_conn> listen_packet(std::string_view network,
                                                         std::string_view where,
                                                         const listen_options& options = {});
/// A socket with one peer. Of the options `timeout` (of the lookup) and `local_address` count.
/// Nothing is sent: that nobody listens there comes out by a later read or write.
[[nodiscard]] WEFT_API result<packet_conn> dial_packet(std::string_view network,
                                                       std::string_view where,
                                                       dial_options options = {});
[[nodiscard]] WEFT_API result<packet_conn> dial_packet(const context& ctx, std::string_view network,
                                                       std::string_view where,
                                                       dial_options options = {});

}  // namespace weft::net
