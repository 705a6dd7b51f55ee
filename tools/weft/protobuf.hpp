// SPDX-License-Identifier: Apache-2.0
// Reads protobuf's wire format: the fields of one message, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft_command {

/// A message's fields:
///
///   proto_reader in(bytes);
///   while (in.next()) if (in.field() == 2) use(in.bytes());
///   if (in.bad()) ...
///
/// After something malformed next() is false and bad() says what it is.
class proto_reader {
 public:
  /// `at`: where `bytes` begins in the whole file, for errors.
  explicit proto_reader(std::string_view bytes, size_t at = 0) noexcept
      : begin_(bytes.data()), rest_(bytes), base_(at) {}

  [[nodiscard]] bool next() noexcept {
    if (bad_ != nullptr || rest_.empty()) return false;
    field_at_ = offset();
    uint64_t key = 0;
    if (!varint(key)) return false;
    field_ = key >> 3;
    if (field_ == 0 || field_ >= (1U << 29)) return fail("a field's number is out of range");
    wire_ = static_cast<unsigned>(key & 7);
    switch (wire_) {
      case 0:
        return varint(number_);
      case 1:
        return fixed(8);
      case 5:
        return fixed(4);
      case 2: {
        uint64_t length = 0;
        if (!varint(length)) return false;
        if (length > rest_.size()) return fail("a field is longer than what is left");
        bytes_at_ = offset();
        bytes_ = rest_.substr(0, length);
        rest_.remove_prefix(length);
        return true;
      }
      default:
        return fail("a field has a wire type that is not used");
    }
  }

  [[nodiscard]] uint64_t field() const noexcept { return field_; }
  [[nodiscard]] bool is_number() const noexcept { return wire_ == 0; }
  [[nodiscard]] bool is_bytes() const noexcept { return wire_ == 2; }
  /// The current field's value; refused if it has another type.
  [[nodiscard]] uint64_t number() noexcept {
    if (wire_ == 0) return number_;
    (void)fail("a field is no number");
    return 0;
  }
  [[nodiscard]] std::string_view bytes() noexcept {
    if (wire_ == 2) return bytes_;
    (void)fail("a field is no text or message");
    return {};
  }
  /// Where bytes() is in the whole file.
  [[nodiscard]] size_t bytes_at() const noexcept { return bytes_at_; }
  [[nodiscard]] size_t field_at() const noexcept { return field_at_; }

  /// Calls `f(uint64_t)` for each element of a repeated number, packed or not.
  template <class F>
  void numbers(F f) {
    if (wire_ == 0) {
      f(number_);
      return;
    }
    proto_reader packed(bytes(), bytes_at_);
    while (bad_ == nullptr && !packed.rest_.empty()) {
      uint64_t number = 0;
      if (packed.varint(number))
        f(number);
      else
        (void)fail(packed.bad_);
    }
  }

  /// Null, or what is malformed.
  [[nodiscard]] const char* bad() const noexcept { return bad_; }
  [[nodiscard]] size_t bad_at() const noexcept { return bad_at_; }
  bool fail(const char* why) noexcept {
    if (bad_ == nullptr) {
      bad_ = why;
      bad_at_ = offset();
    }
    return false;
  }

 private:
  [[nodiscard]] size_t offset() const noexcept {
    return base_ + static_cast<size_t>(rest_.data() - begin_);
  }
  bool varint(uint64_t& out) noexcept {
    uint64_t value = 0;
    for (unsigned i = 0; i < 10; ++i) {
      if (i == rest_.size()) return fail("a number is cut off");
      const auto byte = static_cast<unsigned char>(rest_[i]);
      if (i == 9 && byte > 1) return fail("a number has more than 64 bits");
      value |= static_cast<uint64_t>(byte & 0x7fU) << (7 * i);
      if ((byte & 0x80U) == 0) {
        rest_.remove_prefix(i + 1);
        out = value;
        return true;
      }
    }
    return fail("a number has more than 64 bits");
  }
  bool fixed(size_t count) noexcept {
    if (rest_.size() < count) return fail("a number is cut off");
    rest_.remove_prefix(count);
    return true;
  }

  const char* begin_;
  std::string_view rest_;
  size_t base_;
  uint64_t field_ = 0;
  unsigned wire_ = 0;
  uint64_t number_ = 0;
  std::string_view bytes_;
  size_t bytes_at_ = 0;
  size_t field_at_ = 0;
  const char* bad_ = nullptr;
  size_t bad_at_ = 0;
};

}  // namespace weft_command
