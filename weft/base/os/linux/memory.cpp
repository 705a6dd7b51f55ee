// SPDX-License-Identifier: Apache-2.0
// Address space: reserved, committed by touch, given back, guarded.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "weft/base/os/linux/errno_scope.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/valgrind.hpp"

namespace weft::rt::os {

namespace {

// <sys/mman.h> of older systems has no name for it (Linux 6.13).
constexpr int madv_guard_install = 102;
// process_madvise(2)'s name for the caller's own process (Linux 6.14).
constexpr int pidfd_self = -10000;
constexpr size_t ranges_max = 64;

/// Every mapping begins here, so this is where a kernel with larger pages is noticed first.
void check_page_size() noexcept {
  long actual = ::sysconf(_SC_PAGESIZE);
  if (actual != static_cast<long>(page_bytes))
    fatal("weft: this kernel's pages are %d bytes; this build needs %d", actual, page_bytes);
}

/// For messages.
int64_t number(const void* address) noexcept {
  return static_cast<int64_t>(reinterpret_cast<intptr_t>(address));
}

void* map(size_t bytes, int protection) noexcept {
  check_page_size();
  void* address =
      ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

/// True if the kernel itself cannot read what is at `address`.
bool is_unreadable(const void* address) noexcept {
  return ::syscall(SYS_faccessat, AT_FDCWD, address, F_OK) != 0 && errno == EFAULT;
}

enum class guards : uint8_t { untried, work, pretended };
/// What the first guard_install() found. Written by whoever finds it, always the same value.
atomic<guards> guard_verdict{guards::untried};

}  // namespace

WEFT_OS_CALL void* reserve(size_t bytes) noexcept {
  errno_scope keep;
  return map(bytes, PROT_NONE);
}

WEFT_OS_CALL void* reserve_writable(size_t bytes) noexcept {
  errno_scope keep;
  void* address = map(bytes, PROT_READ | PROT_WRITE);
  // A stack that touches one page must cost one page, not 2 MiB. EINVAL where the kernel was built
  // without huge pages, which is as good.
  if (address != nullptr) ::madvise(address, bytes, MADV_NOHUGEPAGE);
  return address;
}

WEFT_OS_CALL void release(void* address, size_t bytes) noexcept {
  errno_scope keep;
  if (::munmap(address, bytes) != 0)
    bug("munmap(%x, %x) failed, errno %d", number(address), static_cast<int64_t>(bytes), errno);
}

WEFT_OS_CALL bool discard(void* address, size_t bytes) noexcept {
  errno_scope keep;
  // EINVAL: locked memory (mlockall). What cannot be given back stays.
  return ::madvise(address, bytes, MADV_DONTNEED) == 0;
}

WEFT_OS_CALL int guard_install(void* address, size_t bytes) noexcept {
  errno_scope keep;
  // Valgrind would read the guard itself to see whether it may pass its address to the kernel.
  if (guard_verdict.load(relaxed) == guards::untried && on_valgrind())
    guard_verdict.store(guards::pretended, relaxed);
  if (guard_verdict.load(relaxed) == guards::pretended) return EINVAL;
  if (::madvise(address, bytes, madv_guard_install) != 0) return errno;
  // QEMU's user mode accepts every advice and does nothing: the first guard is looked at.
  if (guard_verdict.load(relaxed) == guards::untried)
    guard_verdict.store(is_unreadable(address) ? guards::work : guards::pretended, relaxed);
  return guard_verdict.load(relaxed) == guards::work ? 0 : EINVAL;
}

WEFT_OS_CALL bool guard_install_all(void* const* addresses, size_t count, size_t bytes) noexcept {
  errno_scope keep;
  if (guard_verdict.load(relaxed) != guards::work || count > ranges_max) return false;
  iovec ranges[ranges_max];
  for (size_t i = 0; i < count; ++i) ranges[i] = {addresses[i], bytes};
  const long done =
      ::syscall(SYS_process_madvise, pidfd_self, ranges, count, madv_guard_install, 0);
  return done == static_cast<long>(count * bytes);
}

WEFT_OS_CALL void core_files_hold(void* address, size_t bytes, bool held) noexcept {
  errno_scope keep;
  (void)::madvise(address, bytes, held ? MADV_DODUMP : MADV_DONTDUMP);
}

WEFT_OS_CALL int protect_none(void* address, size_t bytes) noexcept {
  errno_scope keep;
  return ::mprotect(address, bytes, PROT_NONE) == 0 ? 0 : errno;
}

WEFT_OS_CALL void lift_limits() noexcept {
  errno_scope keep;
  for (const int resource : {RLIMIT_NOFILE, RLIMIT_AS}) {
    rlimit now{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &now) != 0) continue;
    now.rlim_cur = now.rlim_max;
    (void)::setrlimit(static_cast<__rlimit_resource>(resource), &now);
  }
}

}  // namespace weft::rt::os
