// SPDX-License-Identifier: Apache-2.0
// RESP2, Redis's protocol: an incremental request parser that copies nothing, and reply writers.
//
//   request   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n      or, inline, as a person types:   GET k\r\n
//   reply     +OK  -ERR text  :42  $3\r\nbar  $-1 (nil)  *2 ...  *-1 (nil array)
//
// The parser keeps its place between calls, so a request that arrives in a thousand pieces is
// looked at once. Texts of protocol errors and the leniencies are Redis's: a CR ends a header line
// and the two bytes behind a bulk are skipped unseen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

struct resp_limits {
  /// Of one argument. Redis's proto-max-bulk-len.
  int64_t bulk_bytes_max = 512LL * 1024 * 1024;
  /// Of one command. Redis's.
  int64_t arguments_max = 1024 * 1024;
  /// Of an inline command or a header line. Redis's PROTO_INLINE_MAX_SIZE.
  size_t line_bytes_max = 64 * 1024;
  /// Of one whole request. Redis's client-query-buffer-limit.
  size_t request_bytes_max = 1024UL * 1024 * 1024;
};

enum class parse_status : uint8_t { need_more, command, error };

class request_parser {
 public:
  explicit request_parser(const resp_limits& limits) noexcept : limits_(&limits) {}

  /// Parses one command out of `input`, which begins where the last command ended and has only
  /// grown since the last call that said need_more. `command`: arguments() are views into `input`
  /// (or into the parser, for inline commands), valid until the next call, never none; `consumed`
  /// bytes belong to it. need_more: `consumed` bytes were empty commands and may be dropped.
  /// error: error_text() is what to tell the client before closing.
  [[nodiscard]] parse_status next(std::string_view input, size_t& consumed);

  [[nodiscard]] std::span<const std::string_view> arguments() const noexcept { return arguments_; }
  [[nodiscard]] const std::string& error_text() const noexcept { return error_; }
  /// How many bytes the request in progress is known to need in all, counted from its begin; 0 if
  /// unknown. Lets the reader make room at once for a large bulk.
  [[nodiscard]] size_t bytes_wanted() const noexcept {
    return bulk_length_ >= 0 ? at_ + static_cast<size_t>(bulk_length_) + 2 : 0;
  }
  /// Lets go of memory that a large command left behind.
  void shrink();

 private:
  enum class step : uint8_t { more, done, skipped, failed };
  step parse_inline(std::string_view in);
  step parse_multibulk(std::string_view in);
  step fail(std::string text);
  bool split_line(std::string_view line);
  void reset() noexcept;

  const resp_limits* limits_;
  /// Where parsing goes on, from the request's begin.
  size_t at_ = 0;
  /// Arguments still to come; -1: header not seen yet.
  int64_t remaining_ = -1;
  /// Length of the bulk in progress; -1: its header not seen yet.
  int64_t bulk_length_ = -1;
  struct part {
    size_t offset;
    size_t length;
  };
  std::vector<part> parts_;  // offsets, since `input` may have moved between calls
  std::vector<std::string_view> arguments_;
  std::vector<std::string> inline_words_;
  std::string error_;
};

/// Whole-text conversions with Redis's strictness: no spaces, no plus sign, no leading zeros.
[[nodiscard]] bool parse_int64(std::string_view text, int64_t& out) noexcept;
/// As strtold with nothing around it; refuses nan.
[[nodiscard]] bool parse_float(std::string_view text, long double& out) noexcept;
/// Redis's text of a long double: up to 17 digits after the point, no trailing zeros.
[[nodiscard]] std::string format_float(long double number);

/// Appends replies to a string.
class reply {
 public:
  void ok() { out_ += "+OK\r\n"; }
  void simple(std::string_view text) { line('+', text); }
  /// `text` begins with the code: "ERR ...", "WRONGTYPE ...". Line ends in it become spaces.
  void error(std::string_view text);
  void integer(int64_t whole) { number(':', whole); }
  void bulk(std::string_view text) {
    number('$', static_cast<int64_t>(text.size()));
    out_.append(text).append("\r\n", 2);
  }
  void nil() { out_.append("$-1\r\n", 5); }
  void nil_array() { out_.append("*-1\r\n", 5); }
  void array(size_t count) { number('*', static_cast<int64_t>(count)); }
  void raw(std::string_view text) { out_.append(text); }

  [[nodiscard]] std::string& text() noexcept { return out_; }
  [[nodiscard]] size_t size() const noexcept { return out_.size(); }

 private:
  void line(char kind, std::string_view text) {
    out_ += kind;
    out_.append(text).append("\r\n", 2);
  }
  void number(char kind, int64_t whole);
  std::string out_;
};

}  // namespace kv
