// SPDX-License-Identifier: Apache-2.0
// Programs whose traces Go's tool must accept: traced CASE FILE.
#include <unistd.h>
#include <weft/weft.hpp>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace weft;
using namespace std::chrono_literals;

void must(const result<void>& r) {
  if (!r) std::fprintf(stderr, "%s\n", r.error().message().c_str()), std::exit(1);
}

[[gnu::noinline]] void spin(std::chrono::nanoseconds time) {
  const auto until = weft::now() + time;
  while (weft::now() < until) asm volatile("");
}

void ping_pong() {
  const auto ping = make_chan<int>();
  const auto pong = make_chan<int>();
  wait_group all;
  all.go([=] {
    for (int i = 0; i < 1000; ++i) ping.send(i), (void)pong.recv();
    ping.close();
  });
  all.go([=] {
    while (ping.recv().has_value()) pong.send(1);
  });
  all.wait();
}

/// Everything that goroutines do, from several threads.
void everything() {
  wait_group all;
  mutex m;
  semaphore s(2);
  for (int g = 0; g < 8; ++g) {
    all.go([&] {
      for (int i = 0; i < 200; ++i) {
        const std::lock_guard<mutex> held(m);
        if (i % 20 == 0) weft::yield();
      }
    });
    all.go([&] {
      for (int i = 0; i < 20; ++i) {
        s.acquire();
        weft::sleep_for(200us);
        s.release();
      }
    });
    all.go([] {
      for (int i = 0; i < 20; ++i) {
        if (i % 2 == 0)
          weft::blocking([] { ::usleep(300); });  // a thread that sleeps is the subject
        else
          weft::blocking([] { spin(5us); });
      }
    });
    all.go([] {
      auto [ctx, cancel] = with_timeout(background(), 1ms);
      select(on_done(ctx, [] {}), after(1s, [] {}));
    });
  }
  // What nobody has announced: the monitor takes the P.
  for (int g = 0; g < 4; ++g) {
    all.go([] { ::usleep(20'000); });  // so that the P is taken from it
    all.go([] { spin(30ms); });
  }
  const auto from_outside = make_chan<int>(4);
  std::thread foreign([&] {
    for (int i = 0; i < 100; ++i) {
      from_outside.send(i);
      weft::go([] { weft::yield(); });
    }
    from_outside.close();
  });
  for (int v : from_outside) (void)v;
  weft::blocking([&] { foreign.join(); });
  all.wait();
}

void sockets() {
  auto listener = net::listen("tcp", "127.0.0.1:0");
  if (!listener) std::exit(1);
  wait_group all;
  all.go([&] {
    for (int i = 0; i < 4; ++i) {
      auto c = listener->accept();
      all.go([c = std::move(*c)]() mutable {
        char piece[64];
        for (;;) {
          auto got = c.read(std::span<char>(piece));
          if (!got || *got == 0) return;
          weft::sleep_for(1ms);
          (void)c.write(std::string_view(piece, *got));
        }
      });
    }
  });
  for (int i = 0; i < 4; ++i)
    all.go([&] {
      auto c = net::dial(background(), "tcp", listener->addr().string());
      char piece[64];
      for (int k = 0; k < 20; ++k) {
        (void)c->write(std::string_view("hello"));
        (void)c->read(std::span<char>(piece));
      }
    });
  all.wait();
}

void tasks() {
  wait_group all;
  for (int i = 0; i < 5; ++i) {
    all.go([i] {
      const trace::task request(background(), "request");
      const trace::region whole(request.ctx(), "handle");
      trace::log(request.ctx(), "number", std::to_string(i));
      {
        const trace::region part(request.ctx(), "query");
        const trace::task inner(request.ctx(), "subtask");
        weft::sleep_for(2ms);
      }
      spin(1ms);
    });
  }
  all.wait();
}

/// Several generations, with Ps coming and going.
void long_run() {
  wait_group all;
  bool stop = false;
  for (int g = 0; g < 20; ++g)
    all.go([&] {
      while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        weft::sleep_for(5ms);
        spin(100us);
      }
    });
  for (int n : {3, 1, 4, 2, 3, 1, 2}) {
    weft::maxprocs(n);
    weft::sleep_for(500ms);
    everything();
  }
  __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
  all.wait();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string which = argv[1];
  std::FILE* file = std::fopen(argv[2], "wb");
  if (file == nullptr) return std::perror(argv[2]), 1;
  const auto to = [file](std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::exit(1);
  };
  const int status = weft::run([&] {
    // Some that were there before, and stay silent.
    const auto never = make_chan<int>();
    for (int i = 0; i < 10; ++i) weft::go([never] { (void)never.recv(); });
    weft::sleep_for(1ms);
    if (which == "restarts") {
      wait_group all;
      all.go([] { everything(); });
      // What is said while a trace begins belongs to its first generation.
      bool stop = false;
      for (int i = 0; i < 2; ++i)
        all.go([&] {
          while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
            trace::log(background(), "said", "now");
            weft::yield();
          }
        });
      for (int i = 0; i < 10; ++i) {
        const std::string next = std::string(argv[2]) + '.' + std::to_string(i);
        std::fclose(std::exchange(file, std::fopen(next.c_str(), "wb")));
        const auto again = [&](std::string_view bytes) {
          std::fwrite(bytes.data(), 1, bytes.size(), file);
        };
        must(trace::start(again));
        weft::sleep_for(2ms);
        must(trace::stop());
      }
      __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
      all.wait();
      return 0;
    }
    if (which == "samples") must(prof::start_cpu({.rate_hz = 1000}));
    must(trace::start(to));
    if (which == "ping_pong")
      ping_pong();
    else if (which == "everything")
      everything();
    else if (which == "sockets")
      sockets();
    else if (which == "tasks")
      tasks();
    else if (which == "samples") {
      for (int i = 0; i < 3; ++i) everything(), spin(100ms);
      if (!prof::stop_cpu([](std::string_view) {})) return 1;
    } else if (which == "long")
      long_run();
    else
      return 2;
    must(trace::stop());
    return 0;
  });
  std::fclose(file);
  return status;
}
