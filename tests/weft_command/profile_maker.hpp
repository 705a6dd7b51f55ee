// SPDX-License-Identifier: Apache-2.0
// Writes profile.proto by hand, right or wrong as a test wants it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weft_command_test {

class message {
 public:
  message& number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3);
    varint(value);
    return *this;
  }
  message& bytes(uint32_t field, std::string_view value) {
    varint(uint64_t{field} << 3 | 2);
    varint(value.size());
    text_ += value;
    return *this;
  }
  message& packed(uint32_t field, const std::vector<uint64_t>& values) {
    message inner;
    for (const uint64_t v : values) inner.varint(v);
    return bytes(field, inner.text());
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

/// Two sample types, main -> (work inlined in step), main -> idle, and an address without a name.
inline std::string small_profile(int64_t work = 700, int64_t idle = 300) {
  message out;
  out.bytes(1, message().number(1, 1).number(2, 2).text());  // samples/count
  out.bytes(1, message().number(1, 3).number(2, 4).text());  // cpu/nanoseconds
  const auto sample = [&](const std::vector<uint64_t>& stack, uint64_t count, int64_t ns) {
    out.bytes(2, message()
                     .packed(1, stack)
                     .packed(2, {count, static_cast<uint64_t>(ns)})
                     .bytes(3, message().number(1, 11).number(2, 12).text())
                     .text());
  };
  sample({2, 1}, 7, work);
  sample({3, 1}, 3, idle);
  sample({4, 1}, 1, 100);
  out.bytes(3, message().number(1, 1).number(2, 0x1000).number(3, 0x9000).number(5, 5).text());
  const auto line = [](uint64_t function, uint64_t at) {
    return message().number(1, function).number(2, at).text();
  };
  const auto location = [&](uint64_t id, uint64_t address, const std::vector<std::string>& lines) {
    message made;
    made.number(1, id).number(2, 1).number(3, address);
    for (const std::string& l : lines) made.bytes(4, l);
    out.bytes(4, made.text());
  };
  location(1, 0x1100, {line(1, 10)});
  location(2, 0x1200, {line(2, 20), line(3, 30)});  // work, inlined in step
  location(3, 0x1300, {line(4, 40)});
  location(4, 0x1400, {});
  for (uint64_t id = 1; id <= 4; ++id)
    out.bytes(5, message().number(1, id).number(2, 5 + id).number(4, 10).text());
  for (const char* text : {"", "samples", "count", "cpu", "nanoseconds", "/opt/shop/server", "main",
                           "std::vector<int, std::allocator<int>>::work(int, char const*)",
                           "shop::step<&lt;>", "idle", "main.cpp", "route", "/pay"})
    out.bytes(6, text);
  return out.number(9, 1'794'000'000'000'000'000)
      .number(10, 2'000'000'000)
      .bytes(11, message().number(1, 3).number(2, 4).text())
      .number(12, 10'000'000)
      .text();
}

}  // namespace weft_command_test
