// SPDX-License-Identifier: Apache-2.0
// The fuzz target over seeded inputs: short in the tests, other seeds and more in ./dev soak.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "weft/base/sanitizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

/// WEFT_SOAK=ROUND, as ./dev soak sets it: other seeds in each round, and ten times as many.
unsigned soak_round() {
  const char* round = std::getenv("WEFT_SOAK");
  return round == nullptr ? 0 : static_cast<unsigned>(std::strtoul(round, nullptr, 10));
}

void run_seeds(bool goroutines) {
  constexpr bool slow = weft::rt::sanitizer::address || weft::rt::sanitizer::thread;
  const unsigned count = (slow ? 12 : 40) * (soak_round() == 0 ? 1 : 10);
  for (unsigned i = 0; i < count; ++i) {
    const unsigned seed = soak_round() * 100'000 + i;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<uint8_t> input(1 + random() % 40'000);
    for (uint8_t& byte : input) byte = static_cast<uint8_t>(random());
    input[0] = static_cast<uint8_t>(goroutines ? input[0] | 192 : input[0] % 192);
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}

// In this order: the runtime's threads stay, and may keep objects on their way.
TEST(HeapSequences, OfThreadsKeepEveryByteAndLoseNothing) { run_seeds(false); }
TEST(HeapSequences, OfGoroutinesKeepEveryByte) { run_seeds(true); }

}  // namespace
