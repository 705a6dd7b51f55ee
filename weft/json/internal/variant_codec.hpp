// SPDX-License-Identifier: Apache-2.0
// Variants: by the kind of the value that comes, or by the tag of an object. codec.hpp has the
// rule.
#pragma once

#include <limits>
#include <utility>
#include <variant>

#include "weft/json/internal/struct_codec.hpp"

namespace weft::rt::json_impl {

/// Which kinds of values a type is made of.
template <class T>
constexpr bool reads_from(json::kind kind) {
  using json::kind::array, json::kind::boolean, json::kind::null, json::kind::number;
  if constexpr (std::same_as<T, std::monostate>) {
    return kind == null;
  } else if constexpr (requires { T::json_kind; }) {
    return kind == T::json_kind;
  } else if constexpr (has_read_codec<T>) {
    return kind != null;
  } else if constexpr (std::same_as<T, bool>) {
    return kind == boolean;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return kind == number;
  } else if constexpr (std::is_enum_v<T>) {
    return kind == (names_enumerators<T> ? json::kind::string : number);
  } else if constexpr (string_like<T>) {
    return kind == json::kind::string;
  } else if constexpr (map_like<T>) {
    return kind == json::kind::object;
  } else if constexpr (fixed_array<T> || sequence<T> || set_like<T>) {
    return kind == array;
  } else if constexpr (is_optional<T> || is_pointer<T>) {
    return true;
  } else {
    return kind == json::kind::object;
  }
}

/// The string under `tag_key` in the object that comes next; the reader stays before the object.
WEFT_API bool find_tag(reader& in, std::string_view tag_key, std::string& tag);

template <class... T>
struct variant_codec {
  using variant = std::variant<T...>;
  static constexpr bool by_tag = (tagged<T> || ...);
  static_assert(by_tag || (0 + ... + (reads_from<T>(json::kind::object) ? 1 : 0)) <= 1,
                "weft::json: a variant of several structs needs a json_tag in each of them");

  static constexpr std::string_view tag_key = [] {
    std::string_view key = "type";
    auto look = [&]<class A>(std::type_identity<A>) {
      if constexpr (requires { A::json_tag_key; }) key = A::json_tag_key;
    };
    (look(std::type_identity<T>{}), ...);
    return key;
  }();

  template <class A>
  static bool read_as(reader& in, variant& out) {
    if (!std::holds_alternative<A>(out)) out.template emplace<A>();
    return json::read_value(in, std::get<A>(out));
  }

  static bool read(reader& in, variant& out) {
    json::kind kind = in.next();
    if (kind == json::kind::none) return in.wrong_type("a value");
    bool done = false;
    bool good = false;
    auto use = [&]<class A>(std::type_identity<A>) {
      done = true;
      good = read_as<A>(in, out);
    };
    if constexpr (by_tag) {
      if (kind == json::kind::object) {
        std::string tag;
        const size_t at = in.offset();
        if (!find_tag(in, tag_key, tag)) return false;
        auto try_tag = [&]<class A>(std::type_identity<A> type) {
          if constexpr (tagged<A>) {
            if (!done && tag == A::json_tag) use(type);
          }
        };
        (try_tag(std::type_identity<T>{}), ...);
        return done ? good
                    : in.fail(at, "no alternative has the " + std::string(tag_key) + " \"" +
                                      tag.substr(0, 40) + "\"");
      }
    }
    // Numbers look for an integer that holds them, then for a floating one, and only then for any.
    auto try_integer = [&]<class A>(std::type_identity<A> type) {
      if constexpr (integer<A>) {
        using limits = std::numeric_limits<A>;
        if (!done && kind == json::kind::number &&
            in.integer_next(limits::min(), static_cast<uint64_t>(limits::max())))
          use(type);
      }
    };
    auto try_floating = [&]<class A>(std::type_identity<A> type) {
      if constexpr (std::is_floating_point_v<A>) {
        if (!done && kind == json::kind::number) use(type);
      }
    };
    auto try_kind = [&]<class A>(std::type_identity<A> type) {
      if (!done && reads_from<A>(kind)) use(type);
    };
    (try_integer(std::type_identity<T>{}), ...);
    (try_floating(std::type_identity<T>{}), ...);
    (try_kind(std::type_identity<T>{}), ...);
    if (done) return good;
    if (kind == json::kind::null) return in.take_null();
    return in.wrong_type("a value that one of the alternatives takes");
  }

  static bool write(writer& out, const variant& value) {
    return std::visit(
        [&]<class A>(const A& alternative) {
          if constexpr (tagged<A>) {
            return table_of(alternative).write_tagged(out, &alternative, tag_key, A::json_tag);
          } else {
            return json::write_value(out, alternative);
          }
        },
        value);
  }
};
template <class T>
struct variant_codec_of;
template <class... T>
struct variant_codec_of<std::variant<T...>> : variant_codec<T...> {};

}  // namespace weft::rt::json_impl
