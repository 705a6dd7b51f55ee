// SPDX-License-Identifier: Apache-2.0
// Files written whole or not at all.
#include "output_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace weft_command {

namespace {

weft::result<void> failed(const std::string& path) {
  return weft::fail(weft::error(path + ": " + std::strerror(errno)));
}

bool write_all(std::FILE* to, std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), to) == bytes.size();
}

}  // namespace

weft::result<void> write_file(const std::string& path, std::string_view bytes) {
  if (path == "-") {
    if (write_all(stdout, bytes) && std::fflush(stdout) == 0) return {};
    return failed("standard output");
  }
  struct stat there{};
  const bool exists = ::stat(path.c_str(), &there) == 0;
  const bool plain = !exists || S_ISREG(there.st_mode);
  const std::string to = plain ? path + ".tmp" + std::to_string(::getpid()) : path;
  std::FILE* file = std::fopen(to.c_str(), "wb");
  if (file == nullptr) return failed(path);
  const bool written = write_all(file, bytes);
  if ((std::fclose(file) == 0) && written && (!plain || std::rename(to.c_str(), path.c_str()) == 0))
    return {};
  const int why = errno;
  if (plain) (void)std::remove(to.c_str());
  errno = why;
  return failed(path);
}

}  // namespace weft_command
