// SPDX-License-Identifier: Apache-2.0
// What the heap says when objects are freed that are none, or written to when they are free.
#include <cstring>

#include "tests/crash/cases.hpp"
#include "weft/heap/alloc.hpp"
#include "weft/weft.hpp"

using weft::rt::heap_allocate;
using weft::rt::heap_free;

CASE(heap_double_free) {
  void* object = heap_allocate(100);
  heap_free(object);
  heap_free(object);  // @heap_double_free
  END;
  return 0;
}
CASE(heap_double_free_large) {
  void* object = heap_allocate(100'000);
  heap_free(object);
  heap_free(object);  // @heap_double_free_large
  END;
  return 0;
}
CASE(heap_wild_free) {
  int local = 0;
  heap_free(&local);  // @heap_wild_free
  END;
  return 0;
}
CASE(heap_interior_free) {
  auto* object = static_cast<char*>(heap_allocate(100));
  heap_free(object + 8);  // @heap_interior_free
  END;
  return 0;
}
CASE(heap_interior_free_large) {
  auto* object = static_cast<char*>(heap_allocate(100'000));
  heap_free(object + 4096);  // @heap_interior_free_large
  END;
  return 0;
}
CASE(heap_never_allocated) {
  auto* object = static_cast<char*>(heap_allocate(100));
  heap_free(object + 112 * 500);  // @heap_never_allocated
  END;
  return 0;
}
CASE(heap_overrun) {
  auto* object = static_cast<char*>(heap_allocate(100));
  std::memset(object, 'x', 112 + 16);  // the next object is free
  (void)heap_allocate(100);  // @heap_overrun
  END;
  return 0;
}
