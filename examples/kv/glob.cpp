// SPDX-License-Identifier: Apache-2.0
// Matching with one remembered star: on a mismatch the last star takes one character more. Earlier
// stars need no second try, so there is no exponential case.
#include "glob.hpp"

#include <utility>

namespace kv {

namespace {

inline constexpr size_t npos = std::string_view::npos;

/// Does the class at pattern[at] == '[' contain c? `at` moves behind it. An unclosed class ends
/// with the pattern, as in Redis.
bool in_class(std::string_view pattern, size_t& at, char c) noexcept {
  size_t i = at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  const auto value = [](char x) { return static_cast<unsigned char>(x); };
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found |= pattern[i] == c;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = value(pattern[i]);
      unsigned char high = value(pattern[i + 2]);
      if (low > high) std::swap(low, high);
      found |= value(c) >= low && value(c) <= high;
      i += 2;
    } else {
      found |= pattern[i] == c;
    }
  }
  at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

/// Does one element of the pattern match c? `at` moves behind it.
bool match_one(std::string_view pattern, size_t& at, char c) noexcept {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[':
      return in_class(pattern, at, c);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return pattern[at++] == c;
  }
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) noexcept {
  size_t p = 0;
  size_t t = 0;
  size_t star = npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    size_t next = p;
    if (p < pattern.size() && match_one(pattern, next, text[t])) {
      p = next;
      ++t;
    } else if (star != npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace kv
