// SPDX-License-Identifier: Apache-2.0
// frames_fuzz.cpp over frames that are nearly right, of a seed.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "weft/base/sanitizer.hpp"

extern std::atomic<unsigned> frames_served;
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  std::string out;
  const size_t bytes = payload.size();
  for (const unsigned shift : {16U, 8U, 0U}) out += static_cast<char>(bytes >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(stream >> shift);
  return out + payload;
}

/// :method GET, :scheme http, :path /, :authority h: the static table, and a literal.
const std::string request_block = std::string("\x82\x86\x84\x01\x01h", 6);

std::string random_wire(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  std::string wire = frame(4, 0, 0, "");
  uint32_t stream = 1;
  for (uint32_t count = 1 + below(20); count > 0; --count) {
    if (below(2) == 0) {
      // A request; its body may follow below, or not.
      wire += frame(1, below(3) == 0 ? 4 : 5, stream, request_block);
      stream += 2;
      continue;
    }
    const auto type = static_cast<uint8_t>(below(11));
    const bool of_connection = type == 4 || type == 6 || type == 7;
    constexpr uint32_t usual[] = {20, 6, 5, 4, 6, 4, 8, 8, 4, 10, 10};
    std::string payload(below(8) == 0 ? below(40) : usual[type], '\0');
    for (char& c : payload)
      if (below(2) == 0) c = static_cast<char>(below(4) == 0 ? random() : below(4));
    if (type == 1 && below(2) == 0) payload = request_block;
    const uint8_t flags = below(3) == 0 ? static_cast<uint8_t>(random()) : type == 1 ? 5 : 0;
    const uint32_t on = below(8) == 0 ? below(20) : of_connection ? 0 : stream > 2 ? stream - 2 : 1;
    wire += frame(type, flags, on, payload);
  }
  // And some that are not right at all.
  for (uint32_t broken = below(4); broken > 0 && below(4) == 0; --broken)
    wire[below(static_cast<uint32_t>(wire.size()))] = static_cast<char>(random());
  return wire;
}

TEST(http2_frames, neither_crash_nor_hang) {
  // Each may end by a time limit of 50 ms.
  constexpr uint32_t cases = WEFT_TSAN ? 30 : WEFT_ASAN ? 100 : 300;
  const char* round = std::getenv("WEFT_SOAK");
  const uint32_t first = round != nullptr ? static_cast<uint32_t>(std::atoi(round)) * cases : 0;
  for (uint32_t seed = first; seed < first + cases; ++seed) {
    const std::string input = static_cast<char>(seed) + random_wire(seed);
    SCOPED_TRACE(seed);
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  }
  EXPECT_GT(frames_served.load(), cases / 10);
}

}  // namespace
