// SPDX-License-Identifier: Apache-2.0
// How a file of crash cases lists them: CASE(name) { ... } is the body of the main goroutine,
// PLAIN_CASE(name) runs on the main thread, outside weft::run.
#pragma once

#include <atomic>

// Every function here is a frame of its own: not inlined, and not left by a tail call.
#define FRAME [[gnu::noinline]]
#define END asm volatile("")

namespace crash {

struct listed {
  listed(const char* case_name, int (*body)(), bool on_main_thread) noexcept
      : name(case_name), run(body), plain(on_main_thread), next(first) {
    first = this;
  }
  const char* name;
  int (*run)();
  bool plain;
  listed* next;
  static inline listed* first = nullptr;
};

inline std::atomic<int> arrived{0};

}  // namespace crash

#define LIST_CASE(name, plain)                                         \
  int name##_case();                                                   \
  static const crash::listed name##_listed(#name, name##_case, plain); \
  FRAME int name##_case()
#define CASE(name) LIST_CASE(name, false)
#define PLAIN_CASE(name) LIST_CASE(name, true)
