// SPDX-License-Identifier: Apache-2.0
// The heap's invariants, looked at from outside while nobody allocates or frees.
#pragma once

#include <cstddef>

namespace heap_test {

struct heap_state {
  size_t live_objects = 0;  // small ones in nobody's list, batch or inbox
  size_t in_flight = 0;     // small ones in a batch or an inbox
  size_t live_runs = 0;     // large objects
  size_t small_spans = 0;
  size_t free_runs = 0;
};

/// Walks over all pages, spans and free objects; ends the process, saying why, if something is not
/// as it must be.
heap_state walk_heap();

}  // namespace heap_test
