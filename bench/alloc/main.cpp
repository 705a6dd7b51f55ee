// SPDX-License-Identifier: Apache-2.0
#include "rows.hpp"

int main(int argc, char** argv) {
  static constexpr bench::entry rows[] = {
      {"pair", bench::pair},
      {"fifo", bench::fifo},
      {"larson", bench::larson},
      {"xmalloc", bench::xmalloc},
      {"malloc_large", bench::malloc_large},
      {"mstress", bench::mstress},
      {"cfrac", bench::cfrac},
      {"prof", bench::prof},
  };
  return bench::dispatch(argc, argv, rows);
}
