// SPDX-License-Identifier: Apache-2.0
// larson (P. Larson, M. Krishnan, 1998): a server's threads. Each holds 5,000 objects of 8 to 1,000
// bytes and replaces one at a time, at random; now and then it ends, and a new thread goes on with
// the objects of the old one.
#include <latch>
#include <thread>
#include <vector>

#include "rows.hpp"

namespace bench {

namespace {

constexpr int held_count = 5000;
constexpr int lives = 20;  // threads one after another

struct shop {
  std::vector<void*> held = std::vector<void*>(held_count);
  quick_random random{1};
};

void serve(shop& of, int64_t replacements) {
  for (int64_t i = 0; i < replacements; ++i) {
    void*& place = of.held[of.random.between(0, held_count - 1)];
    std::free(place);
    place = allocate_written(of.random.between(8, 1000));
  }
}

/// Each starts the next one as its last act; the last one says that the shop is closed.
void live(shop& of, int64_t replacements, int left, std::latch& closed) {
  serve(of, replacements);
  if (left > 1) {
    std::thread(live, std::ref(of), replacements, left - 1, std::ref(closed)).detach();
  } else {
    closed.count_down();
  }
}

}  // namespace

void larson(const call& how) {
  const int64_t replacements = how.count(250'000);
  std::vector<shop> shops(static_cast<size_t>(how.procs));
  for (size_t i = 0; i < shops.size(); ++i) {
    shops[i].random = quick_random(i + 1);
    for (void*& place : shops[i].held) place = allocate_written(shops[i].random.between(8, 1000));
  }
  result out(how);
  out.start();
  std::latch closed(how.procs);
  for (shop& of : shops)
    std::thread(live, std::ref(of), replacements, lives, std::ref(closed)).detach();
  closed.wait();
  out.stop(replacements * lives * how.procs);
  print_with_peak(out);
}

}  // namespace bench
