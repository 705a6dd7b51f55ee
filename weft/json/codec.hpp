// SPDX-License-Identifier: Apache-2.0
// How each kind of C++ type is read and written. Included by json.hpp; for codecs of one's own:
// read_value() and write_value() for the values inside.
//
//   JSON        C++
//   boolean     bool
//   number      integers (checked for range), double, float; enums without names
//   string      std::string; string views (written only); enums with names; std::vector<std::byte>
//               in base64; durations and times (time.hpp)
//   array       vector, deque, list, set, ...: read from empty; std::array: exactly its size
//   object      structs; maps with keys of strings, integers or enums with names
//   null        an empty optional or pointer; reading: empties containers, leaves all else as it is
//   any         json::value, json::raw; std::variant: the first alternative of that kind, see below
//
// A std::variant of several structs needs to know which: each has a `json_tag`, the value of the
// key "type" (or of the alternatives' `json_tag_key`). Numbers go to the first integer alternative
// that holds them, else to a floating one.
#pragma once

#include <limits>
#include <utility>

#include "weft/json/internal/struct_codec.hpp"
#include "weft/json/internal/variant_codec.hpp"

namespace weft::rt::json_impl {

// --- numbers, enums, keys ------------------------------------------------------------------------

template <class T>
bool read_integer(reader& in, T& out) {
  using limits = std::numeric_limits<T>;
  if constexpr (std::is_signed_v<T>) {
    int64_t wide = 0;
    if (!in.read_int(wide, limits::min(), limits::max())) return false;
    out = static_cast<T>(wide);
  } else {
    uint64_t wide = 0;
    if (!in.read_uint(wide, limits::max())) return false;
    out = static_cast<T>(wide);
  }
  return true;
}

template <class T>
bool write_integer(writer& out, T value) {
  if constexpr (std::is_signed_v<T>) {
    return out.integer(value);
  } else {
    return out.integer_unsigned(value);
  }
}

/// The name of an enumerator; empty: it has none.
template <class E>
std::string_view name_of(E value) {
  for (const auto& each : weft_json_names(static_cast<const E*>(nullptr))) {
    if (each.value == value) return each.name;
  }
  return {};
}
template <class E>
bool value_of(std::string_view name, E& out) {
  for (const auto& each : weft_json_names(static_cast<const E*>(nullptr))) {
    if (each.name != name) continue;
    out = each.value;
    return true;
  }
  return false;
}
template <class E>
bool unknown_name(reader& in, size_t at, std::string_view name) {
  std::string what = "no such name: \"" + std::string(name.substr(0, 40)) + "\"; one of";
  for (const auto& each : weft_json_names(static_cast<const E*>(nullptr))) {
    what += " \"" + std::string(each.name) + "\"";
  }
  return in.fail(at, std::move(what));
}

template <class E>
bool read_enum(reader& in, E& out) {
  if constexpr (names_enumerators<E>) {
    std::string name;
    const size_t at = in.offset();
    if (!in.read_string(name)) return false;
    return value_of(name, out) || unknown_name<E>(in, at, name);
  } else {
    std::underlying_type_t<E> number{};
    if (!read_integer(in, number)) return false;
    out = static_cast<E>(number);
    return true;
  }
}

template <class E>
bool write_enum(writer& out, E value) {
  if constexpr (names_enumerators<E>) {
    std::string_view name = name_of(value);
    if (!name.empty()) return out.string(name);
    return out.fail("an enumerator without a name: " +
                    std::to_string(static_cast<std::underlying_type_t<E>>(value)));
  } else {
    return write_integer(out, static_cast<std::underlying_type_t<E>>(value));
  }
}

/// An integer from the text of a key; see codec.cpp.
WEFT_API bool parse_key(std::string_view text, int64_t& out, int64_t least, int64_t most);
WEFT_API bool parse_key(std::string_view text, uint64_t& out, uint64_t most);

template <class K>
bool read_key(reader& in, size_t at, std::string& text, K& out) {
  if constexpr (std::same_as<K, std::string>) {
    out = std::move(text);
    return true;
  } else if constexpr (std::is_enum_v<K>) {
    static_assert(names_enumerators<K>, "weft::json: an enum as a key needs names: WEFT_JSON_ENUM");
    return value_of(text, out) || unknown_name<K>(in, at, text);
  } else {
    static_assert(integer<K>, "weft::json: keys of maps are strings, integers or enums with names");
    using limits = std::numeric_limits<K>;
    bool good = false;
    if constexpr (std::is_signed_v<K>) {
      int64_t wide = 0;
      good = parse_key(text, wide, limits::min(), limits::max());
      out = static_cast<K>(wide);
    } else {
      uint64_t wide = 0;
      good = parse_key(text, wide, limits::max());
      out = static_cast<K>(wide);
    }
    return good ||
           in.fail(at,
                   "expected a key that is an integer from " + std::to_string(limits::min()) +
                       " to " + std::to_string(limits::max()),
                   json::reason::range);
  }
}

template <class K>
bool write_key(writer& out, const K& key) {
  if constexpr (string_like<K>) {
    return out.key(key);
  } else if constexpr (std::is_enum_v<K>) {
    std::string_view name = name_of(key);
    return name.empty() ? out.fail("an enumerator without a name as a key") : out.key(name);
  } else {
    return out.key(std::to_string(key));
  }
}

// --- containers ----------------------------------------------------------------------------------

/// Elements that a vector gets room for at once: most arrays in messages are short.
inline constexpr size_t first_elements = 4;

WEFT_API bool read_base64(reader& in, void* bytes, void* (*resize)(void* bytes, size_t count));
WEFT_API bool write_base64(writer& out, const void* data, size_t bytes);

template <class T>
bool read_sequence(reader& in, T& out) {
  using element = typename T::value_type;
  if constexpr (std::same_as<element, std::byte>) {
    return read_base64(in, &out, [](void* bytes, size_t count) -> void* {
      auto& list = *static_cast<T*>(bytes);
      list.resize(count);
      return list.data();
    });
  } else {
    out.clear();
    if (in.peek() != '[' && in.take_null()) return true;
    if (!in.begin_array()) return false;
    bool reserved = false;
    while (in.more_elements()) {
      if constexpr (requires { out.reserve(first_elements); }) {
        if (!reserved && out.capacity() == 0) out.reserve(first_elements);
        reserved = true;
      }
      if constexpr (std::same_as<element, bool>) {
        bool value = false;
        if (!in.read_bool(value)) return false;
        out.push_back(value);
      } else {
        out.emplace_back();
        if (!json::read_value(in, out.back())) return false;
      }
    }
    return !in.failed();
  }
}

template <class T>
bool read_set(reader& in, T& out) {
  out.clear();
  if (in.peek() != '[' && in.take_null()) return true;
  if (!in.begin_array()) return false;
  while (in.more_elements()) {
    typename T::key_type value{};
    if (!json::read_value(in, value)) return false;
    out.insert(std::move(value));
  }
  return !in.failed();
}

template <class T>
bool write_elements(writer& out, const T& list) {
  if (!out.begin_array()) return false;
  for (const auto& each : list) {
    out.element();
    if constexpr (std::same_as<typename T::value_type, bool>) {
      out.boolean(each);
    } else {
      if (!json::write_value(out, each)) return false;
    }
  }
  return out.end_array();
}

template <class T>
bool read_fixed(reader& in, T& out) {
  constexpr size_t size = std::tuple_size_v<T>;
  if (in.peek() != '[' && in.take_null()) return true;
  const size_t at = in.offset();
  if (!in.begin_array()) return false;
  size_t count = 0;
  for (; in.more_elements(); ++count) {
    if (count == size) {
      return in.fail(at, "expected an array of " + std::to_string(size) + ", got more",
                     json::reason::range);
    }
    if (!json::read_value(in, out[count])) return false;
  }
  if (in.failed()) return false;
  return count == size ||
         in.fail(at,
                 "expected an array of " + std::to_string(size) + ", got " + std::to_string(count),
                 json::reason::range);
}

template <class T>
bool read_map(reader& in, T& out) {
  using key_type = typename T::key_type;
  if (in.peek() != '{' && in.take_null()) {
    out.clear();
    return true;
  }
  if (in.options().refuse_duplicate_keys && !out.empty()) {
    // What was there before is no duplicate: the document's own entries first.
    T fresh;
    if (!read_map(in, fresh)) return false;
    for (auto& [key, value] : fresh) out.insert_or_assign(key, std::move(value));
    return true;
  }
  if (!in.begin_object()) return false;
  std::string text;
  while (in.next_key(text)) {
    const size_t at = in.key_offset();
    key_type key{};
    if (!read_key(in, at, text, key)) return false;
    auto [place, fresh] = out.try_emplace(std::move(key));
    if (!fresh) {
      if (in.options().refuse_duplicate_keys) {
        return in.fail(at, "a key comes twice", json::reason::duplicate_key);
      }
      place->second = typename T::mapped_type{};
    }
    if (!json::read_value(in, place->second)) return false;
  }
  return !in.failed();
}

template <class T>
bool write_map(writer& out, const T& map) {
  if (!out.begin_object()) return false;
  for (const auto& [key, value] : map) {
    if (!write_key(out, key) || !json::write_value(out, value)) return false;
  }
  return out.end_object();
}

// --- what may be absent --------------------------------------------------------------------------

template <class T>
bool read_optional(reader& in, T& out) {
  if (in.take_null()) {
    out.reset();
    return true;
  }
  if (in.failed()) return false;
  if constexpr (is_optional<T>) {
    if (!out) out.emplace();
  } else {
    using element = typename T::element_type;
    if (!out) out = T(new std::remove_const_t<element>());
  }
  return json::read_value(in, *out);
}

}  // namespace weft::rt::json_impl

