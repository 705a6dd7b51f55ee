// SPDX-License-Identifier: Apache-2.0
// Goroutines that do at random all that can go wrong together: pass tokens, contend, compute, block
// in the kernel, sleep, spawn, throw, while the number of Ps changes and foreign threads take part.
// What must hold: no token is lost, nothing hangs, and everybody has ended at the end.
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <thread>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

namespace {

/// Short in the tests; WEFT_SOAK (./dev soak) makes it long.
int rounds() { return std::getenv("WEFT_SOAK") != nullptr ? 4000 : 150; }

struct world {
  weft::chan<int> tokens = weft::make_chan<int>(16);
  weft::chan<int> hand_off = weft::make_chan<int>();
  weft::mutex lock;
  weft::rw_mutex shared;
  long guarded = 0;  // under lock
  std::atomic<long> locked{0};
  std::atomic<long> caught{0};
};

void compute(std::chrono::microseconds how_long) {
  const auto until = std::chrono::steady_clock::now() + how_long;
  while (std::chrono::steady_clock::now() < until) {
  }
}

/// One thing at random. Tokens taken are put back.
void act(world& w, std::mt19937& random) {
  switch (random() % 10) {
    case 0: {
      const std::optional<int> token = w.tokens.recv();
      weft::yield();
      w.tokens.send(*token);
      break;
    }
    case 1: {
      const std::scoped_lock hold(w.lock);
      ++w.guarded;
      ++w.locked;
      if (random() % 8 == 0) weft::yield();
      break;
    }
    case 2:
      compute(std::chrono::microseconds(random() % 400));
      break;
    case 3: {
      pollfd none{-1, 0, 0};
      ::poll(&none, 1, 1);  // blocks the thread, announced to nobody
      break;
    }
    case 4:
      weft::sleep_for(std::chrono::microseconds(random() % 500));
      break;
    case 5:
      EXPECT_EQ(weft::spawn([] { return 3; }).join(), 3);
      break;
    case 6:
      try {
        throw 1;
      } catch (int) {
        weft::yield();
        ++w.caught;
      }
      break;
    case 7:
      weft::select(weft::on_recv(w.hand_off, [](std::optional<int>) {}),
                   weft::on_send(w.hand_off, 1, [] {}), weft::after(200us, [] {}));
      break;
    case 8: {
      const std::shared_lock hold(w.shared);
      weft::yield();
      break;
    }
    default:
      weft::blocking([] { compute(50us); });
  }
}

TEST(Stress, EverythingAtOnceLosesNothing) {
  world w;
  weft::run({.procs = 2}, [&] {
    const int64_t before = weft::num_goroutine();
    for (int i = 0; i < 8; ++i) w.tokens.send(i);
    weft::wait_group workers;
    for (unsigned g = 0; g < 64; ++g)
      workers.go([&w, g] {
        std::mt19937 random(g);
        for (int i = 0; i < rounds(); ++i) act(w, random);
      });
    std::vector<std::thread> guests;
    for (unsigned t = 0; t < 2; ++t)
      guests.emplace_back([&w, t] {
        std::mt19937 random(1000 + t);
        for (int i = 0; i < rounds() / 4; ++i) act(w, random);
      });
    auto resizer = weft::spawn([] {
      for (int i = 0; i < rounds() / 10; ++i) {
        weft::maxprocs(1 + i % 4);
        weft::sleep_for(1ms);
      }
    });
    workers.wait();
    resizer.join();
    weft::blocking([&] {
      for (auto& t : guests) t.join();
    });
    EXPECT_EQ(w.tokens.len(), 8u);
    EXPECT_EQ(w.guarded, w.locked.load());
    while (weft::num_goroutine() > before) weft::yield();
  });
}

}  // namespace
