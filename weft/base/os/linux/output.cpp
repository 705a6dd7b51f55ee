// SPDX-License-Identifier: Apache-2.0
// write(2) of everything; the reports of dying programs go through here.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt::os {

WEFT_OS_CALL void exit_process(int status) noexcept {
  for (;;) ::syscall(SYS_exit_group, status);  // does not return
}

WEFT_OS_CALL void write_all(int fd, const void* data, size_t bytes) noexcept {
  errno_scope keep;
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    ssize_t written = ::write(fd, at, bytes);
    if (written > 0) {
      at += written;
      bytes -= static_cast<size_t>(written);
    } else if (written < 0 && errno == EAGAIN) {
      // Somebody made the terminal or pipe non-blocking. A reader that never reads must not keep a
      // dying process alive: one second without progress is the end.
      pollfd ready{fd, POLLOUT, 0};
      if (::poll(&ready, 1, 1000) == 0) return;
    } else if (written == 0 || errno != EINTR) {
      return;
    }
  }
}

}  // namespace weft::rt::os
