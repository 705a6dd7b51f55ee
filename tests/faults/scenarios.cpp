// SPDX-License-Identifier: Apache-2.0
// Small programs that use one part of the runtime each. A scenario ends with "done" and all its
// work accounted for, or with "refused: ERROR" where the API reports an error to its caller; what
// the runtime cannot go on without ends the process with a report. Anything else is a bug.
#include <dirent.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "door.hpp"
#include "weft/heap/alloc.hpp"
#include "weft/weft.hpp"

using namespace std::chrono_literals;

namespace {

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "scenario: not true: %s\n", what);
  ::_exit(3);
}

/// The first error that the runtime reported to the scenario.
std::string refusal;

int open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return -1;
  int count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

void spawn() {
  for (int round = 0; round < 2; ++round) {
    weft::run({.procs = 2}, [] {
      const auto gate = weft::make_chan<int>();
      std::atomic<int> sum{0};
      weft::wait_group all;
      int started = 0;
      std::string why;
      try {
        for (int i = 0; i < 400; ++i) {
          all.add(1);
          const size_t stack = i % 16 == 0 ? size_t{64} << 10 : 0;
          try {
            weft::go({.stack = stack}, [&] {
              (void)gate.recv();
              ++sum;
              all.done();
            });
          } catch (...) {
            all.done();
            throw;
          }
          ++started;
        }
        std::thread([&] {
          for (int i = 0; i < 40; ++i) {
            all.add(1);
            weft::go([&] {
              ++sum;
              all.done();
            });
            ++started;
          }
        }).join();
      } catch (const std::exception& error) {
        why = error.what();
      }
      gate.close();
      all.wait();
      require(sum == started, "each goroutine that was started has run");
      if (!why.empty()) refusal = why;
    });
  }
}

void channels() {
  weft::run({.procs = 4}, [] {
    constexpr int stages = 5;
    constexpr int messages = 300;
    std::vector<weft::chan<int>> link;
    for (int i = 0; i <= stages; ++i) link.push_back(weft::make_chan<int>(i % 3));
    weft::group stages_run;
    for (int i = 0; i < stages; ++i)
      stages_run.go([in = link[static_cast<size_t>(i)], out = link[static_cast<size_t>(i) + 1]] {
        while (const auto value = in.recv()) {
          weft::yield();
          out.send(*value + 1);
        }
        out.close();
        return weft::result<void>();
      });
    weft::go([first = link[0]] {
      for (int i = 0; i < messages; ++i) first.send(i);
      first.close();
    });
    long sum = 0;
    while (const auto value = link[stages].recv()) sum += *value;
    require(sum == long{messages} * (messages - 1) / 2 + long{messages} * stages, "every message");
    require(stages_run.wait().has_value(), "every stage ended");
  });
}

void timers() {
  weft::run({.procs = 2}, [] {
    std::atomic<int> fired{0};
    weft::wait_group all;
    for (int i = 0; i < 60; ++i) {
      all.add(1);
      weft::go([&, i] {
        const auto before = weft::now();
        weft::sleep_for(std::chrono::microseconds(50 * i));
        require(weft::now() - before >= std::chrono::microseconds(50 * i), "no timer is early");
        ++fired;
        all.done();
      });
    }
    std::atomic<int> called{0};
    for (int i = 0; i < 20; ++i) {
      all.add(1);
      (void)weft::after_func(std::chrono::microseconds(100 * i), [&] {
        ++called;
        all.done();  // panics at the second call
      });
    }
    const auto deadline = weft::now() + 2ms;
    const auto [ctx, cancel] = weft::with_deadline(weft::background(), deadline);
    (void)ctx.done().recv();
    require(weft::now() >= deadline, "no deadline is early");
    require(ctx.err().is(weft::deadline_exceeded), "the context ended of its deadline");
    (void)weft::after(1ms).recv();
    weft::ticker ticks(1ms);
    for (int i = 0; i < 3; ++i) (void)ticks.c().recv();
    int more = 0;
    while (more < 100 && ticks.c().try_recv()) ++more;
    require(more < 100, "ticks that a jump of the clock has passed over are not made up for");
    all.wait();
    require(fired == 60 && called == 20, "every sleeper woke, every function was called once");
  });
}

