// SPDX-License-Identifier: Apache-2.0
// Small programs, each racy or clean, that the race detector must tell apart whatever the schedule.
//
// In a racy one the two accesses are ordered in time by `unseen::flag`, which is no edge of the
// memory model and which ThreadSanitizer does not see: so the race is there in every run, and both
// accesses happen, on one P as on many. A clean one is ordered by what Weft promises and nothing
// else. The ideas are those of Go's src/runtime/race/testdata.
#pragma once

#include <weft/weft.hpp>

namespace race {

struct race_case {
  const char* name;
  bool racy;
  /// Runs in weft::run(), else on the process's main thread.
  bool on_goroutine;
  void (*body)();
  race_case* next = first();

  static race_case*& first() {
    static race_case* head = nullptr;
    return head;
  }
  race_case(const char* n, bool is_racy, bool goroutine, void (*f)())
      : name(n), racy(is_racy), on_goroutine(goroutine), body(f) {
    first() = this;
  }
};

}  // namespace race

/// What cases race for. volatile: the compiler leaves every access in its place.
using word = volatile int;

namespace unseen {

/// Orders in time, and in nothing else: unseen.cpp is not instrumented. wait() lets other
/// goroutines run.
class flag {
 public:
  void set();
  void wait();
  /// For a thread that has no business with goroutines.
  void wait_on_thread();

 private:
  int word_ = 0;
};

}  // namespace unseen

#define WEFT_RACE_CASE(kind, is_racy, on_goroutine, name)                                   \
  static void kind##_##name();                                                              \
  static const race::race_case kind##_##name##_case(#kind "_" #name, is_racy, on_goroutine, \
                                                    kind##_##name);                         \
  static void kind##_##name()
/// The body of a case, as the main goroutine.
#define RACY(name) WEFT_RACE_CASE(racy, true, true, name)
#define CLEAN(name) WEFT_RACE_CASE(clean, false, true, name)
/// The same, on the main thread before there is a runtime.
#define RACY_ON_MAIN(name) WEFT_RACE_CASE(racy, true, false, name)
#define CLEAN_ON_MAIN(name) WEFT_RACE_CASE(clean, false, false, name)
