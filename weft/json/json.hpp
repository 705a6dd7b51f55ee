// SPDX-License-Identifier: Apache-2.0
// JSON to and from C++ types. A plain struct needs no glue:
//
//   struct item { std::string sku; int count = 0; };
//   weft::result<item> got = weft::json::decode<item>(R"({"sku":"a1","count":2})");
//   weft::result<std::string> text = weft::json::encode(*got);
//
// As in Go: unknown keys are passed over, missing ones leave a field as it was, null leaves it,
// too; names are case-sensitive and the last of two equal keys wins. Stricter than Go where a
// document is not JSON: invalid UTF-8, halves of surrogate pairs and anything behind the value are
// refused. codec.hpp lists the types; fields.hpp says how to rename; value.hpp is for what has no
// type. Nothing here parks; decoding uses under 4 KiB of stack, and depth_max bounds what recursion
// adds.
#pragma once

#include <string>
#include <string_view>

#include "weft/json/codec.hpp"
#include "weft/json/fields.hpp"
#include "weft/json/options.hpp"
#include "weft/json/time.hpp"
#include "weft/json/value.hpp"

namespace weft::json {

/// Reads `text` into `out`; fields without a key keep what they have. On failure `out` holds what
/// was read before. The error says where: json::problem.
template <class T>
[[nodiscard]] result<void> decode_into(T& out, std::string_view text,
                                       const decode_options& options = {}) {
  error failed = rt::json_impl::decode_text(text, options, &rt::json_impl::read_any<T>, &out);
  if (failed) return weft::fail(std::move(failed));
  return {};
}

/// A new T from `text`.
template <class T>
[[nodiscard]] result<T> decode(std::string_view text, const decode_options& options = {}) {
  result<T> out(std::in_place);
  error failed = rt::json_impl::decode_text(text, options, &rt::json_impl::read_any<T>, &*out);
  if (failed) out = weft::fail(std::move(failed));
  return out;
}

/// Appends `value` to `out`; on failure `out` is as it was. Fails for what JSON cannot say: NaN,
/// infinity, strings that are no UTF-8, enumerators without names, structures without end.
template <class T>
[[nodiscard]] result<void> encode_to(std::string& out, const T& value,
                                     const encode_options& options = {}) {
  error failed = rt::json_impl::encode_text(out, options, &rt::json_impl::write_any<T>, &value);
  if (failed) return weft::fail(std::move(failed));
  return {};
}

/// `value` as text.
template <class T>
[[nodiscard]] result<std::string> encode(const T& value, const encode_options& options = {}) {
  result<std::string> out(std::in_place);
  error failed = rt::json_impl::encode_text(*out, options, &rt::json_impl::write_any<T>, &value);
  if (failed) out = weft::fail(std::move(failed));
  return out;
}

}  // namespace weft::json
