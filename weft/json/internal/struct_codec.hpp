// SPDX-License-Identifier: Apache-2.0
// From a struct, as the compiler knows it, to its table: what its fields are called, where they
// are, and how each is read and written.
#pragma once

#include <array>
#include <span>
#include <tuple>
#include <utility>

#include "weft/json/internal/aggregate.hpp"
#include "weft/json/internal/object.hpp"
#include "weft/json/internal/traits.hpp"
#include "weft/json/reader.hpp"
#include "weft/json/writer.hpp"

namespace weft::json {

/// Reads one value of any supported type. False: in.failed().
template <class T>
bool read_value(reader& in, T& out);
/// Writes one value of any supported type. False: out.failed().
template <class T>
bool write_value(writer& out, const T& value);

}  // namespace weft::json

namespace weft::rt::json_impl {

using json::reader;
using json::writer;

template <class T>
inline constexpr bool unsupported = false;

template <class T>
bool is_empty(const T& value) {
  if constexpr (is_optional<T> || is_pointer<T>) {
    return !value;
  } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return value == T{};
  } else if constexpr (requires {
                         { value.empty() } -> std::convertible_to<bool>;
                       }) {
    return value.empty();
  } else {
    return false;
  }
}

template <class T>
bool read_any(reader& in, void* out) {
  return json::read_value(in, *static_cast<T*>(out));
}
template <class T>
bool write_any(writer& out, const void* value) {
  return json::write_value(out, *static_cast<const T*>(value));
}
template <class T>
bool empty_any(const void* value) {
  return is_empty(*static_cast<const T*>(value));
}
template <class T>
inline constexpr value_ops ops_of = {
    // What cannot be read (a view) may stand in a struct that is only written.
    []() -> bool (*)(reader&, void*) {
      if constexpr (string_like<T> && !std::same_as<T, std::string>)
        return nullptr;
      else
        return &read_any<T>;
    }(),
    &write_any<T>, &empty_any<T>};

template <class T, class Field>
size_t offset_in(const T& object, const Field& field) {
  return static_cast<size_t>(reinterpret_cast<const char*>(&field) -
                             reinterpret_cast<const char*>(&object));
}

template <class T>
auto listed_specs(const T& sample) {
  return std::apply(
      [&](const auto&... rule) {
        return std::array<field_spec, sizeof...(rule)>{
            {{.name = rule.name,
              .offset = offset_in(sample, sample.*rule.member),
              .ops = &ops_of<std::remove_cvref_t<decltype(sample.*rule.member)>>,
              .required = rule.is_required,
              .omit_empty = rule.omits_empty,
              .hidden = rule.is_hidden}...}};
      },
      listed_fields<T>().rules);
}

template <class T>
auto found_specs(const T& sample) {
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return bind_fields(sample, [&](const auto&... field) {
      return std::array<field_spec, sizeof...(I)>{
          {{.name = field_name<T, I>(),
            .offset = offset_in(sample, field),
            .ops = &ops_of<std::remove_cvref_t<decltype(field)>>}...}};
    });
  }(std::make_index_sequence<field_count<T>>{});
}

/// The table of T, made from the first object of it that comes by. It lives as long as the program.
template <class T>
const object_type& table_of(const T& sample) {
  static const object_type& table = *[&] {
    if constexpr (!lists_fields_inside<T> && !lists_fields_outside<T>) {
      return new object_type(found_specs(sample), {});
    } else if constexpr (decltype(listed_fields<T>())::exactly) {
      return new object_type(listed_specs(sample), {});
    } else {
      return new object_type(found_specs(sample), listed_specs(sample));
    }
  }();
  return table;
}

}  // namespace weft::rt::json_impl
