// SPDX-License-Identifier: Apache-2.0
// The reader's grammar: structure, literals, strings, and what is passed over.
#include "weft/json/reader.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "weft/json/internal/locate.hpp"
#include "weft/json/value.hpp"

namespace weft::json {

namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// What stands at the token that begins with `c`, in words.
const char* in_words(char c) {
  switch (c) {
    case '\0':
      return "the end of the text";
    case '"':
      return "a string";
    case '{':
      return "an object";
    case '[':
      return "an array";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    case '}':
      return "'}'";
    case ']':
      return "']'";
    case ',':
      return "','";
    case ':':
      return "':'";
    default:
      return (c >= '0' && c <= '9') || c == '-' ? "a number" : "something else";
  }
}

/// Four hexadecimal digits, or -1.
int hex4(const char* p) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    char c = p[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

char* put_utf8(char* to, uint32_t code) {
  auto byte = [&](uint32_t b) { *to++ = static_cast<char>(b); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6);
    byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3f));
    byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
  return to;
}

/// An escape, `from` behind its backslash: writes what it stands for. Returns what is wrong.
const char* put_escape(const char*& from, const char* end, char*& to) {
  if (from == end) return "an escape without its letter";
  switch (char c = *from++; c) {
    case '"':
    case '\\':
    case '/':
      *to++ = c;
      return nullptr;
    case 'b':
      *to++ = '\b';
      return nullptr;
    case 'f':
      *to++ = '\f';
      return nullptr;
    case 'n':
      *to++ = '\n';
      return nullptr;
    case 'r':
      *to++ = '\r';
      return nullptr;
    case 't':
      *to++ = '\t';
      return nullptr;
    case 'u':
      break;
    default:
      return "no such escape in JSON";
  }
  int code = end - from >= 4 ? hex4(from) : -1;
  if (code < 0) return "\\u needs four hexadecimal digits";
  from += 4;
  if (code < 0xd800 || code > 0xdfff) {
    to = put_utf8(to, static_cast<uint32_t>(code));
    return nullptr;
  }
  int low =
      code < 0xdc00 && end - from >= 6 && from[0] == '\\' && from[1] == 'u' ? hex4(from + 2) : -1;
  if (low < 0xdc00 || low > 0xdfff) return "half of a surrogate pair, which is no character";
  from += 6;
  to = put_utf8(to, 0x10000 + (static_cast<uint32_t>(code - 0xd800) << 10) +
                        static_cast<uint32_t>(low - 0xdc00));
  return nullptr;
}

/// Whether `text` has a backslash; most strings are short and have none.
bool has_escape(std::string_view text) {
  const char* p = text.data();
  size_t left = text.size();
  if (left > 64) return std::memchr(p, '\\', left) != nullptr;
  constexpr uint64_t ones = 0x0101010101010101;
  auto hit = [&](uint64_t word) {
    uint64_t x = word ^ (ones * '\\');
    return (x - ones) & ~x & (ones << 7);
  };
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    if (hit(word) != 0) return true;
  }
  for (; left > 0; ++p, --left) {
    if (*p == '\\') return true;
  }
  return false;
}

}  // namespace

// --- structure -----------------------------------------------------------------------------------

kind reader::next() const noexcept {
  char c = peek();
  switch (c) {
    case '"':
      return kind::string;
    case '{':
      return kind::object;
    case '[':
      return kind::array;
    case 't':
    case 'f':
      return kind::boolean;
    case 'n':
      return kind::null;
    default:
      return (c >= '0' && c <= '9') || c == '-' ? kind::number : kind::none;
  }
}

bool reader::enter() {
  if (++depth_ <= options_.depth_max && depth_ <= depth_cap) return true;
  return fail(at_[-1],
              "deeper than " + std::to_string(std::min(options_.depth_max, depth_cap)) +
                  " levels, which decode_options::depth_max allows",
              reason::limit);
}

bool reader::take_key(std::string_view& key) {
  if (peek() != '"') {
    return fail(offset(), std::string("expected a key, got ") + in_words(peek()), reason::syntax);
  }
  key = take_string();
  if (take(':')) return true;
  return fail(offset(), std::string("expected ':' after the key, got ") + in_words(peek()),
              reason::syntax);
}

bool reader::no_separator(char close) {
  return fail(offset(),
              std::string(close == '}' ? "expected ',' or '}' after the value, got "
                                       : "expected ',' or ']' after the value, got ") +
                  in_words(peek()),
              reason::syntax);
}

bool reader::begin_array() {
  if (!take('[')) return wrong_type("an array");
  first_ = true;
  return enter();
}

bool reader::more_elements() {
  if (failed_) return false;
  if (first_) {
    first_ = false;
    if (!take(']')) return true;
    leave();
    return false;
  }
  return more(']');
}

bool reader::begin_object() {
  if (!take('{')) return wrong_type("an object");
  first_ = true;
  return enter();
}

bool reader::next_key(std::string& key) {
  if (failed_) return false;
  if (first_) {
    first_ = false;
    if (take('}')) {
      leave();
      return false;
    }
  } else if (!more('}')) {
    return false;
  }
  std::string_view raw;
  key_at_ = offset();
  if (!take_key(raw)) return false;
  if (has_escape(raw)) return unescape(raw, key);
  key.assign(raw);
  return true;
}

bool reader::finish() {
  if (failed_) return false;
  if (at_ == end_) return true;
  return fail(offset(), "expected the end of the text after the value", reason::syntax);
}

