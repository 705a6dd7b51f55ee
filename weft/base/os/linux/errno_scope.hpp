// SPDX-License-Identifier: Apache-2.0
// Keeps errno as the caller had it: the runtime's system calls are invisible to user code.
//
// The address of errno belongs to a thread and compilers remember it, so every function that uses
// errno is noinline: it begins and ends on one thread even when its caller does not (link-time
// optimization would otherwise be free to merge the two addresses).
#pragma once

#include <cerrno>

#define WEFT_OS_CALL __attribute__((noinline))

namespace weft::rt::os {

class errno_scope {
 public:
  errno_scope() noexcept : saved_(errno) {}
  ~errno_scope() { errno = saved_; }
  errno_scope(const errno_scope&) = delete;
  errno_scope& operator=(const errno_scope&) = delete;

 private:
  int saved_;
};

}  // namespace weft::rt::os
