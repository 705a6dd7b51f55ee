// SPDX-License-Identifier: Apache-2.0
// The system calls. Each is one function that begins and ends on one thread: errno is read before
// anything that may park.
#include "weft/http/internal/file_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

// Neither a terminal nor a FIFO may hold us up, and links are the caller's choice.
inline constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

error system_error(int number, const std::string& path) {
  return error(std::error_code(number, std::generic_category()),
               "open " + path + ": " + std::generic_category().message(number));
}

/// A descriptor, or -errno.
int open_by_kernel(int root, const char* path) noexcept {
  open_how how{};
  how.flags = static_cast<uint64_t>(open_flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, root, path, &how, sizeof(how));
    // EAGAIN: the tree was renamed under the kernel's feet, so it cannot say that we are inside.
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
      return fd >= 0 ? static_cast<int>(fd) : -errno;
  }
}

int open_one(int at, const char* name, int flags) noexcept {
  for (;;) {
    const int fd = ::openat(at, name, flags);
    if (fd >= 0 || errno != EINTR) return fd >= 0 ? fd : -errno;
  }
}

int open_by_walking(int root, std::string path) noexcept {
  int at = root;
  for (size_t begin = 0;;) {
    const size_t slash = path.find('/', begin);
    const bool last = slash == std::string::npos;
    if (!last) path[slash] = '\0';
    const char* name = path.c_str() + begin;
    int fd = -EXDEV;
    if (std::string_view(name) != "..")
      fd = open_one(at, name, open_flags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY));
    if (at != root) ::close(at);
    if (fd < 0 || last) return fd;
    at = fd;
    begin = slash + 1;
  }
}

int examine(int fd, file_facts& out) noexcept {
  struct stat facts{};
  if (::fstat(fd, &facts) != 0) return -errno;
  out.directory = S_ISDIR(facts.st_mode);
  out.regular = S_ISREG(facts.st_mode);
  out.size = facts.st_size > 0 ? static_cast<uint64_t>(facts.st_size) : 0;
  out.modified_s = facts.st_mtim.tv_sec;
  out.modified_ns = facts.st_mtim.tv_nsec;
  return 0;
}

long read_part(int fd, void* to, size_t bytes, uint64_t offset) noexcept {
  for (;;) {
    const ssize_t got = ::pread(fd, to, bytes, static_cast<off_t>(offset));
    if (got >= 0 || errno != EINTR) return got >= 0 ? got : -errno;
  }
}

result<open_file> opened(int fd, const std::string& path) {
  if (fd < 0) return fail(system_error(-fd, path));
  file_facts facts;
  if (const int failed = examine(fd, facts); failed != 0) {
    ::close(fd);
    return fail(system_error(-failed, path));
  }
  return open_file(fd, facts);
}

int read_directory(int fd, size_t entries_max, std::vector<directory_entry>& out) {
  const int copy = ::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return -errno;
  const std::unique_ptr<DIR, int (*)(DIR*)> all(::fdopendir(copy), ::closedir);
  if (all == nullptr) {
    const int why = -errno;
    ::close(copy);
    return why;
  }
  while (out.size() < entries_max) {
    errno = 0;
    const dirent* one = ::readdir(all.get());
    if (one == nullptr) return -errno;
    const std::string_view name = one->d_name;
    if (name == "." || name == "..") continue;
    out.push_back({std::string(name), one->d_type == DT_DIR});
  }
  return 0;
}

}  // namespace

open_file::open_file(open_file&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), facts_(other.facts_) {}

open_file& open_file::operator=(open_file&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(facts_, other.facts_);
  return *this;
}

open_file::~open_file() {
  if (fd_ >= 0) ::close(fd_);
}

result<size_t> open_file::read_at(std::span<char> to, uint64_t offset) const {
  const long got = blocking([&] { return read_part(fd_, to.data(), to.size(), offset); });
  if (got < 0)
    return fail(error(std::error_code(static_cast<int>(-got), std::generic_category()), ""));
  return static_cast<size_t>(got);
}

result<open_file> open_anywhere(const std::string& path) {
  return opened(blocking([&] { return open_one(AT_FDCWD, path.c_str(), open_flags); }), path);
}

result<open_file> open_beneath(int root, const std::string& path, beneath how) {
  const int fd = blocking([&] {
    if (how == beneath::by_kernel) {
      const int got = open_by_kernel(root, path.c_str());
      // Unknown to the kernel; forbidden or unknown in a sandbox.
      if (got != -ENOSYS && got != -EPERM) return got;
    }
    return open_by_walking(root, path);
  });
  return opened(fd, path);
}

result<std::vector<directory_entry>> list(const open_file& directory, size_t entries_max) {
  std::vector<directory_entry> out;
  const int failed = blocking([&] { return read_directory(directory.fd(), entries_max, out); });
  if (failed != 0)
    return fail(error(std::error_code(-failed, std::generic_category()), "read directory"));
  std::ranges::sort(out, {}, &directory_entry::name);
  return out;
}

}  // namespace weft::rt
