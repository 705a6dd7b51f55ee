// SPDX-License-Identifier: Apache-2.0
// Reading and writing files.
#include "files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
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

weft::result<std::string> read_file(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  if (file == nullptr) return weft::fail(failed(path).error());
  std::string out;
  std::array<char, 65536> buffer{};
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), file))
    out.append(buffer.data(), got);
  const bool bad = std::ferror(file) != 0;
  const int why = errno;
  if (file != stdin) (void)std::fclose(file);
  errno = why;
  if (bad) return weft::fail(failed(path).error());
  return out;
}

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
