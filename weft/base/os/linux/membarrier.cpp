// SPDX-License-Identifier: Apache-2.0
// The asymmetric fence: membarrier(2) makes the rare side pay for the frequent one.
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"

namespace weft::rt::os {

// Written before the runtime has a second thread; read by all of them.
bool membarrier_active = false;

WEFT_OS_CALL bool membarrier_register(bool force_plain) noexcept {
  errno_scope keep;
  membarrier_active =
      !force_plain &&
      ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return membarrier_active;
}

WEFT_OS_CALL void heavy_fence() noexcept {
  // Where light_fence() is a real fence this one suffices (Dekker); under membarrier it orders the
  // caller's own side for ThreadSanitizer, which cannot see into the system call.
  fence(seq_cst);
  if (!membarrier_active) return;
  errno_scope keep;
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return;
  const int refused = errno;
  // ENOMEM: the kernel allocates a set of CPUs. The slow command needs none, and orders the same.
  if (::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  bug("membarrier failed, errno %d", refused);
}

}  // namespace weft::rt::os
