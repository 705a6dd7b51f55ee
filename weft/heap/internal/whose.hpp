// SPDX-License-Identifier: Apache-2.0
// Whose memory an address is: for reports of faults.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::rt {

enum class heap_place : uint8_t {
  outside,      // not the heap's
  free_pages,   // no object was allocated there, or all were freed
  free_object,  // allocated once and freed
  object,       // in use
};

struct heap_owner {
  heap_place place = heap_place::outside;
  uintptr_t base = 0;  // of the object
  size_t bytes = 0;    // its size class, or its own size if it is large
};

/// Takes no lock, so it may be wrong about what is changing just now. Async-signal-safe.
[[nodiscard]] heap_owner whose(uintptr_t address) noexcept;

}  // namespace weft::rt
