// SPDX-License-Identifier: Apache-2.0
// The reader: what codecs of single types read values from. It stands before a value; each read
// takes one value, or fails and says where. decode() makes it.
//
// The first pass (internal/scan.hpp) has found where each token begins, so a reader is a position
// in that list. Every token is looked at exactly once, also in what is passed over: what decode()
// accepts is JSON.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/json/options.hpp"

namespace weft::json {

/// Kinds of values, by their first byte.
enum class kind : uint8_t { none, null, boolean, number, string, array, object };

class WEFT_API reader {
 public:
  reader(std::string_view text, const uint32_t* tokens, const uint32_t* tokens_end,
         const decode_options& options) noexcept
      : text_(text.data()),
        at_(tokens),
        end_(tokens_end),
        text_end_(text.size()),
        options_(options) {}
  reader(const reader&) = delete;
  reader& operator=(const reader&) = delete;

  [[nodiscard]] const decode_options& options() const noexcept { return options_; }

  /// What comes next; none: no value (a bracket that closes, the end, garbage).
  [[nodiscard]] kind next() const noexcept;
  /// Takes a value and forgets it.
  bool skip();
  /// Takes a null if one comes next. Also false on failure: see failed().
  bool take_null();

  // Each takes one value of its kind into `out`; anything else is a failure.
  bool read_bool(bool& out);
  bool read_int(int64_t& out, int64_t least = std::numeric_limits<int64_t>::min(),
                int64_t most = std::numeric_limits<int64_t>::max());
  bool read_uint(uint64_t& out, uint64_t most = std::numeric_limits<uint64_t>::max());
  bool read_double(double& out);
  bool read_float(float& out);
  bool read_string(std::string& out);
  /// Any value as it stands in the text, checked.
  bool read_raw(std::string& out);

  // An array: `if (!in.begin_array()) ...; while (in.more_elements()) read one;` and then failed().
  bool begin_array();
  bool more_elements();
  // An object: begin_object(), then while next_key(key) read its value; and then failed().
  bool begin_object();
  bool next_key(std::string& key);
  /// Where the key that next_key() gave begins.
  [[nodiscard]] size_t key_offset() const noexcept { return key_at_; }

  /// Where the next value begins in the text. A codec notes it before it reads what it may refuse.
  [[nodiscard]] size_t offset() const noexcept { return *at_; }
  /// Notes that the value at `offset` is wrong. The first failure counts. Returns false.
  bool fail(size_t offset, std::string what, reason why = reason::value);
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  /// `expected a number, got a string`, at the next value.
  bool wrong_type(const char* expected);

  /// To read a value twice: a place to come back to.
  struct mark {
    const uint32_t* at;
    uint32_t depth;
  };
  [[nodiscard]] mark here() const noexcept { return {at_, depth_}; }
  void back_to(const mark& place) noexcept { at_ = place.at, depth_ = place.depth; }

  // --- for object.cpp and value.cpp --------------------------------------------------------------

  /// The next token's first byte; 0 at the end.
  [[nodiscard]] char peek() const noexcept { return at_ < end_ ? text_[*at_] : '\0'; }
  /// Takes the token `c` if it comes next.
  bool take(char c) noexcept {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  /// One level deeper, or a failure at the token before.
  bool enter();
  void leave() noexcept { --depth_; }
  /// A key and its colon. `key` is the text between the quotes, escapes and all.
  bool take_key(std::string_view& key);
  /// Takes a key and its colon if it is this one, spelled without escapes; else nothing.
  bool take_expected_key(std::string_view name) noexcept {
    if (end_ - at_ < 2) return false;
    const char* open = text_ + at_[0];
    // The colon's place bounds what may be compared: quotes and name lie before it.
    if (at_[1] - at_[0] < name.size() + 2 || *open != '"' || open[name.size() + 1] != '"' ||
        text_[at_[1]] != ':' || !same(open + 1, name.data(), name.size()))
      return false;
    at_ += 2;
    return true;
  }
  /// Behind a value in an object or array: true before another one, which for an object is a key.
  bool more(char close) {
    char c = peek();
    if (c == ',') [[likely]] {
      ++at_;
      return true;
    }
    if (c != close) [[unlikely]]
      return no_separator(close);
    ++at_;
    leave();
    return false;
  }
  /// `raw` of take_key without its escapes.
  bool unescape(std::string_view raw, std::string& out);
  /// Whether the number that comes next is an integer by its spelling.
  [[nodiscard]] bool integer_next() const noexcept;
  /// Whether it is also within these bounds.
  [[nodiscard]] bool integer_next(int64_t least, uint64_t most) const noexcept;
  /// The type that holds the integer that comes next.
  enum class width : uint8_t { int64, uint64, wider };
  [[nodiscard]] width width_next() const noexcept;
  /// No value may follow.
  bool finish();
  [[nodiscard]] problem take_problem(std::string_view text);

 private:
  /// The text between the quotes of the string token that comes next; takes it.
  std::string_view take_string() noexcept;
  /// The text of the scalar token that comes next, without the blanks behind it.
  [[nodiscard]] std::string_view scalar() const noexcept;
  bool literal(std::string_view word);
  bool skip_scalar(char c);
  bool no_separator(char close);
  /// memcmp for short texts, without the call.
  static bool same(const char* a, const char* b, size_t bytes) noexcept {
    auto words = [&]<class W>(W) {
      for (size_t i = 0;; i += sizeof(W)) {
        // The last word overlaps the one before it.
        size_t at = i + sizeof(W) <= bytes ? i : bytes - sizeof(W);
        W x, y;
        std::memcpy(&x, a + at, sizeof x);
        std::memcpy(&y, b + at, sizeof y);
        if (x != y) return false;
        if (at + sizeof(W) == bytes) return true;
      }
    };
    if (bytes >= 8) return words(uint64_t{});
    if (bytes >= 4) return words(uint32_t{});
    if (bytes >= 2) return words(uint16_t{});
    return bytes == 0 || *a == *b;
  }
  bool check_number();
  bool not_a_number(std::string_view token);
  template <class T>
  bool read_floating(T& out);

  const char* text_;
  const uint32_t* at_;  // the next token; *end_ is the size of the text
  const uint32_t* end_;
  size_t text_end_;
  uint32_t depth_ = 0;
  bool first_ = false;  // more_elements() and next_key(): nothing was read since begin
  bool failed_ = false;
  size_t key_at_ = 0;
  const decode_options& options_;
  // Of the first failure.
  size_t fault_at_ = 0;
  reason fault_why_ = reason::syntax;
  std::string fault_what_;
};

}  // namespace weft::json
