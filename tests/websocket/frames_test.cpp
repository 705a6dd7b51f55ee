// SPDX-License-Identifier: Apache-2.0
// The fuzz target over seeded mutations of frames.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "weft/http/internal/ws_deflate.hpp"
#include "weft/http/internal/ws_frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using weft::rt::ws_opcode;

TEST(websocket_frames, seeded_garbage) {
  const char* const soak = std::getenv("WEFT_SOAK");
  std::mt19937 random(soak != nullptr ? static_cast<unsigned>(std::atoi(soak)) : 20261127U);
  const std::array<char, 4> mask = {'m', 'a', 's', 'k'};
  const ws_opcode kinds[] = {ws_opcode::continuation, ws_opcode::text, ws_opcode::binary,
                             ws_opcode::close,        ws_opcode::ping, ws_opcode::pong};
  for (int round = 0; round < 20000; ++round) {
    const bool masked = random() % 2 == 0;
    std::string text;
    for (int frames = static_cast<int>(random() % 6); frames >= 0; --frames) {
      std::string payload(random() % 4 == 0 ? random() % 300 : random() % 20, 'x');
      if (random() % 3 == 0) payload += "\xe2\x82\xac";
      const ws_opcode kind = kinds[random() % std::size(kinds)];
      if (kind == ws_opcode::close && random() % 4 != 0) payload.insert(0, "\x03\xe8");
      const bool compressed = random() % 4 == 0;
      if (compressed) {
        std::string small;
        weft::rt::ws_deflate(payload, small);
        payload = small;
      }
      if (masked) weft::rt::ws_mask(payload.data(), payload.size(), mask, 0);
      weft::rt::ws_append_head(text, kind, random() % 3 != 0, compressed, payload.size(),
                               masked ? &mask : nullptr);
      text += payload;
    }
    for (int changes = static_cast<int>(random() % 4) - 1; changes > 0 && !text.empty();
         --changes) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = static_cast<char>(random());
      else
        text.erase(at, 1 + random() % 3);
    }
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  }
}

}  // namespace
