// SPDX-License-Identifier: Apache-2.0
// Walks of real stacks: through libc, signal frames, parked contexts, bad calls, and garbage.
#include "weft/base/unwind.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <ucontext.h>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "weft/base/atomic.hpp"
#include "weft/base/sanitizer.hpp"

namespace {

using namespace weft::rt;

stack_bounds thread_bounds() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* lo = nullptr;
  size_t bytes = 0;
  pthread_attr_getstack(&attributes, &lo, &bytes);
  pthread_attr_destroy(&attributes);
  const auto start = reinterpret_cast<uintptr_t>(lo);
  return {start, start + bytes};
}

struct walk {
  uintptr_t pcs[64] = {};
  size_t count = 0;

  // Whether some frame lies in the function that starts at `function` (test functions are shorter
  // than 512 bytes).
  [[nodiscard]] bool passes(void (*function)()) const {
    const auto start = reinterpret_cast<uintptr_t>(function);
    for (size_t i = 0; i < count; ++i)
      if (pcs[i] - start < 512) return true;
    return false;
  }
};
walk last;

// The quick walk must say the same, with its rows looked up (first) and remembered.
void compare_quick(const unwind_frame& from) {
  for (int round = 0; round < 2; ++round) {
    walk quick;
    quick.count = unwind_quick(from, thread_bounds(), quick.pcs, 64);
    if (quick.count != last.count ||
        std::memcmp(quick.pcs, last.pcs, last.count * sizeof(uintptr_t)) != 0)
      ADD_FAILURE() << "unwind_quick: " << quick.count << " frames, not " << last.count;
  }
}

[[gnu::noinline]] void record() {
  const unwind_frame from = unwind_frame_here();
  last.count = unwind(from, thread_bounds(), last.pcs, 64);
  compare_quick(from);
  asm volatile("");
}
[[gnu::noinline]] void inner() {
  record();
  asm volatile("");  // no tail call
}
[[gnu::noinline]] void outer() {
  inner();
  asm volatile("");
}

TEST(unwind, finds_callers_innermost_first) {
  outer();
  ASSERT_GE(last.count, 4u);
  EXPECT_TRUE(last.passes(inner));
  EXPECT_TRUE(last.passes(outer));
  const auto start = reinterpret_cast<uintptr_t>(&record);
  EXPECT_LT(last.pcs[0] - start, 512u);
}

