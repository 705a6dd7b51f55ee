// SPDX-License-Identifier: Apache-2.0
// The page about malloc: who holds memory. Fails if the estimate is far off.
#include <cstdio>
#include <string>
#include <vector>

#include "weft/weft.hpp"

namespace {

std::vector<std::string> load_orders() {
  std::vector<std::string> orders;
  for (int i = 0; i < 100'000; ++i) orders.emplace_back(1000, 'x');
  return orders;
}

int64_t live_bytes() {
  int64_t sum = 0;
  weft::heap_profile([&sum](const weft::heap_profile_record& at) {
    if (at.live_bytes < 10'000'000) return;
    std::printf("%lld bytes live of %lld, %zu frames\n", static_cast<long long>(at.live_bytes),
                static_cast<long long>(at.total_bytes), at.depth);
    sum += at.live_bytes;
  });
  return sum;
}

}  // namespace

int main() {
  const std::vector<std::string> orders = load_orders();
  const int64_t seen = live_bytes();
  // 102 MB, of some 200 samples: five standard deviations are a third.
  return seen > 65'000'000 && seen < 140'000'000 && orders.size() == 100'000 ? 0 : 1;
}
