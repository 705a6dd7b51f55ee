// SPDX-License-Identifier: Apache-2.0
// The few wire types of protocol buffers that profiles need
// (protobuf.dev/programming-guides/encoding).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weft::rt {

class proto_writer {
 public:
  /// Left out when 0, as the format allows.
  void number(unsigned field, uint64_t value) {
    if (value == 0) return;
    varint(field << 3);
    varint(value);
  }
  void signed_number(unsigned field, int64_t value) { number(field, static_cast<uint64_t>(value)); }
  void bytes(unsigned field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    text_ += value;
  }
  /// A repeated number, packed.
  template <class Numbers>
  void packed(unsigned field, const Numbers& numbers) {
    proto_writer inner;
    for (const auto n : numbers) inner.varint(static_cast<uint64_t>(n));
    bytes(field, inner.text_);
  }
  void message(unsigned field, const proto_writer& inner) { bytes(field, inner.text_); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }
  void clear() noexcept { text_.clear(); }
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace weft::rt
