// SPDX-License-Identifier: Apache-2.0
// The writer: what codecs of single types write values to, straight into a string. encode() makes
// it. Commas are not the caller's business: one comes before whatever does not follow an opening
// bracket.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/json/options.hpp"

namespace weft::json {

class WEFT_API writer {
 public:
  /// Appends to `out`, whose size is right only after finish().
  writer(std::string& out, const encode_options& options);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  [[nodiscard]] const encode_options& options() const noexcept { return options_; }

  // Each writes one value. False: it cannot be written; the reason is kept.
  bool null() { return word("null"); }
  bool boolean(bool value) { return word(value ? "true" : "false"); }
  bool integer(int64_t value);
  bool integer_unsigned(uint64_t value);
  /// The shortest text that reads back as the same double. Not a number, infinity: a failure.
  bool number(double value);
  bool number(float value);
  bool string(std::string_view text);
  /// `text` as it is; it must be JSON, see is_valid() in value.hpp.
  bool raw(std::string_view text);

  // An array: begin_array(), for each element element() and the value, end_array().
  bool begin_array() { return open('['); }
  void element() {
    if (last() != '[') {
      put(',');
    }
    if (options_.indent != 0) [[unlikely]]
      new_line();
  }
  bool end_array() { return close(']'); }
  // An object: begin_object(), for each member key() and the value, end_object().
  bool begin_object() { return open('{'); }
  bool key(std::string_view name);
  bool end_object() { return close('}'); }

  /// Notes why the value that would come next cannot be written. Returns false.
  bool fail(std::string what, reason why = reason::value);
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  // --- for object.cpp ----------------------------------------------------------------------------

  /// A key that was made before: `,"name":`, with bytes behind it up to a multiple of 32. Its
  /// length is `bytes`.
  void prepared_key(const char* text, size_t bytes) {
    reserve(bytes + 32);
    if (options_.indent != 0) [[unlikely]] {
      indented_key(text, bytes);
      return;
    }
    bool first = last() == '{';
    text += first;
    bytes -= first;
    std::memcpy(at_, text, 31);
    if (bytes > 31) [[unlikely]]
      std::memcpy(at_, text, bytes);
    at_ += bytes;
  }
  /// Gives `out` its size. False, and what is wrong in `found`, if something was.
  bool finish(problem& found);

 private:
  [[nodiscard]] char last() const noexcept { return at_[-1]; }
  void put(char c) {
    reserve(1);
    *at_++ = c;
  }
  bool word(std::string_view text);
  bool open(char bracket);
  bool close(char bracket);
  void reserve(size_t bytes) {
    if (static_cast<size_t>(end_ - at_) < bytes) [[unlikely]]
      grow(bytes);
  }
  void grow(size_t bytes);
  void new_line();
  void indented_key(const char* text, size_t bytes);
  bool special_byte(std::string_view text, size_t& at);

  std::string& out_;
  const encode_options& options_;
  size_t begin_;  // where this text begins in out_
  char* at_;      // out_'s memory: written up to here,
  char* end_;     // free up to here
  uint32_t depth_ = 0;
  bool failed_ = false;
  reason fault_why_ = reason::value;
  std::string fault_what_;
};

}  // namespace weft::json
