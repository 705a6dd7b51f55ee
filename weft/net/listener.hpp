// SPDX-License-Identifier: Apache-2.0
// Listening sockets.
#pragma once

#include <memory>
#include <string_view>

#include "weft/net/conn.hpp"
#include "weft/net/options.hpp"

namespace weft::rt {
class acceptor;
}

namespace weft::net {

/// A shared handle, as conn. Closing removes a Unix socket's path.
class WEFT_API listener {
 public:
  listener() noexcept = default;
  // Not inline: as conn's.
  listener(const listener&) noexcept;
  listener(listener&&) noexcept = default;
  listener& operator=(const listener&) noexcept;
  listener& operator=(listener&&) noexcept;
  ~listener();
  /// For Weft's own code.
  explicit listener(std::shared_ptr<rt::acceptor> from) noexcept : acceptor_(std::move(from)) {}
  [[nodiscard]] const std::shared_ptr<rt::acceptor>& acceptor() const noexcept { return acceptor_; }
  [[nodiscard]] explicit operator bool() const noexcept { return acceptor_ != nullptr; }

  /// Parks until somebody connects. Many goroutines may accept at once. net::closed after close().
  /// When the process is out of descriptors the error says so
  /// (`accept tcp 127.0.0.1:80: accept4: too many open files`, code EMFILE) and the caller goes on
  /// after a while: the connection stays in the queue.
  [[nodiscard]] result<conn> accept() const;
  /// Ends listening; whoever is in accept() gets net::closed.
  result<void> close() const;
  /// accept() fails with net::err_timeout from then on; a default time_point takes it away.
  result<void> set_deadline(time_point when) const;
  /// Where it listens; the port that was chosen for ":0".
  [[nodiscard]] address addr() const;
  [[nodiscard]] int native_handle() const noexcept;

  friend bool operator==(const listener&, const listener&) noexcept = default;

 private:
  std::shared_ptr<rt::acceptor> acceptor_;
};

/// Listens on `address`. Networks: "tcp" (an empty host is every interface, IPv6 and IPv4),
/// "tcp4", "tcp6" (IPv6 only), "unix" (a path, or "@name" for an abstract one). Port 0 or none:
/// the system chooses. Names are looked up as in dial(), which may park.
[[nodiscard]] WEFT_API result<listener> listen(std::string_view network, std::string_view where,
                                               const listen_options& options = {});

}  // namespace weft::net
