// SPDX-License-Identifier: Apache-2.0
// malloc-large: twenty blocks of 5 to 25 MiB, written to; one at random is freed and taken anew.
#include <cstring>

#include "rows.hpp"

namespace bench {

void malloc_large(const call& how) {
  constexpr int held_count = 20;
  constexpr uint32_t mebibyte = 1 << 20;
  static void* held[held_count];
  quick_random random(1);
  const auto replace = [&](void*& place) {
    std::free(place);
    const size_t bytes = random.between(5 * mebibyte, 25 * mebibyte);
    place = allocate(bytes);
    std::memset(place, 1, bytes);
  };
  for (void*& place : held) replace(place);
  const int64_t count = how.count(200);
  result out(how);
  out.start();
  for (int64_t i = 0; i < count; ++i) replace(held[random.between(0, held_count - 1)]);
  out.stop(count);
  print_with_peak(out);
}

}  // namespace bench
