// SPDX-License-Identifier: Apache-2.0
// A program with something to see, which names nothing of the door. Runs until its input ends;
// `deadlock`: until all of its goroutines wait for each other; `options ADDRESS`: the address comes
// from the program.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "weft/weft.hpp"

namespace {

using namespace std::chrono_literals;

/// Reads once what ends the program. The thread waits, not the goroutine.
void wait_for_input() {
  weft::blocking([] {
    char c = 0;
    while (::read(0, &c, 1) > 0) {
    }
  });
}

int serve() {
  auto never = weft::make_chan<int>();
  // Goroutines that are left outlive this function.
  static weft::mutex held;
  static std::atomic<bool> end{false};
  held.lock();
  for (int i = 0; i < 30; ++i) {
    const weft::prof::scope named(weft::prof::labels("kind", "parked"));
    weft::go([never] { (void)never.recv(); });
  }
  for (int i = 0; i < 5; ++i) weft::go([] { held.lock(); });
  weft::go([] {
    volatile uint64_t sum = 0;
    while (!end.load()) {
      for (int i = 0; i < 1000; ++i) sum = sum + static_cast<uint64_t>(i);
      weft::yield();
    }
  });
  std::puts("ready");
  std::fflush(stdout);
  wait_for_input();
  end = true;
  return 0;
}

int deadlock() {
  std::puts("ready");
  std::fflush(stdout);
  wait_for_input();
  (void)weft::make_chan<int>().recv();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.empty()) return weft::run(serve);
  if (words[0] == "deadlock") return weft::run(deadlock);
  try {
    return weft::run({.debug_addr = words.at(1), .debug_token = words.size() > 2 ? words[2] : ""},
                     serve);
  } catch (const std::exception& e) {
    std::puts(e.what());
    return 3;
  }
}
