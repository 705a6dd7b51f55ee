// SPDX-License-Identifier: Apache-2.0
// Waiting for a descriptor that another library owns and reads: the socket of a database client, a
// pipe, a device. The library works without blocking; while it would wait, the goroutine parks
// here.
//
//   auto socket = weft::net::descriptor::watch(PQsocket(db)).value();
//   while (PQconsumeInput(db) != 0 && PQisBusy(db) != 0)
//     if (auto ready = socket.wait_readable(ctx); !ready) return fail(ready.error());
//
// A descriptor is a shared handle, as conn. It watches a duplicate of the number it is given, so
// the owner may close its own at any moment; but the system keeps the file open (a peer sees no
// end) until this handle is closed, too.
#pragma once

#include <memory>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/errors.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {
class net_fd;
}

namespace weft::net {

class WEFT_API descriptor {
 public:
  descriptor() noexcept = default;
  // Not inline: as conn's.
  descriptor(const descriptor&) noexcept;
  descriptor(descriptor&&) noexcept = default;
  descriptor& operator=(const descriptor&) noexcept;
  descriptor& operator=(descriptor&&) noexcept;
  ~descriptor();

  /// Begins to watch the open file behind `fd`, which stays the caller's. Whether it is
  /// non-blocking does not matter here. Fails for what is always ready: regular files, directories
  /// (`watch descriptor 7: epoll_ctl: operation not permitted`).
  [[nodiscard]] static result<descriptor> watch(int fd);
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ != nullptr; }

  /// Parks until a read would not block (data, an end, an error): returns at once if that is so
  /// already, as poll(2) does. One goroutine waits per direction, others for their turn; their
  /// limits count from then on. Fails with net::err_timeout when `limit` passes or the context's
  /// deadline does, weft::canceled when it was canceled, net::closed after close().
  [[nodiscard]] result<void> wait_readable(const context& ctx) const;
  [[nodiscard]] result<void> wait_readable(time_point limit = {}) const;
  /// The same for writes.
  [[nodiscard]] result<void> wait_writable(const context& ctx) const;
  [[nodiscard]] result<void> wait_writable(time_point limit = {}) const;

  /// Ends watching and closes the duplicate; whoever waits gets net::closed. The owner's number is
  /// not touched. The last handle gone closes too.
  result<void> close() const;

  friend bool operator==(const descriptor&, const descriptor&) noexcept = default;

 private:
  explicit descriptor(std::shared_ptr<rt::net_fd> fd) noexcept : fd_(std::move(fd)) {}
  std::shared_ptr<rt::net_fd> fd_;
};

}  // namespace weft::net