// --- scalars -------------------------------------------------------------------------------------

std::string_view reader::scalar() const noexcept {
  const char* begin = text_ + at_[0];
  const char* end = text_ + at_[1];
  while (end > begin && is_blank(end[-1])) --end;
  return {begin, static_cast<size_t>(end - begin)};
}

bool reader::literal(std::string_view word) {
  if (scalar() != word) {
    return fail(offset(), "expected a value, got something else", reason::syntax);
  }
  ++at_;
  return true;
}

bool reader::take_null() { return peek() == 'n' && literal("null"); }

bool reader::read_bool(bool& out) {
  char c = peek();
  if (c != 't' && c != 'f') return wrong_type("a boolean");
  if (!literal(c == 't' ? "true" : "false")) return false;
  out = c == 't';
  return true;
}

// --- strings -------------------------------------------------------------------------------------

std::string_view reader::take_string() noexcept {
  const char* open = text_ + at_[0];
  // Between a string's end and the next token are only blanks: no search for its end.
  const char* close = text_ + at_[1] - 1;
  while (*close != '"') --close;
  ++at_;
  return {open + 1, static_cast<size_t>(close - open - 1)};
}

bool reader::read_string(std::string& out) {
  if (peek() != '"') return wrong_type("a string");
  std::string_view raw = take_string();
  if (!has_escape(raw)) [[likely]] {
    out.assign(raw);
    return true;
  }
  return unescape(raw, out);
}

bool reader::unescape(std::string_view raw, std::string& out) {
  out.resize(raw.size());
  const char* from = raw.data();
  const char* end = from + raw.size();
  char* to = out.data();
  while (from < end) {
    auto left = static_cast<size_t>(end - from);
    const void* found = std::memchr(from, '\\', left);
    size_t plain =
        found != nullptr ? static_cast<size_t>(static_cast<const char*>(found) - from) : left;
    std::memcpy(to, from, plain);
    to += plain;
    from += plain;
    if (from == end) break;
    const char* escape = from++;
    if (const char* wrong = put_escape(from, end, to); wrong != nullptr) {
      return fail(static_cast<size_t>(escape - text_), wrong, reason::syntax);
    }
  }
  out.resize(static_cast<size_t>(to - out.data()));
  return true;
}

// --- what is passed over -------------------------------------------------------------------------

bool reader::skip_scalar(char c) {
  if (c == '"') {
    std::string_view raw = take_string();
    if (!has_escape(raw)) [[likely]]
      return true;
    std::string unescaped;
    return unescape(raw, unescaped);
  }
  if (c == 't' || c == 'f' || c == 'n') {
    return literal(c == 't' ? "true" : c == 'f' ? "false" : "null");
  }
  return check_number();
}

bool reader::skip() {
  // Most of what is passed over is small.
  if (char c = peek(); c != '{' && c != '[') return skip_scalar(c);
  if (options_.refuse_duplicate_keys) {
    value ignored;
    return ignored.read(*this);
  }
  // Which of the open levels are objects, one bit each.
  std::array<uint64_t, depth_cap / 64> objects{};
  const uint32_t base = depth_;
  std::string unescaped;
  auto inside_object = [&] {
    uint32_t i = depth_ - 1;
    return (objects[i / 64] >> (i % 64) & 1) != 0;
  };
  auto key = [&] {
    std::string_view raw;
    return take_key(raw) && (!has_escape(raw) || unescape(raw, unescaped));
  };
  for (;;) {
    char c = peek();
    bool opened = false;
    if (c == '{' || c == '[') {
      ++at_;
      if (!enter()) return false;
      uint32_t i = depth_ - 1;
      objects[i / 64] =
          (objects[i / 64] & ~(uint64_t{1} << (i % 64))) | (uint64_t{c == '{'} << (i % 64));
      opened = !take(c == '{' ? '}' : ']');
      if (!opened) leave();
    } else if (!skip_scalar(c)) {
      return false;
    }
    if (opened) {
      if (inside_object() && !key()) return false;
      continue;
    }
    // Behind a value: the next one of its level, or of the level that has ended with it.
    for (;;) {
      if (depth_ == base) return true;
      bool object = inside_object();
      if (more(object ? '}' : ']')) {
        if (object && !key()) return false;
        break;
      }
      if (failed_) return false;
    }
  }
}

bool reader::read_raw(std::string& out) {
  size_t begin = offset();
  if (!skip()) return false;
  const char* end = text_ + *at_;
  // The next token, or the end: what stands before are blanks.
  while (end > text_ + begin && is_blank(end[-1])) --end;
  out.assign(text_ + begin, end);
  return true;
}

// --- failures ------------------------------------------------------------------------------------

bool reader::fail(size_t offset, std::string what, reason why) {
  if (failed_) return false;
  failed_ = true;
  fault_at_ = offset;
  fault_what_ = std::move(what);
  fault_why_ = why;
  return false;
}

bool reader::wrong_type(const char* expected) {
  bool value = next() != kind::none;
  return fail(offset(), std::string("expected ") + expected + ", got " + in_words(peek()),
              value ? reason::type : reason::syntax);
}

problem reader::take_problem(std::string_view text) {
  return {.why = fault_why_,
          .path = rt::json_impl::path_at(text, fault_at_),
          .offset = fault_at_,
          .what = std::move(fault_what_)};
}

}  // namespace weft::json
