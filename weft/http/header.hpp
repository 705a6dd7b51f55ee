// SPDX-License-Identifier: Apache-2.0
// The fields of a message: names without regard to case, several values of one name, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/export.hpp"

namespace weft::http {

/// An ordered multimap in two blocks of memory, both kept by clear(): a message's worth of fields
/// costs no allocation once warm. Lookups go through all fields (there are about ten). Views that
/// it gives are valid until the next change.
///
/// A name must be a token (RFC 9110 5.6.2); another one panics, as it is a mistake in the program.
/// Bytes that may not stand in a value (line ends, NUL, other controls) become spaces: what a
/// client sent can never end a field and begin another one.
class WEFT_API header {
 public:
  struct field {
    std::string_view name;
    std::string_view value;
    friend bool operator==(const field&, const field&) = default;
  };

  header() = default;
  header(std::initializer_list<field> fields) {
    for (const field& f : fields) add(f.name, f.value);
  }

  /// The first value; empty if there is none (has() tells the difference).
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name).has_value(); }
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
  /// True if the comma-separated lists of this name have `token` in them, without regard to case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

  /// One more value.
  void add(std::string_view name, std::string_view value);
  /// The only value.
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name) noexcept;
  void clear() noexcept;

  [[nodiscard]] size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] field operator[](size_t index) const noexcept {
    const place& at = fields_[index];
    return {{text_.data() + at.begin, at.name_bytes},
            {text_.data() + at.begin + at.name_bytes, at.value_bytes}};
  }

  class iterator {
   public:
    using value_type = field;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    iterator(const header* of, size_t at) noexcept : of_(of), at_(at) {}
    field operator*() const noexcept { return (*of_)[at_]; }
    iterator& operator++() noexcept { return ++at_, *this; }
    iterator operator++(int) noexcept { return {of_, at_++}; }
    friend bool operator==(const iterator&, const iterator&) = default;

   private:
    const header* of_ = nullptr;
    size_t at_ = 0;
  };
  [[nodiscard]] iterator begin() const noexcept { return {this, 0}; }
  [[nodiscard]] iterator end() const noexcept { return {this, fields_.size()}; }

  /// Adds what a parser has checked already.
  void add_unchecked(std::string_view name, std::string_view value);
  void reserve(size_t fields, size_t text_bytes);
  /// Bytes of all names and values.
  [[nodiscard]] size_t text_bytes() const noexcept { return text_.size(); }

 private:
  /// Name and value stand next to each other in text_. What erase() leaves behind is dropped by
  /// clear().
  struct place {
    uint32_t begin = 0;
    uint32_t name_bytes = 0;
    uint32_t value_bytes = 0;
  };
  std::string text_;
  std::vector<place> fields_;
};

/// ASCII, as header names are compared.
[[nodiscard]] WEFT_API bool equal_fold(std::string_view a, std::string_view b) noexcept;
/// A token of RFC 9110 5.6.2: a header's name, a method.
[[nodiscard]] WEFT_API bool is_token(std::string_view text) noexcept;

}  // namespace weft::http
