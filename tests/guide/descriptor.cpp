// SPDX-License-Identifier: Apache-2.0
// docs/guide/network.md: a goroutine waits for a descriptor that it reads with plain system calls.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "weft/weft.hpp"

namespace {

/// A function of its own that is not inlined: errno is the thread's, and after a wait the goroutine
/// may be on another one.
[[gnu::noinline]] bool would_block(int fd, char& byte) {
  return ::read(fd, &byte, 1) < 0 && errno == EAGAIN;
}

int read_a_byte(const weft::context& ctx, const int (&ends)[2]) {
  const auto readable = weft::net::descriptor::watch(ends[0]).value();
  char byte = 0;
  while (would_block(ends[0], byte)) {
    const auto ready = readable.wait_readable(ctx);
    if (!ready) return std::puts(ready.error().message().c_str());
  }
  return std::printf("read %c\n", byte);
}

}  // namespace

int main() {
  return weft::run([] {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return 1;
    auto reading = weft::spawn([&] { return read_a_byte(weft::background(), ends); });
    const bool written = ::write(ends[1], "x", 1) == 1;
    return reading.join() > 0 && written ? 0 : 1;
  });
}
