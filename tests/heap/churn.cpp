// SPDX-License-Identifier: Apache-2.0
// weft_heap_churn SECONDS: two threads replace objects of mixed sizes and lifetimes and hand some
// to each other; which sizes are wanted changes all the time, so that what is left of the old ones
// is in the way of the new ones. Looked at: how much memory is resident for what is live, and that
// all of it goes back when nothing is. Seconds in the tests, minutes in ./dev soak.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "weft/heap/alloc.hpp"

namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr size_t mebibyte = size_t{1} << 20;

// Resident bytes for each live one, at most: those of the last second, since what was just freed
// stays for a while. Rounding to classes takes a fifth at most; the rest is fragmentation.
constexpr double resident_per_live_max = 2.0;
// What stays beside that: the scavenger leaves 16 MiB, caches and tables have some.
constexpr size_t resident_slack = 40 * mebibyte;
constexpr auto patience = 20s;

size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t pages = 0;
  statm >> pages >> pages;
  return pages * 4096;
}

struct block {
  void* at = nullptr;
  uint32_t bytes = 0;
};

std::atomic<size_t> live{0};
std::array<std::atomic<block*>, 256> table;

void let_go(block& b) {
  if (b.at == nullptr) return;
  live -= b.bytes;
  weft::rt::heap_free(b.at);
  b = {};
}

uint32_t draw_bytes(std::mt19937& random, int phase) {
  constexpr struct {
    uint32_t least, most;
  } wanted[] = {{16, 64},       {64, 512}, {512, 4000},       {16, 2000},
                {4000, 40'000}, {16, 100}, {100'000, 400'000}};
  const auto& sizes = wanted[random() % 8 == 0 ? random() % std::size(wanted)
                                               : static_cast<size_t>(phase) % std::size(wanted)];
  return sizes.least + static_cast<uint32_t>(random() % (sizes.most - sizes.least));
}

class churner {
 public:
  churner(unsigned seed, const std::atomic<int>& phase, const std::atomic<bool>& stop)
      : random_{seed}, phase_{phase}, stop_{stop}, slots_(150'000) {}

  void run() {
    while (!stop_.load(std::memory_order_relaxed))
      for (int i = 0; i < 200; ++i) step();
    for (block& b : slots_) let_go(b);
  }

 private:
  void step() {
    // A twentieth of the slots holds what lives long.
    const size_t at = random_() % slots_.size();
    if (at < slots_.size() / 20 && random_() % 50 != 0) return;
    block& b = slots_[at];
    let_go(b);
    // Between 8 and 56 MiB for each thread, going up and down.
    const size_t most =
        (8 + 12 * (static_cast<size_t>(phase_.load(std::memory_order_relaxed)) % 5)) * mebibyte;
    if (live.load(std::memory_order_relaxed) > 2 * most) return;
    b.bytes = draw_bytes(random_, phase_.load(std::memory_order_relaxed));
    b.at = weft::rt::heap_allocate(b.bytes);
    if (b.at == nullptr) {
      b = {};
      return;
    }
    std::memset(b.at, static_cast<int>(at), b.bytes);
    live += b.bytes;
    if (random_() % 16 == 0) swap(b);
  }
  void swap(block& b) {
    auto& place = table[random_() % table.size()];
    if (block* other = place.exchange(nullptr, std::memory_order_acq_rel); other != nullptr) {
      std::swap(*other, b);
      place.store(other, std::memory_order_release);
    }
  }

  std::mt19937 random_;
  const std::atomic<int>& phase_;
  const std::atomic<bool>& stop_;
  std::vector<block> slots_;
};

int fail(const char* what, size_t got, size_t most) {
  std::printf("churn: FAILED: %s: %.1f MiB, at most %.1f\n", what,
              static_cast<double>(got) / mebibyte, static_cast<double>(most) / mebibyte);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto seconds = std::chrono::seconds(argc > 1 ? std::atoi(argv[1]) : 3);
  std::vector<block> in_table(table.size());
  for (size_t i = 0; i < table.size(); ++i) table[i] = &in_table[i];
  std::atomic<int> phase{0};
  std::atomic<bool> stop{false};
  std::vector<churner> churners;
  for (unsigned i = 0; i < 2; ++i) churners.emplace_back(i + 1, phase, stop);
  const size_t before = resident_bytes();

  std::vector<std::thread> threads;
  for (churner& one : churners) threads.emplace_back([&one] { one.run(); });
  std::array<size_t, 10> lately{};  // live bytes of the last second
  double worst = 0;
  size_t samples = 0;
  const auto began = steady_clock::now();
  for (size_t tick = 0; steady_clock::now() - began < seconds; ++tick) {
    std::this_thread::sleep_for(100ms);  // between two samples; what is sampled goes on
    if (tick % 5 == 0) ++phase;
    lately[tick % lately.size()] = live;
    size_t most = 0;
    for (const size_t each : lately) most = most > each ? most : each;
    const size_t resident = resident_bytes() - before;
    if (resident <= resident_slack) continue;
    worst =
        std::max(worst, static_cast<double>(resident - resident_slack) / static_cast<double>(most));
    ++samples;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (block& b : in_table) let_go(b);

  const auto ended = steady_clock::now();
  size_t left = 0;
  while ((left = resident_bytes()) > before + resident_slack &&
         steady_clock::now() - ended < patience)
    std::this_thread::sleep_for(50ms);  // between two looks at the state that is waited for
  std::printf("churn: %zu samples, resident per live at most %.2f; %.1f MiB left after %.1f s\n",
              samples, worst, (static_cast<double>(left) - static_cast<double>(before)) / mebibyte,
              std::chrono::duration<double>(steady_clock::now() - ended).count());
  if (live != 0) return fail("live", live, 0);
  if (worst > resident_per_live_max) {
    std::printf("churn: FAILED: %.2f resident per live, at most %.2f\n", worst,
                resident_per_live_max);
    return 1;
  }
  if (left > before + resident_slack) return fail("left", left - before, resident_slack);
  return 0;
}
