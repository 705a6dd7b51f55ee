// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the request parser: however the bytes are cut, the same commands come out, in
// bounds, and no byte is consumed twice. With libFuzzer (WEFT_FUZZ), or from resp_test.cpp.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "resp.hpp"

namespace {

struct outcome {
  std::vector<std::vector<std::string>> commands;
  std::string error;
  friend bool operator==(const outcome&, const outcome&) = default;
};

void must(bool holds) {
  if (!holds) std::abort();
}

/// Feeds `bytes` in pieces of `step`, as a connection would. The buffer moves each time.
outcome parse(std::string_view bytes, size_t step) {
  kv::resp_limits limits;
  limits.bulk_bytes_max = 1 << 20;
  limits.arguments_max = 1000;
  limits.line_bytes_max = 1 << 20;  // what an endless line is called depends on the pieces
  kv::request_parser parser(limits);
  outcome out;
  std::string buffer;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::string grown = buffer + std::string(bytes.substr(at, step));
    buffer.swap(grown);
    for (;;) {
      size_t consumed = 0;
      const kv::parse_status status = parser.next(buffer, consumed);
      must(consumed <= buffer.size());
      if (status == kv::parse_status::error) {
        out.error = parser.error_text();
        must(!out.error.empty());
        return out;
      }
      if (status == kv::parse_status::command) {
        must(consumed > 0 && !parser.arguments().empty());
        auto& command = out.commands.emplace_back();
        for (const std::string_view word : parser.arguments()) command.emplace_back(word);
      }
      buffer.erase(0, consumed);
      if (status == kv::parse_status::need_more) break;
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const outcome whole = parse(bytes, size == 0 ? 1 : size);
  for (const size_t step : {size_t{1}, size_t{7}}) must(parse(bytes, step) == whole);
  return 0;
}
