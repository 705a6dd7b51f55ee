// SPDX-License-Identifier: Apache-2.0
// What docs/guide/memory-model.md quotes. It runs under ThreadSanitizer too, which must be silent.
#include <weft/weft.hpp>

#include <cstdio>
#include <mutex>
#include <string>

using namespace std::chrono_literals;

namespace {

std::string text;

void with_a_channel() {
  auto ready = weft::make_chan<int>();
  weft::go([ready] {
    text = "written";
    ready.send(1);  // before the receive below returns
  });
  (void)ready.recv();
  std::printf("%s\n", text.c_str());
}

void with_a_buffer() {
  auto permits = weft::make_chan<int>(2);  // at most two at work
  weft::wait_group all;
  for (int i = 0; i < 6; ++i)
    all.go([permits] {
      permits.send(0);
      // ...
      (void)permits.recv();  // before the second send after this one's returns
    });
  all.wait();
  std::printf("never more than two\n");
}

void with_join() {
  int answer = 0;
  auto t = weft::spawn([&] { answer = 42; });
  t.join();
  std::printf("%d\n", answer);
}

void with_a_context() {
  std::string why;
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::go([&why, stop = std::move(cancel)] {
    why = "enough";
    stop();  // before done() is seen closed, and before err() tells
  });
  (void)ctx.done().recv();
  std::printf("%s\n", why.c_str());
}

}  // namespace

int main() {
  return weft::run([] {
    with_a_channel();
    with_a_buffer();
    with_join();
    with_a_context();
  });
}
