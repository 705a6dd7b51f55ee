// SPDX-License-Identifier: Apache-2.0
// Structs as tables. What the compiler knows of a struct becomes a table of names, offsets and
// functions, made once; one loop in object.cpp reads and writes them all. So a program with a
// hundred structs has one such loop, and a call through a pointer for each field: some 1.5 ns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/export.hpp"
#include "weft/json/reader.hpp"
#include "weft/json/writer.hpp"

namespace weft::rt::json_impl {

/// How a value of some type is read and written, its type forgotten.
struct value_ops {
  bool (*read)(json::reader& in, void* out);
  bool (*write)(json::writer& out, const void* value);
  bool (*empty)(const void* value);
};

/// A field as the compiler found it.
struct field_spec {
  std::string_view name;
  size_t offset = 0;
  const value_ops* ops = nullptr;
  bool required = false;
  bool omit_empty = false;
  bool hidden = false;
};

struct slow_state;  // object.cpp

class WEFT_API object_type {
 public:
  /// `adjusted` replace the fields of the same offset.
  object_type(std::span<const field_spec> fields, std::span<const field_spec> adjusted);

  bool read(json::reader& in, void* object) const;
  bool write(json::writer& out, const void* object) const;
  /// For a variant: a first member that says which alternative this is.
  bool write_tagged(json::writer& out, const void* object, std::string_view tag_key,
                    std::string_view tag) const;

 private:
  struct entry {
    field_spec spec;
    const char* key = nullptr;  // `,"name":` in keys_
    size_t key_bytes = 0;
  };
  bool read_members(json::reader& in, char* object) const;
  bool write_members(json::writer& out, const void* object) const;
  /// The field of this name, or the count of fields.
  [[nodiscard]] size_t find(std::string_view name) const noexcept;
  size_t take_other_key(json::reader& in, std::unique_ptr<slow_state>& slow) const;
  static bool duplicate(json::reader& in, size_t key_at, std::string_view key);
  bool check_missing(json::reader& in, uint64_t seen, size_t begin) const;

  static constexpr size_t slot_count = 256;  // a quarter full at most
  static size_t slot_of(std::string_view name) noexcept;

  std::vector<entry> fields_;
  std::string keys_;
  std::array<uint8_t, slot_count> slots_{};  // index + 1 of a field; 0: free
  uint64_t required_ = 0;                    // one bit for each field
};

/// Reads one text into `out` by `read`. The error names path and offset.
WEFT_API error decode_text(std::string_view text, const json::decode_options& options,
                           bool (*read)(json::reader&, void*), void* out);
/// Appends one value to `out` by `write`; on failure `out` is as it was.
WEFT_API error encode_text(std::string& out, const json::encode_options& options,
                           bool (*write)(json::writer&, const void*), const void* value);

}  // namespace weft::rt::json_impl
