// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the WebSocket receiver: however the bytes are cut, the same events come out,
// within the limits. With libFuzzer (WEFT_FUZZ), or from frames_test.cpp.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "weft/http/internal/ws_frames.hpp"

namespace {

using weft::rt::ws_receiver;
using weft::rt::ws_rules;

inline constexpr size_t message_max = 5000;

void must(bool holds) {
  if (!holds) std::abort();
}

std::string told(std::string_view bytes, size_t step, bool server) {
  ws_rules rules;
  rules.server = server;
  rules.deflate = true;
  rules.message_bytes_max = message_max;
  rules.frames_max = 50;
  ws_receiver receiver(rules);
  std::string out;
  std::string buffer;
  while (true) {
    size_t used = 0;
    const ws_receiver::event e = receiver.next(buffer.data(), buffer.size(), used);
    must(used <= buffer.size());
    buffer.erase(0, used);
    switch (e) {
      case ws_receiver::event::need_more:
        if (bytes.empty()) return out;
        buffer.append(bytes.substr(0, step));
        bytes.remove_prefix(std::min(step, bytes.size()));
        break;
      case ws_receiver::event::message: {
        const std::string message = receiver.take_message();
        must(message.size() <= message_max);
        out.append(receiver.text() ? "T" : "B").append(message);
        break;
      }
      case ws_receiver::event::ping:
      case ws_receiver::event::pong:
        must(receiver.payload().size() <= 125);
        out.append(e == ws_receiver::event::ping ? "ping" : "pong").append(receiver.payload());
        break;
      case ws_receiver::event::close:
        must(receiver.code() == 1005 || weft::rt::ws_close_code_good(receiver.code()));
        return out.append("close").append(receiver.payload());
      case ws_receiver::event::error:
        must(*receiver.why() != 0);
        return out.append("fail").append(std::to_string(receiver.code()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool server : {false, true}) {
    const std::string whole = told(text, SIZE_MAX, server);
    for (const size_t step : {size_t{1}, size_t{3}, size_t{64}})
      must(told(text, step, server) == whole);
  }
  return 0;
}
