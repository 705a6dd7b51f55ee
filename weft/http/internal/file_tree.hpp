// SPDX-License-Identifier: Apache-2.0
// Files below a directory that nobody can leave: the system calls of the file server.
//
// The kernel keeps a name below the root (openat2 with RESOLVE_BENEATH): it refuses "..", absolute
// symbolic links and links that lead out, however the tree changes meanwhile. On kernels without
// openat2 (before 5.6, and some sandboxes) we walk the path ourselves, one directory at a time,
// and follow no link at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "weft/base/error.hpp"

namespace weft::rt {

struct file_facts {
  bool directory = false;
  bool regular = false;
  uint64_t size = 0;
  int64_t modified_s = 0;
  int64_t modified_ns = 0;  // within the second
};

/// An open file; closes itself.
class open_file {
 public:
  open_file() noexcept = default;
  open_file(int fd, const file_facts& facts) noexcept : fd_(fd), facts_(facts) {}
  open_file(open_file&& other) noexcept;
  open_file& operator=(open_file&& other) noexcept;
  ~open_file();
  [[nodiscard]] const file_facts& facts() const noexcept { return facts_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// As pread(2), announced to the scheduler.
  [[nodiscard]] result<size_t> read_at(std::span<char> to, uint64_t offset) const;

 private:
  int fd_ = -1;
  file_facts facts_;
};

/// A directory's entry.
struct directory_entry {
  std::string name;
  bool directory = false;
};

enum class beneath : uint8_t { by_kernel, by_walking };

/// Opens a file for reading, by any path.
[[nodiscard]] result<open_file> open_anywhere(const std::string& path);
/// Opens `path` (relative, "." for the root itself) below `root`. Never waits for a FIFO's writer.
[[nodiscard]] result<open_file> open_beneath(int root, const std::string& path, beneath how);
/// All entries but "." and "..", by name; at most `entries_max`.
[[nodiscard]] result<std::vector<directory_entry>> list(const open_file& directory,
                                                        size_t entries_max);

}  // namespace weft::rt
