// SPDX-License-Identifier: Apache-2.0
// The writer's text: brackets, strings and their escapes, indentation.
#include "weft/json/writer.hpp"

#include <algorithm>
#include <array>

#include "weft/json/internal/locate.hpp"

namespace weft::json {

namespace {

/// What is taken for a text at first; most answers are smaller, so this is one allocation.
constexpr size_t first_bytes = 480;
/// Free bytes that number(), integer() and the tail of a string may write without asking.
constexpr size_t slack_bytes = 64;

constexpr uint64_t ones = 0x0101010101010101;
constexpr uint64_t tops = ones << 7;

/// A top bit set for bytes that may need more than copying: below 0x20, `"`, `\`, not ASCII. A byte
/// above a true one may be marked, too; a word without marks has none.
uint64_t special(uint64_t word) {
  uint64_t quote = word ^ (ones * '"');
  uint64_t slash = word ^ (ones * '\\');
  return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * 0x20) & ~word) |
          word) &
         tops;
}
/// The same for `<`, `>` and `&`.
uint64_t special_in_html(uint64_t word) {
  uint64_t less = word ^ (ones * '<');
  uint64_t more = word ^ (ones * '>');
  uint64_t amp = word ^ (ones * '&');
  return (((less - ones) & ~less) | ((more - ones) & ~more) | ((amp - ones) & ~amp)) & tops;
}

/// The bytes of ASCII that are copied as they are, outside HTML.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> plain = make_plain();

/// The letter of a two-byte escape, or 0.
char short_escape(char c) {
  switch (c) {
    case '"':
      return '"';
    case '\\':
      return '\\';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return '\0';
  }
}

}  // namespace

writer::writer(std::string& out, const encode_options& options)
    : out_(out), options_(options), begin_(out.size()), at_(nullptr), end_(nullptr) {
  size_t room = std::max(out.capacity(), begin_ + first_bytes);
  out_.resize_and_overwrite(room, [](char*, size_t bytes) { return bytes; });
  at_ = out_.data() + begin_;
  end_ = out_.data() + room;
}

void writer::grow(size_t bytes) {
  auto used = static_cast<size_t>(at_ - out_.data());
  size_t room = std::max(out_.size() * 2, used + bytes + slack_bytes);
  out_.resize_and_overwrite(room, [](char*, size_t all) { return all; });
  at_ = out_.data() + used;
  end_ = out_.data() + room;
}

bool writer::finish(problem& found) {
  auto used = static_cast<size_t>(at_ - out_.data());
  out_.resize(used);
  if (!failed_) return true;
  std::string_view written = std::string_view(out_).substr(begin_);
  found = {.why = fault_why_,
           .path = rt::json_impl::path_at(written, written.size()),
           .offset = written.size(),
           .what = std::move(fault_what_)};
  return false;
}

bool writer::fail(std::string what, reason why) {
  if (failed_) return false;
  failed_ = true;
  fault_what_ = std::move(what);
  fault_why_ = why;
  return false;
}

bool writer::word(std::string_view text) {
  reserve(8);
  std::memcpy(at_, text.data(), text.size());
  at_ += text.size();
  return true;
}

bool writer::raw(std::string_view text) {
  reserve(text.size());
  std::memcpy(at_, text.data(), text.size());
  at_ += text.size();
  return true;
}

// --- structure -----------------------------------------------------------------------------------

bool writer::open(char bracket) {
  uint32_t most = std::min(options_.depth_max, depth_cap);
  if (++depth_ > most) {
    return fail("deeper than " + std::to_string(most) +
                    " levels, which encode_options::depth_max allows: a cycle?",
                reason::limit);
  }
  put(bracket);
  return true;
}

bool writer::close(char bracket) {
  --depth_;
  if (options_.indent != 0 && last() != (bracket == '}' ? '{' : '[')) [[unlikely]]
    new_line();
  put(bracket);
  return true;
}

void writer::new_line() {
  size_t blanks = size_t{depth_} * options_.indent;
  reserve(blanks + 1);
  *at_++ = '\n';
  std::memset(at_, ' ', blanks);
  at_ += blanks;
}

void writer::indented_key(const char* text, size_t bytes) {
  if (last() != '{') put(',');
  new_line();
  reserve(bytes + 1);
  std::memcpy(at_, text + 1, bytes - 1);
  at_ += bytes - 1;
  *at_++ = ' ';
}

bool writer::key(std::string_view name) {
  if (last() != '{') put(',');
  if (options_.indent != 0) [[unlikely]]
    new_line();
  if (!string(name)) return false;
  reserve(2);
  *at_++ = ':';
  if (options_.indent != 0) [[unlikely]]
    *at_++ = ' ';
  return true;
}

// --- strings -------------------------------------------------------------------------------------

bool writer::special_byte(std::string_view text, size_t& at) {
  reserve(text.size() - at + slack_bytes);
  char c = text[at];
  auto escape = [&](std::string_view as) {
    std::memcpy(at_, as.data(), as.size());
    at_ += as.size();
  };
  if (static_cast<unsigned char>(c) >= 0x80) {
    std::string_view rest = text.substr(at);
    size_t bytes = rt::json_impl::utf8_length(rest);
    if (bytes == 0) {
      if (!options_.replace_invalid_utf8) {
        return fail("a string with invalid UTF-8 at its byte " + std::to_string(at) +
                        "; encode_options::replace_invalid_utf8 replaces it",
                    reason::utf8);
      }
      escape("\xef\xbf\xbd");
      ++at;
      return true;
    }
    rest = rest.substr(0, bytes);
    if (options_.escape_html && (rest == "\u2028" || rest == "\u2029")) {
      escape(rest == "\u2028" ? "\\u2028" : "\\u2029");
    } else {
      escape(rest);
    }
    at += bytes;
    return true;
  }
  bool html = options_.escape_html && (c == '<' || c == '>' || c == '&');
  if (char letter = short_escape(c); letter != '\0') {
    *at_++ = '\\';
    *at_++ = letter;
  } else if (html || !plain[static_cast<unsigned char>(c)]) {
    constexpr std::string_view digits = "0123456789abcdef";
    escape("\\u00");
    *at_++ = digits[static_cast<unsigned char>(c) >> 4];
    *at_++ = digits[static_cast<unsigned char>(c) & 15];
  } else {
    *at_++ = c;
  }
  ++at;
  return true;
}

bool writer::string(std::string_view text) {
  // Room for all of it unescaped; special_byte() asks for more.
  reserve(text.size() + slack_bytes);
  *at_++ = '"';
  const bool html = options_.escape_html;
  size_t at = 0;
  while (at < text.size()) {
    while (text.size() - at >= 8) {
      uint64_t word;
      std::memcpy(&word, text.data() + at, 8);
      if (special(word) != 0 || (html && special_in_html(word) != 0)) break;
      std::memcpy(at_, &word, 8);
      at_ += 8;
      at += 8;
    }
    // The tail, or the word with something special in it.
    size_t stop = std::min(text.size(), at + 8);
    while (at < stop) {
      char c = text[at];
      bool copied = plain[static_cast<unsigned char>(c)];
      if (copied && !(html && (c == '<' || c == '>' || c == '&'))) [[likely]] {
        *at_++ = c;
        ++at;
      } else if (!special_byte(text, at)) {
        return false;
      }
    }
  }
  *at_++ = '"';
  return true;
}

}  // namespace weft::json
