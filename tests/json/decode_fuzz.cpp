// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the decoder: any bytes. All ways of reading must agree on whether they are JSON,
// and so must RapidJSON; what was read must be written, and read back the same; errors must point
// into the text. With libFuzzer (WEFT_FUZZ), or from fuzz_test.cpp.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#ifdef WITH_RAPIDJSON
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#endif

#include "weft/json/json.hpp"

namespace {

namespace json = weft::json;

struct leaf {
  std::string name;
  int8_t small = 0;
  uint64_t large = 0;
  double real = 0;
  float single = 0;
  bool flag = false;
};
struct tree {
  leaf own;
  std::vector<tree> children;
  std::map<std::string, leaf> named;
  std::map<int, std::vector<double>> numbered;
  std::unique_ptr<tree> next;
  std::optional<std::string> maybe;
  std::variant<std::monostate, int64_t, double, std::string, std::vector<bool>, leaf> any;
  std::vector<std::byte> bytes;
  std::chrono::nanoseconds wait{};
  json::raw raw;
};

void must(bool holds, const char* what, std::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "json: %s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

void check_error(const weft::error& err, std::string_view text) {
  const auto* found = err.as<json::problem>();
  must(found != nullptr, "an error without its problem", text);
  must(found->offset <= text.size(), "an error behind the text", text);
  must(found->path.starts_with("$") && found->path.size() < 700, "a path", text);
}

#ifdef WITH_RAPIDJSON
bool same(const json::value& ours, const rapidjson::Value& other) {
  switch (ours.kind()) {
    case json::kind::null:
      return other.IsNull();
    case json::kind::boolean:
      return other.IsBool() && other.GetBool() == *ours.boolean();
    case json::kind::number:
      // As text: RapidJSON takes -18446744073709551615.5e1 for -16.
      if (!other.IsString() || std::strtod(other.GetString(), nullptr) != *ours.number()) {
        return false;
      }
      return !ours.integer() || std::string_view(other.GetString()) == "-0" ||
             std::to_string(*ours.integer()) == other.GetString();
    case json::kind::string:
      return other.IsString() &&
             *ours.string() == std::string_view(other.GetString(), other.GetStringLength());
    case json::kind::array: {
      if (!other.IsArray() || other.Size() != ours.elements()->size()) return false;
      for (rapidjson::SizeType i = 0; i < other.Size(); ++i) {
        if (!same(ours[size_t{i}], other[i])) return false;
      }
      return true;
    }
    case json::kind::object: {
      if (!other.IsObject()) return false;
      // RapidJSON keeps what comes twice: the last one counts.
      std::map<std::string_view, const rapidjson::Value*> last;
      for (const auto& each : other.GetObject()) {
        last[{each.name.GetString(), each.name.GetStringLength()}] = &each.value;
      }
      if (last.size() != ours.members()->size()) return false;
      for (const auto& [key, value] : *ours.members()) {
        auto found = last.find(key);
        if (found == last.end() || !same(value, *found->second)) return false;
      }
      return true;
    }
    case json::kind::none:
      break;
  }
  return false;
}

/// RapidJSON takes half of a surrogate pair, if it is the lower one.
bool has_lower_half(std::string_view text) {
  for (std::string_view half :
       {"\\udc", "\\udd", "\\ude", "\\udf", "\\uDC", "\\uDD", "\\uDE", "\\uDF", "\\uDc", "\\uDd",
        "\\uDe", "\\uDf", "\\udC", "\\udD", "\\udE", "\\udF"}) {
    if (text.find(half) != text.npos) return true;
  }
  return false;
}

void compare(std::string_view text, const weft::result<json::value>& ours) {
  rapidjson::Document other;
  constexpr unsigned flags =
      rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;
  other.Parse<flags>(text.data(), text.size());
  if (!ours) {
    auto why = ours.error().as<json::problem>()->why;
    if (why == json::reason::limit || why == json::reason::range || has_lower_half(text)) return;
    // A NUL byte ends its text, and it takes parts of a byte order mark for a whole one.
    if (text.find('\0') != text.npos || (!text.empty() && static_cast<uint8_t>(text[0]) >= 0x80)) {
      return;
    }
    must(other.HasParseError(), "refused, but RapidJSON reads it", text);
  } else {
    // It takes 0e2233 for a large number.
    if (other.GetParseError() == rapidjson::kParseErrorNumberTooBig) return;
    must(!other.HasParseError(), "accepted, but RapidJSON refuses it", text);
    must(same(*ours, other), "not what RapidJSON reads", text);
  }
}
#endif

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exactly that size, so that AddressSanitizer sees what is read behind its end.
  std::unique_ptr<char[]> copy(new char[size]);
  std::copy(data, data + size, copy.get());
  std::string_view text(copy.get(), size);

  auto value = json::decode<json::value>(text);
  auto raw = json::decode<json::raw>(text);
  if (!value) check_error(value.error(), text);
  bool too_large = !value && value.error().as<json::problem>()->why == json::reason::range;
  must(value.has_value() == raw.has_value() || too_large, "value and raw disagree", text);
  must(raw.has_value() == !json::validate(text), "raw and validate disagree", text);
#ifdef WITH_RAPIDJSON
  compare(text, value);
#endif
  if (value && text.find_first_not_of("0123456789+-.eE") == text.npos) {
    must(value->number() == std::strtod(std::string(text).c_str(), nullptr), "a number", text);
  }
  if (value) {
    for (uint8_t indent : {0, 3}) {
      std::string again = json::encode(*value, {.indent = indent}).value();
      must(json::decode<json::value>(again) == *value, "not read back", again);
    }
  }
  json::decode_options strict;
  strict.refuse_duplicate_keys = true;
  auto once = json::decode<json::value>(text, strict);
  must(!once || (value && *once == *value), "strict reads more", text);

  auto typed = json::decode<tree>(text);
  if (!typed) {
    check_error(typed.error(), text);
    return 0;
  }
  must(raw.has_value(), "a type is read from what is no JSON", text);
  std::string first = json::encode(*typed).value();
  auto second = json::decode<tree>(first);
  must(second.has_value(), "a type is not read back", first);
  must(json::encode(*second).value() == first, "a type changes", first);
  return 0;
}
