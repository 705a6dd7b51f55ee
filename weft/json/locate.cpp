// SPDX-License-Identifier: Apache-2.0
// Paths and faults, found byte by byte once something has gone wrong.
#include "weft/json/internal/locate.hpp"

#include <cstdint>
#include <vector>

namespace weft::rt::json_impl {

namespace {

/// Longer keys and paths are cut in messages.
constexpr size_t key_shown_max = 64;
constexpr size_t path_shown_max = 512;

/// An object or array that is open at the place.
struct level {
  bool object = false;
  bool has_value = false;  // behind a key's colon; always in an array
  size_t index = 0;
  std::string_view key;  // as it stands in the text
};

/// The offset behind the string that begins at `at`, or `end`.
size_t behind_string(std::string_view text, size_t at, size_t end) {
  for (++at; at < end; ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return end;
}

bool is_identifier(std::string_view key) {
  if (key.empty() || (key[0] >= '0' && key[0] <= '9')) return false;
  for (char c : key) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '_' || static_cast<unsigned char>(c) >= 0x80;
    if (!plain) return false;
  }
  return true;
}

std::string spell(const std::vector<level>& levels) {
  std::string path = "$";
  for (const level& each : levels) {
    if (!each.has_value) break;
    if (path.size() > path_shown_max) return path + "...";
    if (!each.object) {
      path += '[' + std::to_string(each.index) + ']';
    } else if (is_identifier(each.key) && each.key.size() <= key_shown_max) {
      path += '.';
      path += each.key;
    } else {
      path += "[\"" + shown_key(each.key) + "\"]";
    }
  }
  return path;
}

}  // namespace

std::string shown_key(std::string_view key) {
  if (key.size() <= key_shown_max) return std::string(key);
  // Neither a torn UTF-8 sequence nor half an escape at its end.
  size_t end = key_shown_max;
  while (end > 0 && (static_cast<unsigned char>(key[end]) & 0xc0) == 0x80) --end;
  while (end > 0 && key[end - 1] == '\\') --end;
  return std::string(key.substr(0, end)) + "...";
}

std::string path_at(std::string_view text, size_t offset) {
  std::vector<level> levels;
  std::string_view string;  // the last one seen, without quotes
  size_t at = 0;
  while (at < offset && at < text.size()) {
    switch (text[at]) {
      case '"': {
        size_t end = behind_string(text, at, text.size());
        if (end > offset) return spell(levels);
        string = text.substr(at + 1, end - at - 2);
        at = end;
        continue;
      }
      case '{':
        levels.push_back({.object = true, .has_value = false, .index = 0, .key = {}});
        break;
      case '[':
        levels.push_back({.object = false, .has_value = true, .index = 0, .key = {}});
        break;
      case '}':
      case ']':
        if (!levels.empty()) levels.pop_back();
        break;
      case ':':
        if (levels.empty()) break;
        levels.back().key = string;
        levels.back().has_value = true;
        break;
      case ',':
        if (levels.empty()) break;
        if (levels.back().object) levels.back().has_value = false;
        ++levels.back().index;
        break;
      default:
        break;
    }
    ++at;
  }
  return spell(levels);
}

size_t utf8_length(std::string_view text) noexcept {
  auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0};
  };
  auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  uint8_t lead = byte(0);
  if (lead < 0x80) return text.empty() ? 0 : 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if ((lead & 0xf0) == 0xe0) {
    bool shortest = lead != 0xe0 || byte(1) >= 0xa0;
    bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    return shortest && !surrogate && follows(1) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    bool shortest = lead != 0xf0 || byte(1) >= 0x90;
    bool in_range = lead != 0xf4 || byte(1) < 0x90;
    return shortest && in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

fault find_fault(std::string_view text) {
  bool inside = false;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    size_t length = utf8_length(text.substr(at));
    if (length == 0) return {at, "invalid UTF-8", true};
    char c = text[at];
    if (inside && c == '\\') {
      // What is escaped is looked at as any other byte, but ends no string.
      size_t escaped = at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\');
      at += 1 + escaped;
      continue;
    }
    if (c == '"') {
      inside = !inside;
      begin = at;
    } else if (inside && static_cast<unsigned char>(c) < 0x20) {
      return {at, "a control character in a string; it must be escaped", false};
    }
    at += length;
  }
  if (inside) return {begin, "a string without an end", false};
  return {text.size(), "expected a value, got the end of the text", false};
}

}  // namespace weft::rt::json_impl
