// SPDX-License-Identifier: Apache-2.0
// A page heap of a few spans, for models of caches and central.
#pragma once

#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace model {

/// One object at a time is carved of a span of this class, and a span holds sixteen.
inline constexpr size_t object_bytes = 4096;

/// An arena for `spans` spans. Between setup() and setup_done().
void start_heap(uint32_t spans);
/// malloc() and free() of one object by whoever claimed `cache`; what fast_path.hpp does. An object
/// that two have, or that is seen as it was before, fails the execution.
void* allocate(weft::rt::mcache* cache);
void deallocate(weft::rt::mcache* cache, void* object);
/// When all threads have ended and all caches are idle: visits them as the scavenger does, and
/// fails unless every object but `used` ones is free, in its span, and spans are owned once.
void check_heap(uint32_t used);

}  // namespace model
