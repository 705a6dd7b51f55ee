// SPDX-License-Identifier: Apache-2.0
// The first program of the README.
#include <weft/weft.hpp>
using namespace std::chrono_literals;

int main() {
  return weft::run([] {
    auto jobs = weft::make_chan<int>(128);          // chan<int>, a shared handle
    auto out  = weft::make_chan<std::string>();     // unbuffered
    weft::wait_group workers;
    for (int w = 0; w < 8; ++w)
      workers.go([=] { for (int j : jobs) out.send(std::to_string(j * j)); });
    weft::go([=] { for (int i = 0; i < 1000; ++i) jobs.send(i); jobs.close(); });
    weft::go([&, out] { workers.wait(); out.close(); });

    auto [ctx, cancel] = weft::with_timeout(weft::background(), 800ms);
    for (bool open = true; open;) {
      weft::select(
          weft::on_recv(out, [&](std::optional<std::string> s) { open = s.has_value(); }),
          weft::on_done(ctx, [&] { open = false; }),   // ctx.err(), weft::cause(ctx)
          weft::after(5s, [&] { open = false; }));
    }
  });
}
