// SPDX-License-Identifier: Apache-2.0
// JSON without a type: json::value, a document as a tree; json::raw, a piece of text kept as it is.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/json/fields.hpp"
#include "weft/json/options.hpp"
#include "weft/json/reader.hpp"
#include "weft/json/writer.hpp"

namespace weft::json {

class value;
struct member;
using array = std::vector<value>;

/// Members in the order of the document. Found by going through them: for large ones use a map.
class WEFT_API object {
 public:
  using iterator = std::vector<member>::iterator;
  using const_iterator = std::vector<member>::const_iterator;

  object() noexcept;
  object(std::initializer_list<member> members);
  object(const object& other);
  object(object&& other) noexcept;
  object& operator=(const object& other);
  object& operator=(object&& other) noexcept;
  ~object();

  [[nodiscard]] size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return begin() == end(); }
  [[nodiscard]] const value* find(std::string_view key) const noexcept;
  [[nodiscard]] value* find(std::string_view key) noexcept;
  /// The value of `key`; a null one is added if there is none.
  value& operator[](std::string_view key);
  bool erase(std::string_view key);

  [[nodiscard]] const_iterator begin() const noexcept;
  [[nodiscard]] const_iterator end() const noexcept;
  [[nodiscard]] iterator begin() noexcept;
  [[nodiscard]] iterator end() noexcept;
  friend bool operator==(const object& a, const object& b) noexcept;

 private:
  friend class value;
  std::vector<member> members_;
};

/// Any JSON value. Integers that fit 64 bits are kept exactly; other numbers are doubles.
class WEFT_API value {
 public:
  value() noexcept = default;
  value(std::nullptr_t) noexcept {}                        // NOLINT(*-explicit-*)
  value(std::same_as<bool> auto b) noexcept : held_(b) {}  // NOLINT(*-explicit-*)
  template <class N>
    requires(std::is_arithmetic_v<N> && !std::is_same_v<N, bool> && !std::is_same_v<N, char>)
  value(N number) noexcept : held_(widened(number)) {}                  // NOLINT(*-explicit-*)
  value(std::string text) noexcept : held_(std::move(text)) {}          // NOLINT(*-explicit-*)
  value(std::string_view text) : held_(std::string(text)) {}            // NOLINT(*-explicit-*)
  value(const char* text) : held_(std::string(text)) {}                 // NOLINT(*-explicit-*)
  value(json::array elements) noexcept : held_(std::move(elements)) {}  // NOLINT(*-explicit-*)
  value(json::object members) noexcept : held_(std::move(members)) {}   // NOLINT(*-explicit-*)

  [[nodiscard]] json::kind kind() const noexcept;
  [[nodiscard]] bool is_null() const noexcept { return held_.index() == 0; }

  // What is inside, if it is of that kind; else nothing.
  [[nodiscard]] std::optional<bool> boolean() const noexcept;
  /// Of numbers that are integers and fit.
  [[nodiscard]] std::optional<int64_t> integer() const noexcept;
  /// Of all numbers, the nearest double.
  [[nodiscard]] std::optional<double> number() const noexcept;
  [[nodiscard]] const std::string* string() const noexcept {
    return std::get_if<std::string>(&held_);
  }
  [[nodiscard]] const json::array* elements() const noexcept {
    return std::get_if<json::array>(&held_);
  }
  [[nodiscard]] const json::object* members() const noexcept {
    return std::get_if<json::object>(&held_);
  }
  [[nodiscard]] std::string* string() noexcept { return std::get_if<std::string>(&held_); }
  [[nodiscard]] json::array* elements() noexcept { return std::get_if<json::array>(&held_); }
  [[nodiscard]] json::object* members() noexcept { return std::get_if<json::object>(&held_); }

  /// A member or element; null if there is no such thing, so that `v["items"][0]["sku"]` needs one
  /// look at its end only.
  [[nodiscard]] const value& operator[](std::string_view key) const noexcept;
  [[nodiscard]] const value& operator[](const char* key) const noexcept {
    return (*this)[std::string_view(key)];
  }
  [[nodiscard]] const value& operator[](size_t index) const noexcept;
  [[nodiscard]] const value& operator[](int index) const noexcept {
    return (*this)[static_cast<size_t>(index)];
  }

  bool read(reader& in);
  bool write(writer& out) const;
  friend bool operator==(const value& a, const value& b) noexcept;

 private:
  template <class N>
  static constexpr auto widened(N number) noexcept {
    if constexpr (std::is_floating_point_v<N>) {
      return static_cast<double>(number);
    } else if constexpr (std::is_signed_v<N>) {
      return static_cast<int64_t>(number);
    } else {
      return static_cast<uint64_t>(number);
    }
  }
  bool read_number(reader& in);
  bool read_array(reader& in);
  bool read_object(reader& in);

  // uint64_t only for what does not fit int64_t, or was made from an unsigned type.
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, json::array,
               json::object>
      held_;
};

struct member {
  std::string key;
  json::value value;
  friend bool operator==(const member& a, const member& b) noexcept = default;
};

/// A value as it stands in the text: passed on unread, or read later.
struct raw {
  std::string text = "null";
  friend bool operator==(const raw& a, const raw& b) noexcept = default;
};

/// Nothing if `text` is one JSON value; else what is wrong with it.
[[nodiscard]] WEFT_API error validate(std::string_view text, const decode_options& options = {});

template <>
struct codec<value> {
  static bool read(reader& in, value& out) { return out.read(in); }
  static bool write(writer& out, const value& v) { return v.write(out); }
};
template <>
struct WEFT_API codec<raw> {
  static bool read(reader& in, raw& out) { return in.read_raw(out.text); }
  static bool write(writer& out, const raw& r);
};

}  // namespace weft::json
