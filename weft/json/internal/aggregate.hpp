// SPDX-License-Identifier: Apache-2.0
// Fields of plain aggregates without a word from their author: how many there are, where each is,
// and its name.
//
// C++23 has no reflection. The count is the largest number of initializers that the type takes. The
// fields themselves come from a structured binding, written out for each count up to 64. A name is
// what the compiler calls a pointer to that field of an object that is declared and never defined.
//
// Not for: base classes, C arrays (std::array is good), references, bit fields. Their structs list
// their fields: WEFT_JSON in fields.hpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "weft/json/internal/bindings.hpp"

namespace weft::rt::json_impl {

// clang, about never_defined: that is the idea. g++ does not know these warnings.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wundefined-var-template"
#pragma GCC diagnostic ignored "-Wundefined-internal"
template <class T>
struct as_member {
  T value;
};
template <class T>
extern const as_member<T> never_defined;

template <size_t I, class Head, class... Tail>
constexpr const auto* nth(const Head& head, const Tail&... tail) {
  if constexpr (I == 0) {
    return &head;
  } else {
    return nth<I - 1>(tail...);
  }
}

template <auto Pointer>
constexpr std::string_view spelled() {
  return __PRETTY_FUNCTION__;
}

/// g++: "... [with auto Pointer = (& never_defined<t>.as_member<t>::value.t::name); ...]";
/// clang: "... [Pointer = &never_defined.value.name]".
constexpr std::string_view last_name(std::string_view text) {
  size_t from = text.find("Pointer = ");
  size_t end = text.find_first_of(";]", from);
  // A type in the name may hold either: then the name's end is the parenthesis before the last one.
  if (size_t closed = text.find(");", from); closed != text.npos) end = closed;
  if (text[end - 1] == ')') --end;
  size_t begin = end;
  while (text[begin - 1] != ':' && text[begin - 1] != '.') --begin;
  return text.substr(begin, end - begin);
}

/// consteval: a build without optimization would refer to never_defined.
template <class T, size_t I>
consteval std::string_view field_name() {
  constexpr auto* pointer =
      bind_fields(never_defined<T>.value, [](const auto&... field) { return nth<I>(field...); });
  return last_name(spelled<pointer>());
}
#pragma GCC diagnostic pop

}  // namespace weft::rt::json_impl
