// SPDX-License-Identifier: Apache-2.0
// What decoding and encoding may be told, their limits, and what their errors carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "weft/base/error.hpp"

namespace weft::json {

/// No depth limit is larger than this: decoding takes 100 to 200 bytes of stack for each level
/// (tests/json measures), so the deepest document fits a goroutine's stack of 256 KiB.
inline constexpr uint32_t depth_cap = 512;

/// How decode() reads. The defaults are Go's, but stricter about what is no JSON.
struct decode_options {
  /// A key that no field has is an error; else it is checked and passed over.
  bool refuse_unknown_keys = false;
  /// A key that comes twice in one object is an error; else the last one wins.
  bool refuse_duplicate_keys = false;
  /// Every field of every struct must be there, as if all were required().
  bool require_all_fields = false;
  /// Objects and arrays inside each other. At most depth_cap.
  uint32_t depth_max = 128;
  /// Bytes of text. Never more than 4 GiB.
  size_t bytes_max = size_t{64} << 20;
  /// Brackets, commas, colons and values: what bounds the memory that small elements take. 64 bytes
  /// for each of these make 512 MiB.
  size_t tokens_max = size_t{8} << 20;
};

/// How encode() writes.
struct encode_options {
  /// Spaces per level; 0: all in one line, without blanks.
  uint8_t indent = 0;
  /// `<`, `>`, `&`, U+2028 and U+2029 are escaped, so that the text may stand inside HTML.
  bool escape_html = false;
  /// Bytes that are no UTF-8 become U+FFFD; else they are an error.
  bool replace_invalid_utf8 = false;
  /// Objects and arrays inside each other; what is deeper may be a cycle of shared pointers.
  uint32_t depth_max = 128;
};

/// Kinds of what goes wrong.
enum class reason : uint8_t {
  syntax,         // no JSON
  utf8,           // a string is no UTF-8
  type,           // a string where a number is expected, ...
  range,          // does not fit: an integer, a double, an array of fixed size
  value,          // refused by a codec: an unknown name of an enum, a malformed time, ...
  unknown_key,    // see decode_options::refuse_unknown_keys
  duplicate_key,  // see decode_options::refuse_duplicate_keys
  missing_key,    // a required field
  limit,          // depth, bytes, tokens
};

/// What was wrong and where, for programs: `err.as<json::problem>()`. The error's text says the
/// same: `json: at $.items[3].price (byte 211): expected a number, got a string`.
struct problem {
  reason why = reason::syntax;
  /// From the root `$`; keys that are no identifiers are quoted: `$["a key"][0]`.
  std::string path;
  /// Where in the text, from 0. For encode(): how much of the text had been written.
  size_t offset = 0;
  /// The part after the colon.
  std::string what;
};

}  // namespace weft::json
