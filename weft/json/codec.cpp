// SPDX-License-Identifier: Apache-2.0
// What the codecs share: integers as keys, base64, the tags of variants.
#include "weft/json/codec.hpp"

#include <array>
#include <charconv>

namespace weft::rt::json_impl {

namespace {

template <class T>
bool parse_whole(std::string_view text, T& out) {
  const char* end = text.data() + text.size();
  auto [at, failed] = std::from_chars(text.data(), end, out);
  return failed == std::errc{} && at == end;
}

constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> make_base64_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < base64_digits.size(); ++i) {
    values[static_cast<unsigned char>(base64_digits[i])] = static_cast<int8_t>(i);
  }
  return values;
}
constexpr std::array<int8_t, 256> base64_values = make_base64_values();

/// Groups of four digits, the last one padded; no blanks, no bits that would be lost.
bool decode_base64(std::string_view text, unsigned char* to) {
  for (size_t i = 0; i < text.size(); i += 4) {
    bool last = i + 4 == text.size();
    size_t padding = !last ? 0 : text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k) {
      int8_t value = k < 4 - padding ? base64_values[static_cast<unsigned char>(text[i + k])] : 0;
      if (value < 0) return false;
      bits = bits << 6 | static_cast<uint32_t>(value);
    }
    if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0)) {
      return false;
    }
    *to++ = static_cast<unsigned char>(bits >> 16);
    if (padding < 2) *to++ = static_cast<unsigned char>(bits >> 8);
    if (padding < 1) *to++ = static_cast<unsigned char>(bits);
  }
  return true;
}

}  // namespace

bool parse_key(std::string_view text, int64_t& out, int64_t least, int64_t most) {
  return parse_whole(text, out) && out >= least && out <= most;
}
bool parse_key(std::string_view text, uint64_t& out, uint64_t most) {
  return parse_whole(text, out) && out <= most;
}

bool read_base64(reader& in, void* bytes, void* (*resize)(void*, size_t)) {
  if (in.take_null()) {
    resize(bytes, 0);
    return true;
  }
  std::string text;
  const size_t at = in.offset();
  if (!in.read_string(text)) return false;
  bool good = text.size() % 4 == 0;
  if (good) {
    size_t padding = text.empty() ? 0 : (text.back() == '=') + (text[text.size() - 2] == '=');
    void* to = resize(bytes, text.size() / 4 * 3 - padding);
    good = decode_base64(text, static_cast<unsigned char*>(to));
  }
  return good || in.fail(at, "expected base64");
}

bool write_base64(writer& out, const void* data, size_t bytes) {
  std::string text;
  text.reserve((bytes + 2) / 3 * 4);
  const auto* from = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < bytes; i += 3) {
    size_t count = bytes - i < 3 ? bytes - i : 3;
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? from[i + k] : 0U);
    for (size_t k = 0; k < 4; ++k) {
      text += k <= count ? base64_digits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out.string(text);
}

bool find_tag(reader& in, std::string_view tag_key, std::string& tag) {
  const size_t begin = in.offset();
  const reader::mark before = in.here();
  if (!in.begin_object()) return false;
  std::string key;
  while (in.next_key(key)) {
    if (key != tag_key) {
      if (!in.skip()) return false;
      continue;
    }
    if (!in.read_string(tag)) return false;
    in.back_to(before);
    return true;
  }
  return in.failed() ? false
                     : in.fail(begin, "the key \"" + std::string(tag_key) + "\" is missing",
                               json::reason::missing_key);
}

}  // namespace weft::rt::json_impl