namespace weft::json {

template <class T>
bool read_value(reader& in, T& out) {
  namespace impl = rt::json_impl;
  if constexpr (impl::has_read_codec<T>) {
    return codec<T>::read(in, out);
  } else if constexpr (std::same_as<T, std::monostate>) {
    return in.take_null() || in.wrong_type("null");
  } else if constexpr (impl::is_optional<T> || impl::is_pointer<T>) {
    return impl::read_optional(in, out);
  } else if constexpr (impl::is_variant<T>) {
    return impl::variant_codec_of<T>::read(in, out);
  } else if constexpr (impl::map_like<T>) {
    return impl::read_map(in, out);
  } else if constexpr (impl::sequence<T>) {
    return impl::read_sequence(in, out);
  } else if constexpr (impl::set_like<T>) {
    return impl::read_set(in, out);
  } else if constexpr (impl::fixed_array<T>) {
    return impl::read_fixed(in, out);
  } else if constexpr (impl::object_like<T>) {
    static_assert(!std::is_aggregate_v<T> || std::is_default_constructible_v<T>,
                  "weft::json: a struct that is read needs a default for each field");
    return impl::table_of(out).read(in, &out);
  } else if constexpr (std::same_as<T, bool>) {
    bool value = false;
    if (in.peek() == 'n') [[unlikely]]
      return in.take_null();
    if (!in.read_bool(value)) return false;
    out = value;
    return true;
  } else {
    if (in.peek() == 'n') [[unlikely]]
      return in.take_null();
    if constexpr (std::same_as<T, std::string>) {
      return in.read_string(out);
    } else if constexpr (impl::integer<T>) {
      return impl::read_integer(in, out);
    } else if constexpr (std::same_as<T, double>) {
      return in.read_double(out);
    } else if constexpr (std::same_as<T, float>) {
      return in.read_float(out);
    } else if constexpr (std::is_enum_v<T>) {
      return impl::read_enum(in, out);
    } else {
      static_assert(impl::unsupported<T>,
                    "weft::json: this type cannot be read; specialize weft::json::codec for it "
                    "(string_view and char*: read a std::string)");
      return false;
    }
  }
}

template <class T>
bool write_value(writer& out, const T& value) {
  namespace impl = rt::json_impl;
  if constexpr (impl::has_write_codec<T>) {
    return codec<T>::write(out, value);
  } else if constexpr (std::same_as<T, bool>) {
    return out.boolean(value);
  } else if constexpr (impl::integer<T>) {
    return impl::write_integer(out, value);
  } else if constexpr (std::same_as<T, double> || std::same_as<T, float>) {
    return out.number(value);
  } else if constexpr (std::is_enum_v<T>) {
    return impl::write_enum(out, value);
  } else if constexpr (std::same_as<T, std::monostate> || std::same_as<T, std::nullptr_t>) {
    return out.null();
  } else if constexpr (impl::string_like<T>) {
    return out.string(value);
  } else if constexpr (impl::is_optional<T> || impl::is_pointer<T>) {
    return value ? write_value(out, *value) : out.null();
  } else if constexpr (impl::is_variant<T>) {
    return impl::variant_codec_of<T>::write(out, value);
  } else if constexpr (impl::map_like<T>) {
    return impl::write_map(out, value);
  } else if constexpr (impl::sequence<T> || impl::set_like<T> || impl::fixed_array<T>) {
    if constexpr (requires(const typename T::value_type* p) {
                    p = value.data();
                    requires std::same_as<typename T::value_type, std::byte>;
                  } && !impl::fixed_array<T>) {
      return impl::write_base64(out, value.data(), value.size());
    } else {
      return impl::write_elements(out, value);
    }
  } else if constexpr (impl::object_like<T>) {
    return impl::table_of(value).write(out, &value);
  } else {
    static_assert(impl::unsupported<T>,
                  "weft::json: this type cannot be written; specialize weft::json::codec for it");
    return false;
  }
}

}  // namespace weft::json
