// SPDX-License-Identifier: Apache-2.0
// What docs/guide/goroutines.md quotes.
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

void many() {
  std::vector<weft::task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(weft::spawn([i] { return i; }));
  int sum = 0;
  for (auto& t : tasks) sum += t.join();
  std::printf("sum %d\n", sum);
}

void exceptions() {
  auto lookup = weft::spawn({.name = "lookup"}, []() -> std::string {
    throw std::runtime_error("no such user");
  });
  try {
    (void)lookup.join();
  } catch (const std::exception& e) {
    std::printf("caught: %s\n", e.what());
  }
}

void blocking_calls() {
  int ends[2];
  if (pipe(ends) != 0) return;
  weft::go([&] {
    for (int i = 0; i < 3; ++i) (void)!write(ends[1], "x", 1);
  });
  int lines = 0;
  // Works without being announced, too; announced, others go on after some 20 us, not 1 to 2 ms.
  weft::blocking([&] {
    char byte = 0;
    while (lines < 3 && read(ends[0], &byte, 1) == 1) ++lines;
  });
  std::printf("lines read: %d\n", lines);
  close(ends[0]);
  close(ends[1]);
}

weft::local<int> request_id;

void locals() {
  weft::spawn([] {
    *request_id = 7;
    weft::yield();  // maybe on another thread now
    std::printf("request %d: done\n", *request_id);
  }).join();
}

void foreign_threads() {
  auto answers = weft::make_chan<int>();
  std::thread thread([answers] {  // a thread that is not Weft's
    weft::go([answers] { answers.send(42); });
  });
  std::printf("from a thread: %d\n", answers.recv().value());
  thread.join();
}

}  // namespace

int main() {
  return weft::run([] {
    many();
    exceptions();
    blocking_calls();
    locals();
    foreign_threads();
  });
}
