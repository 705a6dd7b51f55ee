// SPDX-License-Identifier: Apache-2.0
// What a program may ask of the heap at run time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/export.hpp"

namespace weft {

/// No limit.
inline constexpr size_t no_memory_limit = SIZE_MAX;

/// Most bytes of the heap in use, as WEFT_MEMLIMIT: near it free memory goes back to the kernel at
/// once, and an allocation that would pass it fails with a message. Returns the limit until now.
/// Unlike Go's, which a collector works to keep, this one refuses.
WEFT_API size_t set_memory_limit(size_t bytes) noexcept;

/// Gives every free page back to the kernel now, on this thread; as malloc_trim(0). Blocks for the
/// system calls: some 100 us for each 100 MB. Programs that wait have it done in the background.
WEFT_API void free_os_memory() noexcept;

/// Bytes between sampled allocations on average, for heap profiles; WEFT_DEBUG=memprofilerate. 0:
/// none is sampled from now on. Threads follow with their next sample. Returns the rate until now.
WEFT_API size_t set_memory_sample_rate(size_t bytes) noexcept;
[[nodiscard]] WEFT_API size_t memory_sample_rate() noexcept;

}  // namespace weft