int compare_and_record(const void* a, const void* b) {
  record();
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
[[gnu::noinline]] void sort_two() {
  int two[2] = {2, 1};
  std::qsort(two, 2, sizeof(int), compare_and_record);
  asm volatile("");
}

TEST(unwind, passes_through_a_library_without_frame_pointers) {
  sort_two();
  EXPECT_TRUE(last.passes(sort_two));
}

TEST(unwind, quick_walks_on_many_threads) {
  // Entries of the shared table are written and read at once; each walk is whole all the same.
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&wrong] {
      const unwind_frame from = unwind_frame_here();
      const stack_bounds bounds = thread_bounds();
      walk exact;
      exact.count = unwind(from, bounds, exact.pcs, 64);
      for (int i = 0; i < 20'000; ++i) {
        walk quick;
        quick.count = unwind_quick(from, bounds, quick.pcs, 64);
        if (quick.count != exact.count ||
            std::memcmp(quick.pcs, exact.pcs, exact.count * sizeof(uintptr_t)) != 0)
          ++wrong;
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST(unwind, respects_max) {
  uintptr_t pcs[2];
  EXPECT_EQ(unwind(unwind_frame_here(), thread_bounds(), pcs, 2), 2u);
  EXPECT_EQ(unwind(unwind_frame_here(), thread_bounds(), pcs, 0), 0u);
}

// Asked for before the signal: pthread_getattr_np() allocates.
stack_bounds bounds_before_signal;
void on_signal(int, siginfo_t*, void* context) {
  last.count = unwind(unwind_frame_of(context), bounds_before_signal, last.pcs, 64);
}
[[gnu::noinline]] void signalled() {
  std::raise(SIGUSR1);
  asm volatile("");
}

TEST(unwind, starts_from_a_signal_context) {
  bounds_before_signal = thread_bounds();
  struct sigaction action = {}, before = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR1, &action, &before);
  signalled();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(last.passes(signalled));
}

void record_in_handler(int) {
  last.count = unwind(unwind_frame_here(), bounds_before_signal, last.pcs, 64);
}

TEST(unwind, passes_a_signal_frame) {
  bounds_before_signal = thread_bounds();
  struct sigaction action = {}, before = {};
  action.sa_handler = record_in_handler;
  sigaction(SIGUSR1, &action, &before);
  signalled();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(last.passes(signalled));
}

ucontext_t main_context, parked_context;
[[gnu::noinline]] void park_here() {
  swapcontext(&parked_context, &main_context);
  asm volatile("");
}
void parked_entry() {
  park_here();
  std::abort();
}

TEST(unwind, reads_a_parked_context_within_its_stack) {
  std::vector<char> stack(64 * 1024);
  getcontext(&parked_context);
  parked_context.uc_stack = {stack.data(), 0, stack.size()};
  makecontext(&parked_context, parked_entry, 0);
  swapcontext(&main_context, &parked_context);
  const auto lo = reinterpret_cast<uintptr_t>(stack.data());
  last.count = unwind(unwind_frame_of(&parked_context), {lo, lo + stack.size()}, last.pcs, 64);
  EXPECT_TRUE(last.passes(park_here));
  EXPECT_TRUE(last.passes(parked_entry));
  // Half of the stack cut away: the walk ends at the bound.
  const size_t count = last.count;
  const uintptr_t sp = unwind_frame_of(&parked_context).sp();
  last.count = unwind(unwind_frame_of(&parked_context), {lo, sp + 16}, last.pcs, 64);
  EXPECT_LT(last.count, count);
}

#if defined(__x86_64__)
extern "C" void weft_test_bottom(void (*function)());
asm(R"(
        .text
        .type weft_test_bottom, @function
weft_test_bottom:
        .cfi_startproc
        .cfi_undefined rip
        subq $8, %rsp
        .cfi_adjust_cfa_offset 8
        call *%rdi
        addq $8, %rsp
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
)");

TEST(unwind, ends_where_the_return_address_is_undefined) {
  weft_test_bottom(outer);
  ASSERT_EQ(last.count, 4u);  // record, inner, outer, weft_test_bottom
  EXPECT_LT(last.pcs[3] - reinterpret_cast<uintptr_t>(&weft_test_bottom), 32u);
}
#endif

sigjmp_buf after_fault;
void on_fault(int, siginfo_t*, void* context) {
  last.count = unwind(unwind_frame_of(context), thread_bounds(), last.pcs, 64);
  siglongjmp(after_fault, 1);
}
void (*volatile no_function)() = nullptr;
[[gnu::noinline]] void call_null() {
  no_function();
  asm volatile("");
}

TEST(unwind, finds_who_called_a_null_function) {
  if (sanitizer::address || sanitizer::thread) GTEST_SKIP() << "the sanitizer takes SIGSEGV";
  bounds_before_signal = thread_bounds();
  struct sigaction action = {}, before = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &before);
  if (sigsetjmp(after_fault, 1) == 0) call_null();
  sigaction(SIGSEGV, &before, nullptr);
  EXPECT_EQ(last.pcs[0], 0u);
  EXPECT_TRUE(last.passes(call_null));
}

TEST(unwind, frame_pointer_cycle_ends) {
  alignas(16) uintptr_t words[8] = {};
  const auto at = reinterpret_cast<uintptr_t>(words);
  words[0] = at;  // its own caller
  words[1] = 1;   // a pc in no module
  EXPECT_LE(unwind(unwind_frame_at(1, at, at), {at, at + sizeof words}, last.pcs, 64), 3u);
}

TEST(unwind, garbage_never_leaves_the_bounds) {
  // Random words around real return addresses: whatever is followed, reads stay inside (a stray
  // one would fault, the buffer's neighbours being unmapped more often than not).
  outer();
  std::mt19937_64 random(1);
  std::vector<uintptr_t> words(512);
  const auto lo = reinterpret_cast<uintptr_t>(words.data());
  const uintptr_t hi = lo + words.size() * sizeof(uintptr_t);
  for (int round = 0; round < 2000; ++round) {
    for (uintptr_t& word : words) {
      const uint64_t dice = random();
      word = dice % 3 == 0   ? last.pcs[dice / 3 % last.count]
             : dice % 3 == 1 ? lo + dice / 3 % (hi - lo) / 8 * 8
                             : dice;
    }
    uintptr_t pcs[64];
    const uintptr_t sp = lo + random() % 64 * 8;
    EXPECT_LE(unwind(unwind_frame_at(last.pcs[round % last.count], sp, sp + 64), {lo, hi}, pcs, 64),
              64u);
  }
}

}  // namespace