// One P: who blocks its thread waits for somebody who needs that P.
void blocking() {
  weft::run({.procs = 1}, [] {
    int ends[2];
    if (::pipe(ends) != 0) {
      refusal = "pipe";
      return;
    }
    for (int round = 0; round < 6; ++round) {
      weft::go([&, round] {
        for (int i = 0; i < 3; ++i) weft::yield();  // the reader is first
        const char byte = static_cast<char>('a' + round);
        require(::write(ends[1], &byte, 1) == 1, "write");
      });
      weft::yield();  // with the P again, which the last round may have lost
      weft::go([&] { weft::yield(); });
      char byte = 0;
      const auto read_one = [&] { return ::read(ends[0], &byte, 1); };
      require((round % 2 == 0 ? weft::blocking(read_one) : read_one()) == 1, "read");
      require(byte == 'a' + round, "the byte of this round");
    }
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

void resize() {
  weft::run({.procs = 1}, [] {
    std::atomic<bool> stop{false};
    std::atomic<int> ended{0};
    for (int i = 0; i < 6; ++i)
      weft::go([&] {
        while (!stop) weft::yield();
        ++ended;
      });
    for (const int procs : {4, 2, 3, 1, 4}) {
      (void)weft::maxprocs(procs);
      for (int i = 0; i < 50; ++i) weft::yield();
    }
    stop = true;
    while (ended != 6) weft::yield();
  });
}

weft::result<void> serve_one(const weft::net::conn& peer) {
  std::array<char, 64> text;
  for (;;) {
    const auto got = peer.read(std::span<char>(text));
    if (!got || *got == 0) return weft::result<void>();  // the client sees an error, too
    const auto put = peer.write(std::string_view(text.data(), *got));
    if (!put) return std::unexpected(put.error());
  }
}

weft::result<void> one_client(const std::string& where, int number) {
  auto server = weft::net::dial("tcp", where, {.timeout = 10s});
  if (!server) return std::unexpected(server.error());
  (void)server->set_deadline(weft::now() + 10s);
  for (int round = 0; round < 4; ++round) {
    const std::string sent = std::to_string(number * 10 + round);
    if (const auto put = server->write(sent); !put) return std::unexpected(put.error());
    std::string back(sent.size(), '?');
    const auto got = server->read_full(std::span<char>(back));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return std::unexpected(weft::error("the server has closed the connection"));
    require(back == sent, "the echo is what was sent");
  }
  return server->close();
}

void echo() {
  const int before = open_descriptors();
  weft::run({.procs = 2}, [&] {
    auto heard = weft::net::listen("tcp", "127.0.0.1:0");
    if (!heard) {
      refusal = heard.error().message();
      return;
    }
    weft::mutex guard;
    const auto note = [&](const weft::error& error) {
      const std::lock_guard hold(guard);
      if (refusal.empty()) refusal = error.message();
    };
    weft::wait_group clients;
    weft::wait_group servers;
    servers.add(1);
    weft::go([&] {
      for (;;) {
        auto peer = heard->accept();
        if (!peer) {
          if (peer.error().is(weft::net::closed)) break;
          note(peer.error());
          weft::sleep_for(1ms);  // a server goes on: descriptors come back
          continue;
        }
        servers.add(1);
        weft::go([&, peer = std::move(*peer)] {
          if (const auto served = serve_one(peer); !served) note(served.error());
          (void)peer.close();
          servers.done();
        });
      }
      servers.done();
    });
    for (int i = 0; i < 8; ++i) {
      clients.add(1);
      weft::go([&, i] {
        if (const auto went = one_client(heard->addr().string(), i); !went) note(went.error());
        clients.done();
      });
    }
    clients.wait();
    (void)heard->close();
    servers.wait();
    // epoll and its eventfd are the runtime's and stay.
    const int after = open_descriptors();
    require(before < 0 || after < 0 || after <= before + 2 + 4, "every descriptor is closed");
  });
}

/// The heap under refusals: null where there is no memory, and what there is stays whole; memory
/// that did not go back to the kernel is not taken for zeros.
void heap() {
  static std::array<unsigned char*, 500> held;
  static std::array<size_t, 500> sizes;
  size_t none = 0;
  const auto is_all = [](const unsigned char* at, size_t bytes, unsigned char value) {
    for (size_t i = 0; i < bytes; i += i < 4096 ? 1 : 1021)
      if (at[i] != value) return false;
    return true;
  };
  for (unsigned round = 0; round < 6; ++round) {
    for (unsigned i = 0; i < held.size(); ++i) {
      const size_t bytes = i % 50 == 0   ? (size_t{2} << 20) + i * 4096
                           : i % 10 == 0 ? 40'000 + i * 512
                                         : 16 + (i * 37 + round * 101) % 4000;
      sizes[i] = bytes;
      void* got = i % 3 == 0   ? weft::rt::heap_allocate_zeroed(bytes)
                  : i % 7 == 0 ? weft::rt::heap_allocate_aligned(bytes, 64 << 10)
                               : weft::rt::heap_allocate(bytes);
      held[i] = static_cast<unsigned char*>(got);
      if (got == nullptr) {
        ++none;
        continue;
      }
      if (i % 3 == 0) require(is_all(held[i], bytes, 0), "zeroed memory is zero");
      std::memset(held[i], static_cast<int>(i), bytes);
    }
    for (unsigned i = 0; i < held.size(); ++i) {
      if (held[i] == nullptr) continue;
      const auto fill = static_cast<unsigned char>(i);
      require(is_all(held[i], sizes[i], fill), "an object keeps its contents");
      if (i % 5 == 0) {
        void* moved = weft::rt::heap_reallocate(held[i], sizes[i] * 2);
        if (moved == nullptr)
          ++none;
        else
          held[i] = static_cast<unsigned char*>(moved);
        require(is_all(held[i], sizes[i], fill), "and when it is resized, or is not");
      }
      weft::rt::heap_free(held[i]);
    }
    (void)weft::rt::heap_trim(0);
  }
  if (none != 0) refusal = "no memory";
}

struct named {
  const char* name;
  void (*body)();
};
constexpr named scenarios[] = {{"spawn", spawn},       {"channels", channels}, {"timers", timers},
                               {"blocking", blocking}, {"resize", resize},     {"echo", echo},
                               {"heap", heap}};

}  // namespace

int main(int argc, char** argv) {
  for (const named& s : scenarios) {
    if (argc != 2 || std::strcmp(argv[1], s.name) != 0) continue;
    try {
      s.body();
    } catch (const weft::panic_error& error) {
      refusal = error.what();  // weft::run had no stack for the main goroutine
    }
    if (refusal.empty())
      std::printf("done\n");
    else
      std::printf("refused: %s\n", refusal.c_str());
    print_counts();
    return 0;
  }
  std::fprintf(stderr, "usage: %s SCENARIO\n", argv[0]);
  return 2;
}
