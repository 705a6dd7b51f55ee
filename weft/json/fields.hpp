// SPDX-License-Identifier: Apache-2.0
// What the author of a type may say about its JSON. Plain aggregates need to say nothing: their
// fields go by their names.
//
//   struct order {                        other names or rules for some fields of an aggregate
//     int64_t id;
//     std::string note;
//     static constexpr auto json_fields() {
//       return json::adjust(json::field("order_id", &order::id).required(),
//                           json::field("note", &order::note).omit_empty());
//     }
//   };
//
//   class point {                         for any class: exactly these fields, private ones, too
//     int x_, y_;
//    public:
//     static constexpr auto json_fields() {
//       return json::fields(json::field("x", &point::x_), json::field("y", &point::y_));
//     }
//   };
//
//   WEFT_JSON(library::vec, x, y, z)       for a type of somebody else, in its namespace
//   WEFT_JSON_ENUM(color, red, green)      names in place of numbers, in the enum's namespace
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace weft::json {

/// One field: its name in JSON, the member, and its rules.
template <class Class, class Member>
struct field_rule {
  std::string_view name;
  Member Class::* member = nullptr;
  bool is_required = false;
  bool omits_empty = false;
  bool is_hidden = false;

  /// decode() fails when the key is missing.
  [[nodiscard]] constexpr field_rule required() const {
    field_rule changed = *this;
    changed.is_required = true;
    return changed;
  }
  /// encode() leaves the field out when it is false, 0, null, or an empty string or container.
  [[nodiscard]] constexpr field_rule omit_empty() const {
    field_rule changed = *this;
    changed.omits_empty = true;
    return changed;
  }
  /// The field is not in the JSON at all; for adjust().
  [[nodiscard]] constexpr field_rule hidden() const {
    field_rule changed = *this;
    changed.is_hidden = true;
    return changed;
  }
};

template <class Class, class Member>
constexpr field_rule<Class, Member> field(std::string_view name, Member Class::* member) {
  return {.name = name, .member = member};
}

template <bool Exactly, class... Rules>
struct field_list {
  static constexpr bool exactly = Exactly;
  std::tuple<Rules...> rules;
};

/// Exactly these fields, in this order.
template <class... Rules>
constexpr field_list<true, Rules...> fields(Rules... rules) {
  return {std::tuple<Rules...>(rules...)};
}
/// All fields of an aggregate, some of them by these rules.
template <class... Rules>
constexpr field_list<false, Rules...> adjust(Rules... rules) {
  return {std::tuple<Rules...>(rules...)};
}

/// An enumerator and its name in JSON.
template <class E>
struct enum_name {
  std::string_view name;
  E value;
};

/// How a type is read and written, where nothing else knows. Specialize it:
///
///   template <>
///   struct weft::json::codec<uuid> {
///     static bool read(reader& in, uuid& out);         // false: in.fail(...) said why
///     static bool write(writer& out, const uuid& id);  // false: out.fail(...) said why
///   };
template <class T>
struct codec;

}  // namespace weft::json

// --- the macros ----------------------------------------------------------------------------------

// Applies `m(t, x)` to up to 256 names x.
#define WEFT_JSON_PARENS ()
#define WEFT_JSON_EXPAND(...) WEFT_JSON_EXPAND3(WEFT_JSON_EXPAND3(WEFT_JSON_EXPAND3(__VA_ARGS__)))
#define WEFT_JSON_EXPAND3(...) WEFT_JSON_EXPAND2(WEFT_JSON_EXPAND2(WEFT_JSON_EXPAND2(__VA_ARGS__)))
#define WEFT_JSON_EXPAND2(...) WEFT_JSON_EXPAND1(WEFT_JSON_EXPAND1(WEFT_JSON_EXPAND1(__VA_ARGS__)))
#define WEFT_JSON_EXPAND1(...) __VA_ARGS__
#define WEFT_JSON_EACH(m, t, ...) __VA_OPT__(WEFT_JSON_EXPAND(WEFT_JSON_NEXT(m, t, __VA_ARGS__)))
#define WEFT_JSON_NEXT(m, t, x, ...) \
  m(t, x) __VA_OPT__(, WEFT_JSON_AGAIN WEFT_JSON_PARENS(m, t, __VA_ARGS__))
#define WEFT_JSON_AGAIN() WEFT_JSON_NEXT
#define WEFT_JSON_FIELD(t, x) ::weft::json::field(#x, &t::x)
#define WEFT_JSON_NAME(t, x) \
  ::weft::json::enum_name<t> { #x, t::x }

#define WEFT_JSON(type, ...)                                                         \
  [[maybe_unused]] constexpr auto weft_json_fields(const type*) {                    \
    return ::weft::json::fields(WEFT_JSON_EACH(WEFT_JSON_FIELD, type, __VA_ARGS__)); \
  }                                                                                  \
  static_assert(true, "takes the semicolon")

#define WEFT_JSON_ENUM(type, ...)                                         \
  [[maybe_unused]] constexpr auto weft_json_names(const type*) {          \
    return std::array{WEFT_JSON_EACH(WEFT_JSON_NAME, type, __VA_ARGS__)}; \
  }                                                                       \
  static_assert(true, "takes the semicolon")
