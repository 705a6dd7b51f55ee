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
  (void)heap_allocate(100);            // @heap_overrun
  END;
  return 0;
}

// --- WEFT_DEBUG=heapcheck=1 ---

CASE(heap_checked_double_free) {
  void* object = heap_allocate(100);  // @heap_checked_double_free_allocated
  heap_free(object);                  // @heap_checked_double_free_freed
  heap_free(object);                  // @heap_checked_double_free
  END;
  return 0;
}
CASE(heap_checked_overrun) {
  auto* object = static_cast<char*>(heap_allocate(100));  // @heap_checked_overrun_allocated
  object[100] = 'x';
  heap_free(object);  // @heap_checked_overrun
  END;
  return 0;
}
CASE(heap_checked_underrun) {
  auto* object = static_cast<char*>(heap_allocate(100'000));  // @heap_checked_underrun_allocated
  object[-1] = 'x';
  heap_free(object);  // @heap_checked_underrun
  END;
  return 0;
}
CASE(heap_checked_interior_free) {
  auto* object = static_cast<char*>(heap_allocate(100));
  heap_free(object + 16);  // @heap_checked_interior_free
  END;
  return 0;
}
CASE(heap_checked_use_after_free) {
  auto* object = static_cast<char*>(heap_allocate(100));  // @heap_checked_use_after_free_allocated
  heap_free(object);                                      // @heap_checked_use_after_free_freed
  object[50] = 'x';
  for (int i = 0; i < 100; ++i) heap_free(heap_allocate(1 << 20));  // @heap_checked_use_after_free
  END;
  return 0;
}

CASE(heap_checked_wrong_size) {
  void* object = heap_allocate(100);      // @heap_checked_wrong_size_allocated
  weft::rt::heap_free_sized(object, 96);  // @heap_checked_wrong_size
  END;
  return 0;
}

// --- WEFT_DEBUG=memprofilerate=1 ---

CASE(heap_sampled_overrun) {
  auto* object = static_cast<char*>(heap_allocate(100));
  std::memset(object, 'x', 128);
  heap_free(object);  // @heap_sampled_overrun
  END;
  return 0;
}

#if defined(__x86_64__)
// --- faults whose owner is named -----------------------------------------------------------------

struct callback {
  void (*call)();
  void* argument[7];
};
FRAME void call_it(void* function) {
  reinterpret_cast<void (*)()>(function)();  // @heap_call_it
  END;
}
CASE(heap_call_freed) {
  auto* object = static_cast<callback*>(heap_allocate(sizeof(callback)));
  heap_free(object);
  call_it(&object->argument[2]);  // @heap_call_freed
  END;
  return 0;
}
CASE(wild_pointer) {
  // As words of a freed object look: no memory has such an address.
  volatile char* volatile nowhere = reinterpret_cast<char*>(0x5555aaaa5555aaaa);
  *nowhere = 1;  // @wild_pointer
  END;
  return 0;
}
#endif
