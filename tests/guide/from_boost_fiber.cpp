// SPDX-License-Identifier: Apache-2.0
// What docs/guide/moving-from-boost-fiber.md quotes.
#include <weft/weft.hpp>

#include <cstdio>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

int f(int x) { return x + 1; }

void fibers() {
  auto t = weft::spawn([] { return f(1); });
  std::printf("%d\n", t.join());
  weft::go({.name = "detached", .stack = 64 << 10}, [] { f(1); });
  weft::yield();
  weft::sleep_for(1ms);
  static weft::local<int> value;
  *value = 3;
  std::printf("%d\n", *value);
}

void channels() {
  auto buffered = weft::make_chan<int>(64);
  auto unbuffered = weft::make_chan<int>();
  buffered.send(1);
  bool taken = buffered.try_send(2);
  int value = buffered.recv().value();
  bool timed_out = false;
  weft::select(weft::on_recv(unbuffered), weft::after(1ms, [&] { timed_out = true; }));
  buffered.close();
  for (int v : buffered) std::printf("%d\n", v);
  std::printf("%d %d %d\n", taken, value, timed_out);
}

void futures() {
  auto answer = weft::spawn([]() -> int { throw std::runtime_error("no answer"); });
  try {
    answer.join();
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
  }
  auto promise = weft::make_chan<int>(1);
  weft::go([promise] { promise.send(42); });
  std::printf("%d\n", promise.recv().value());
}

void synchronization() {
  weft::mutex m;
  weft::cond c;
  bool ready = false;
  weft::go([&] {
    std::unique_lock lock(m);
    ready = true;
    c.notify_one();
  });
  std::unique_lock lock(m);
  c.wait(lock, [&] { return ready; });
  lock.unlock();
  weft::wait_group wg;
  for (int i = 0; i < 8; ++i) wg.go([] { f(1); });
  wg.wait();
  std::puts("all there");
}

// With fibers one had to look for a fiber-aware client. Here the plain one will do.
std::string plain_client() {
  return weft::blocking([] { return std::string("row 1"); });
}

}  // namespace

int main() {
  return weft::run({.procs = 4}, [] {
    fibers();
    channels();
    futures();
    synchronization();
    std::printf("%s\n", plain_client().c_str());
  });
}
