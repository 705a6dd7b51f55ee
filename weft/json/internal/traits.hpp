// SPDX-License-Identifier: Apache-2.0
// Which C++ types stand for which JSON: by what a type offers, so no container's header is
// included.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include "weft/json/fields.hpp"

namespace weft::json {
class reader;
class writer;
}  // namespace weft::json

namespace weft::rt::json_impl {

template <class T>
concept has_read_codec = requires(json::reader& in, T& value) {
  { json::codec<T>::read(in, value) } -> std::same_as<bool>;
};
template <class T>
concept has_write_codec = requires(json::writer& out, const T& value) {
  { json::codec<T>::write(out, value) } -> std::same_as<bool>;
};

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;
template <class T>
concept integer =
    std::integral<T> && !std::same_as<T, bool> && !character<T> && sizeof(T) <= sizeof(int64_t);

template <class T>
concept string_like =
    std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_pointer = false;
template <class T>
inline constexpr bool is_pointer<std::unique_ptr<T>> = true;
template <class T>
inline constexpr bool is_pointer<std::shared_ptr<T>> = true;

template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

template <class T>
concept map_like = requires(T& map, typename T::key_type key) {
  typename T::mapped_type;
  map.try_emplace(std::move(key));
  map.clear();
};
template <class T>
concept set_like = !map_like<T> && requires(T& set, typename T::key_type key) {
  set.insert(std::move(key));
  set.clear();
};
template <class T>
concept sequence = !string_like<T> && requires(T& list, typename T::value_type value) {
  list.push_back(std::move(value));
  list.clear();
  list.begin();
};
template <class T>
concept fixed_array = requires(T& array) {
  typename T::value_type;
  std::tuple_size<T>::value;
  array[0];
};

template <class T>
concept lists_fields_inside = requires { T::json_fields(); };
template <class T>
concept lists_fields_outside = requires(const T* type) { weft_json_fields(type); };
template <class T>
concept names_enumerators = requires(const T* type) { weft_json_names(type); };
template <class T>
concept object_like = lists_fields_inside<T> || lists_fields_outside<T> ||
                      (std::is_aggregate_v<T> && std::is_class_v<T>);

/// Whether a type of an alternative of a variant is tagged, and by what: `json_tag` in the type.
template <class T>
concept tagged = requires {
  { T::json_tag } -> std::convertible_to<std::string_view>;
};

template <class T>
constexpr auto listed_fields() {
  if constexpr (lists_fields_inside<T>) {
    return T::json_fields();
  } else {
    return weft_json_fields(static_cast<const T*>(nullptr));
  }
}

}  // namespace weft::rt::json_impl
