// SPDX-License-Identifier: Apache-2.0
// RESP2: parsing and writing.
#include "resp.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kv {

namespace {

inline constexpr size_t npos = std::string_view::npos;

size_t find_byte(std::string_view in, char wanted, size_t from) noexcept {
  if (from >= in.size()) return npos;
  const void* found = std::memchr(in.data() + from, wanted, in.size() - from);
  return found == nullptr ? npos : static_cast<size_t>(static_cast<const char*>(found) - in.data());
}

bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char unescape(char c) noexcept {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

}  // namespace

void request_parser::reset() noexcept {
  at_ = 0;
  remaining_ = -1;
  bulk_length_ = -1;
  parts_.clear();
}

void request_parser::shrink() {
  constexpr size_t keep = 64;  // arguments of a usual command
  if (parts_.capacity() > keep) std::vector<part>().swap(parts_);
  if (arguments_.capacity() > keep) std::vector<std::string_view>().swap(arguments_);
  if (!inline_words_.empty()) std::vector<std::string>().swap(inline_words_);
}

request_parser::step request_parser::fail(std::string text) {
  error_ = std::move(text);
  return step::failed;
}

parse_status request_parser::next(std::string_view input, size_t& consumed) {
  consumed = 0;
  for (;;) {
    const std::string_view in = input.substr(consumed);
    if (in.empty()) return parse_status::need_more;
    step what = step::more;
    if (remaining_ >= 0 || in.front() == '*')
      what = parse_multibulk(in);
    else
      what = parse_inline(in);
    switch (what) {
      case step::more:
        if (in.size() > limits_->request_bytes_max) {
          error_ = "ERR Protocol error: too big request";
          return parse_status::error;
        }
        return parse_status::need_more;
      case step::failed:
        return parse_status::error;
      case step::skipped:
        consumed += at_;
        reset();
        break;
      case step::done:
        consumed += at_;
        reset();
        return parse_status::command;
    }
  }
}

request_parser::step request_parser::parse_multibulk(std::string_view in) {
  if (remaining_ < 0) {
    const size_t end = find_byte(in, '\r', at_);
    if (end == npos) {
      if (in.size() > limits_->line_bytes_max)
        return fail("ERR Protocol error: too big mbulk count string");
      return step::more;
    }
    if (end + 2 > in.size()) return step::more;
    int64_t count = 0;
    if (!parse_int64(in.substr(1, end - 1), count) || count > limits_->arguments_max)
      return fail("ERR Protocol error: invalid multibulk length");
    at_ = end + 2;
    if (count <= 0) return step::skipped;
    remaining_ = count;
  }
  while (remaining_ > 0) {
    if (bulk_length_ < 0) {
      const size_t end = find_byte(in, '\r', at_);
      if (end == npos) {
        if (in.size() - at_ > limits_->line_bytes_max)
          return fail("ERR Protocol error: too big bulk count string");
        return step::more;
      }
      if (end + 2 > in.size()) return step::more;
      if (in[at_] != '$')
        return fail(std::string("ERR Protocol error: expected '$', got '") + in[at_] + "'");
      int64_t length = 0;
      if (!parse_int64(in.substr(at_ + 1, end - at_ - 1), length) || length < 0 ||
          length > limits_->bulk_bytes_max)
        return fail("ERR Protocol error: invalid bulk length");
      at_ = end + 2;
      bulk_length_ = length;
    }
    const auto length = static_cast<size_t>(bulk_length_);
    if (in.size() - at_ < length + 2) return step::more;
    parts_.push_back({at_, length});
    at_ += length + 2;
    bulk_length_ = -1;
    --remaining_;
  }
  arguments_.clear();
  for (const part& p : parts_) arguments_.push_back(in.substr(p.offset, p.length));
  return step::done;
}

request_parser::step request_parser::parse_inline(std::string_view in) {
  // Looked at from where the last look ended: a slow typist costs no rescans.
  const size_t end = find_byte(in, '\n', at_);
  if (end == npos) {
    if (in.size() > limits_->line_bytes_max)
      return fail("ERR Protocol error: too big inline request");
    at_ = in.size();
    return step::more;
  }
  std::string_view line = in.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  at_ = end + 1;
  if (!split_line(line)) return fail("ERR Protocol error: unbalanced quotes in request");
  if (inline_words_.empty()) return step::skipped;
  arguments_.assign(inline_words_.begin(), inline_words_.end());
  return step::done;
}

/// Words with quotes: "a\n\x41" with escapes, 'a' with \' only; a closing quote ends the word.
bool request_parser::split_line(std::string_view line) {
  inline_words_.clear();
  size_t i = 0;
  for (;;) {
    while (i < line.size() && is_space(line[i])) ++i;
    if (i == line.size()) return true;
    std::string word;
    char quote = '\0';
    for (bool in_word = true; in_word; ++i) {
      if (i == line.size()) {
        if (quote != '\0') return false;
        break;
      }
      const char c = line[i];
      if (quote == '\0') {
        if (is_space(c)) break;
        if (c == '"' || c == '\'')
          quote = c;
        else
          word += c;
      } else if (quote == '"' && c == '\\' && i + 3 < line.size() && line[i + 1] == 'x' &&
                 hex_digit(line[i + 2]) >= 0 && hex_digit(line[i + 3]) >= 0) {
        word += static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3]));
        i += 3;
      } else if (quote == '"' && c == '\\' && i + 1 < line.size()) {
        word += unescape(line[++i]);
      } else if (quote == '\'' && c == '\\' && i + 1 < line.size() && line[i + 1] == '\'') {
        word += '\'';
        ++i;
      } else if (c == quote) {
        if (i + 1 < line.size() && !is_space(line[i + 1])) return false;
        in_word = false;
      } else {
        word += c;
      }
    }
    inline_words_.push_back(std::move(word));
  }
}

bool parse_int64(std::string_view text, int64_t& out) noexcept {
  if (text.empty() || text.size() > 20) return false;
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  if (digits.empty() || (digits.front() == '0' && text.size() > 1)) return false;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  return bad == std::errc{} && end == text.data() + text.size();
}

bool parse_float(std::string_view text, long double& out) noexcept {
  char copy[256];
  if (text.empty() || text.size() >= sizeof copy || is_space(text.front())) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  out = std::strtold(copy, &end);
  if (end != copy + text.size() || std::isnan(out)) return false;
  return errno != ERANGE || (std::fabs(out) != HUGE_VALL && out != 0);
}

std::string format_float(long double number) {
  char text[5 * 1024];  // LDBL_MAX has 4933 digits
  const int length = std::snprintf(text, sizeof text, "%.17Lf", number);
  std::string out(text, static_cast<size_t>(length));
  if (out.find('.') != npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return out == "-0" ? "0" : out;
}

void reply::error(std::string_view text) {
  const size_t begin = out_.size();
  line('-', text);
  for (size_t i = begin; i + 2 < out_.size(); ++i)
    if (out_[i] == '\r' || out_[i] == '\n') out_[i] = ' ';
}

void reply::number(char kind, int64_t whole) {
  char text[24];
  text[0] = kind;
  char* end = std::to_chars(text + 1, text + sizeof text - 2, whole).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out_.append(text, static_cast<size_t>(end - text));
}

}  // namespace kv
