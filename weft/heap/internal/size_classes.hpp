// SPDX-License-Identifier: Apache-2.0
// Size classes: what a request is rounded up to, and how many pages hold objects of one class.
//
// Multiples of 16 to 128 bytes, then four classes for each doubling (as jemalloc and tcmalloc), to
// 32 KiB: at most a fifth of an object is lost to rounding. Every class is a multiple of 16, and
// spans begin at a page, so objects are aligned to the largest power of two that divides their
// class.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace weft::rt {

inline constexpr size_t heap_page_shift = 13;  // 8 KiB, as Go
inline constexpr size_t heap_page_bytes = size_t{1} << heap_page_shift;
inline constexpr size_t small_bytes_max = 32 * 1024;

inline constexpr uint32_t linear_classes = 8;  // 16, 32, ... 128
inline constexpr uint32_t classes_per_double = 4;
inline constexpr uint32_t size_class_count = linear_classes + 8 * classes_per_double;

[[nodiscard]] constexpr uint32_t class_bytes(uint32_t size_class) noexcept {
  if (size_class < linear_classes) return (size_class + 1) * 16;
  const uint32_t step = size_class - linear_classes;
  return (step % classes_per_double + 5) << (step / classes_per_double + 5);
}

/// As class_of(), by arithmetic.
[[nodiscard]] constexpr uint32_t computed_class_of(size_t bytes) noexcept {
  if (bytes <= 128) return bytes == 0 ? 0 : static_cast<uint32_t>((bytes - 1) / 16);
  const auto doubling = static_cast<uint32_t>(std::bit_width(bytes - 1));  // 8: 129 to 256
  const auto quarter = static_cast<uint32_t>((bytes - 1) >> (doubling - 3)) - classes_per_double;
  return linear_classes + (doubling - 8) * classes_per_double + quarter;
}

/// The classes of all requests: by 16 bytes up to 1 KiB, by 128 from there (as tcmalloc).
struct class_table {
  static constexpr size_t fine_max = 1024;
  static constexpr size_t fine_entries = fine_max / 16 + 1;
  static constexpr size_t coarse_first = fine_max / 128;  // index of fine_max among the coarse
  uint8_t of[fine_entries + small_bytes_max / 128 - coarse_first] = {};

  [[nodiscard]] static constexpr size_t index(size_t bytes) noexcept {
    return bytes <= fine_max ? (bytes + 15) / 16
                             : (bytes + 127 + (fine_entries - 1 - coarse_first) * 128) / 128;
  }
  constexpr class_table() noexcept {
    for (size_t bytes = 0; bytes <= small_bytes_max; bytes += 16)
      of[index(bytes)] = static_cast<uint8_t>(computed_class_of(bytes));
  }
};
inline constexpr class_table classes;

/// The smallest class that holds `bytes` (1 to small_bytes_max; 0 counts as 1).
[[nodiscard]] constexpr uint32_t class_of(size_t bytes) noexcept {
  return classes.of[class_table::index(bytes)];
}

/// Pages of a span: 64 KiB, or eight objects. Pages are touched as objects are first handed out, so
/// a large span costs address space, not memory.
[[nodiscard]] constexpr uint32_t class_pages(uint32_t size_class) noexcept {
  const size_t bytes =
      class_bytes(size_class) <= 8 * 1024 ? 64 * 1024 : 8 * class_bytes(size_class);
  return static_cast<uint32_t>((bytes + heap_page_bytes - 1) / heap_page_bytes);
}

}  // namespace weft::rt
