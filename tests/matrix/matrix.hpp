// SPDX-License-Identifier: Apache-2.0
// The migration matrix: cases that any test framework would hide from the optimizer. Everything
// here is compiled with the library's own sources, so that link-time optimization sees through a
// switch, and every case is a process of its own, so that one that dies is one cell.
#pragma once

#include <unistd.h>

#include <utility>
#include <vector>

#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sched/task.hpp"

namespace matrix {

struct matrix_case {
  const char* name;
  void (*body)();
  /// Null, or what the process must say on stderr while it dies with status 2.
  const char* last_words;
  matrix_case* next = nullptr;
  matrix_case(const char* its_name, void (*its_body)(), const char* words = nullptr);
};

/// Goes on when this goroutine has reached another thread: blocks until its P has been taken, and
/// then makes a call that may park. In the crew's world the P is never idle, so it is queued and
/// another thread takes it. Fails the case if that has not happened within 30 seconds.
void hop();
/// How often hop() has seen the thread change.
long hop_count();
/// The kernel's name of this thread. pthread_self() is attribute((const)): compilers keep it.
long thread_number();

/// Reports a failed expectation; the case goes on.
void fail(const char* what, const char* file, int line);

/// Keeps the P of the world busy with yielding goroutines as long as it lives.
class crowd {
 public:
  crowd();
  ~crowd();
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

 private:
  std::vector<weft::task<void>> tasks_;
};

void run_world(void (*body)(void*), void* argument);

/// Runs body(0) to body(count - 1) at once, each in a goroutine of its own.
template <class Body>
void crew(int count, Body body) {
  auto all = [&] {
    const crowd others;
    std::vector<weft::task<void>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(weft::spawn([&body, i] { body(i); }));
    for (auto& t : tasks) t.join();
  };
  run_world([](void* f) { (*static_cast<decltype(all)*>(f))(); }, &all);
}

}  // namespace matrix

#define MATRIX_CASE(name)                                         \
  static void name();                                             \
  static const matrix::matrix_case register_##name(#name, &name); \
  static void name()
#define MATRIX_DYING_CASE(name, words)                                   \
  static void name();                                                    \
  static const matrix::matrix_case register_##name(#name, &name, words); \
  static void name()
#define MATRIX_EXPECT(condition) \
  ((condition) ? void() : ::matrix::fail(#condition, __FILE__, __LINE__))
