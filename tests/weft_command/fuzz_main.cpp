// SPDX-License-Identifier: Apache-2.0
// The fuzz targets over seeded inputs: a good profile, or trace, with some bytes changed.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

#ifdef FUZZ_TRACES
#include "trace_maker.hpp"
#else
#include "profile_maker.hpp"
#endif
#include "weft/base/sanitizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

unsigned soak_round() {
  const char* round = std::getenv("WEFT_SOAK");
  return round == nullptr ? 0 : static_cast<unsigned>(std::strtoul(round, nullptr, 10));
}

std::string good_input() {
#ifdef FUZZ_TRACES
  return weft_command_test::small_trace();
#else
  return weft_command_test::small_profile();
#endif
}

void run(std::string_view text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

TEST(Fuzz, Mutants) {
  constexpr bool slow = weft::rt::sanitizer::address || weft::rt::sanitizer::thread;
  const unsigned count = (slow ? 5'000 : 40'000) * (soak_round() == 0 ? 1 : 10);
  std::mt19937 random(soak_round());
  const std::string good = good_input();
  for (unsigned i = 0; i < count; ++i) {
    std::string text = good;
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 3);
          break;
        case 2:
          text.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
    }
    run(text);
  }
}

TEST(Fuzz, EveryPrefixAndEveryByte) {
  const std::string good = good_input();
  for (size_t end = 0; end <= good.size(); ++end) run(std::string_view(good).substr(0, end));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int byte : {0x00, 0x01, 0x0a, 0x12, 0x7f, 0x80, 0xff}) {
      std::string changed = good;
      changed[at] = static_cast<char>(byte);
      run(changed);
    }
  }
}

}  // namespace
